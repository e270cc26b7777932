"""`watcher rules test`: scenario files played, every difference with its place, and JUnit's XML for CI."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watcher.cli.exits import BAD_CONFIG, FAILED, OK, UsageError
from watcher.cli.junit import Case, write_junit
from watcher.cli.output import LINE, output_of
from watcher.config.problem import Problem, has_errors, quoted
from watcher.config.scenarios import read_scenario
from watcher.core.duration import format_duration
from watcher.core.text import shown, shown_lines
from watcher.paths import Paths
from watcher.scenario import Played, play


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one file; `played` is None when it can't be used."""

    file: str
    name: str
    played: Played | None
    problems: tuple[Problem, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not has_errors(self.problems)


def run(args: argparse.Namespace) -> int:
    """Play all files; say what differs on stderr, and a line for each on stdout."""
    output = output_of(args)
    config = Paths.choose(config=args.config, state=args.state_dir, socket=args.socket).config
    outcomes = [_outcome(path, config) for path in args.files]
    if args.junit is not None:
        _write(args.junit, outcomes)
    if not output.is_json:
        for problem in (problem for outcome in outcomes for problem in outcome.problems):
            for line in shown_lines(str(problem), limit=LINE, lines=2):
                output.complaint(line)
    answer = {"schema": 1, "ok": all(one.passed for one in outcomes), "scenarios": [_as_json(one) for one in outcomes]}
    output.data(answer, [_in_words(one) for one in outcomes])
    if any(one.played is None for one in outcomes):
        return BAD_CONFIG
    return OK if answer["ok"] else FAILED


def _outcome(path: Path, config: Path) -> Outcome:
    begun = time.perf_counter()
    read = read_scenario(path, config)
    played = None if read.scenario is None else play(read.scenario)
    return Outcome(
        file=str(path),
        name="" if read.scenario is None else read.scenario.name,
        played=played,
        problems=(*read.problems, *(() if played is None else played.problems)),
        seconds=time.perf_counter() - begun,
    )


def _write(path: Path, outcomes: list[Outcome]) -> None:
    cases = [
        Case(
            file=one.file,
            name=one.name or one.file,
            failures=tuple(str(problem) for problem in one.problems if problem.weight == "error"),
            is_error=one.played is None,
            seconds=one.seconds,
        )
        for one in outcomes
    ]
    try:
        write_junit(path, "watcher rules test", cases)
    except OSError as error:
        raise UsageError(f"{path}: can't be written: {error.strerror}", hint="name another file for --junit") from error


def _in_words(outcome: Outcome) -> str:
    played = outcome.played
    if played is None or not outcome.passed:
        errors = sum(problem.weight == "error" for problem in outcome.problems)
        what = "can't be used" if played is None else "not as expected"
        return shown(f"{outcome.file}: {what}, {errors} error{'' if errors == 1 else 's'}", limit=LINE)
    parts = [f"{played.entries} entr{'y' if played.entries == 1 else 'ies'}"]
    parts += [f"{rule} {count}" for rule, count in played.matches.items()]
    if played.verdict is not None:
        parts.append(f"verdict {played.verdict}")
    return shown(f"{outcome.file}: ok, {', '.join(parts)} ({quoted(outcome.name)})", limit=LINE)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    played = outcome.played
    facts: dict[str, Any] = {"entries": None, "matches": None, "verdict": None, "reasons": None, "failed_at": None}
    if played is not None:
        facts = {
            "entries": played.entries,
            "matches": played.matches,
            "verdict": played.verdict,
            "reasons": list(played.reasons),
            "failed_at": None if played.failed_at is None else format_duration(played.failed_at),
        }
    return {
        "file": outcome.file,
        "scenario": outcome.name,
        "ok": outcome.passed,
        **facts,
        "problems": [problem.to_json() for problem in outcome.problems],
    }
