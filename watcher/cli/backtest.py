"""`watcher replay --releases`: every past release under today's configuration, and how often that is wrong."""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher.cli import exits
from watcher.cli.instants import parse_instant
from watcher.cli.output import Output, columns, output_of, words
from watcher.cli.progress import Progress
from watcher.cli.reaching import client_of, query_of
from watcher.core.duration import Usec, format_duration
from watcher.core.errors import WatcherError
from watcher.core.reason_words import say
from watcher.core.shown import shown_coverage, shown_instant

if TYPE_CHECKING:
    from watcher.backtest import Judged, PastRelease, Quiet, Swept
    from watcher.core.policy import JobPolicy
    from watcher.core.rule import WatchedJob
    from watcher.journal.source import Source

STORE, RESTARTS = "store", "restarts"
_MOST_RELEASES = 1000
_BAR = 20
_OUTCOMES = {"good": False, "bad": True, "": None}
_FEWEST, _MOST = 2, 3


class ReleasesError(WatcherError):
    """A list of past releases that can't be used."""

    exit_code = exits.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a backtest is about: a job with its policy, and a range of a journal."""

    policy: JobPolicy
    job: WatchedJob
    source: Source
    since: Usec
    until: Usec
    now: Usec


def run(args: argparse.Namespace, asked: Asked) -> int:
    """Read the range and what lies before it, judge, and print. Raises ReleasesError and JournalError."""
    from watcher.backtest import Backtest  # noqa: PLC0415 - other verbs must not pay for it
    from watcher.core.trial import new_trial  # noqa: PLC0415 - the same
    from watcher.journal.pieces import read_pieces  # noqa: PLC0415 - the same

    started = time.perf_counter()
    known = None if args.releases == RESTARTS else _known(args, asked)
    lookback = new_trial(asked.policy.release.thresholds).lookback or 0
    before = Usec(max(asked.since - lookback, 0))
    progress = Progress(before, asked.until)
    piece = read_pieces(asked.source, asked.job, since=before, until=asked.until, told=progress.show)
    progress.end()
    backtest = Backtest(policy=asked.policy, piece=piece)
    releases = backtest.restarts(asked.since) if known is None else known
    report = {
        "schema": 1,
        "job": asked.job.name,
        "since": shown_instant(asked.since),
        "until": shown_instant(asked.until),
        "window": format_duration(asked.policy.release.window),
        "entries": piece.entries,
        "coverage": shown_coverage(piece.gaps),
        "releases": [_shown_judged(backtest.judge(one)) for one in releases],
        "quiet": _shown_quiet(backtest.quiet(asked.since, releases)),
        "sweep": [_shown_swept(one) for one in backtest.sweep(asked.since, releases)] if args.sweep else None,
        "elapsed_seconds": round(time.perf_counter() - started, 6),
    }
    output = output_of(args)
    output.data(report, list(_lines(report, output)))
    return 0


def _known(args: argparse.Namespace, asked: Asked) -> list[PastRelease]:
    """The releases of the file or of the daemon's store that lie in the range, oldest first."""
    from watcher.backtest import PastRelease  # noqa: PLC0415 - other verbs must not pay for it

    if args.releases is None:
        return []
    if args.releases == STORE:
        stored = client_of(args).read(query_of(asked.job.name, _MOST_RELEASES)).json["releases"]
        named = [(one["started_at"], one["version"], was_bad(one)) for one in stored if one["started_at"]]
    else:
        named = list(_listed(Path(args.releases)))
    releases = [
        PastRelease(at=parse_instant(at, asked.now), version=version, was_bad=bad) for at, version, bad in named
    ]
    return sorted((one for one in releases if asked.since <= one.at < asked.until), key=lambda one: one.at)


def was_bad(stored: Mapping[str, Any]) -> bool | None:
    """What is known of a stored release: what its verdict said, or the opposite where a person did not agree."""
    judged = {"failed": True, "passed": False}.get(stored["verdict"] or "")
    disputed = stored["opinion"] is not None and stored["opinion"]["agrees"] is False
    return not judged if judged is not None and disputed else judged


def _listed(path: Path) -> Iterator[tuple[str, str, bool | None]]:
    """The lines `INSTANT,VERSION[,good|bad]` of the file; `#` begins a comment. Raises ReleasesError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ReleasesError(f"{path}: {why}", hint="a file of lines such as: 2026-11-20 14:00,2.4.1,bad") from error
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        outcome = cells[2] if len(cells) == _MOST else ""
        if not _FEWEST <= len(cells) <= _MOST or outcome not in _OUTCOMES:
            raise ReleasesError(
                f"{path}:{number}: is no release", hint="write INSTANT,VERSION or INSTANT,VERSION,good or …,bad"
            )
        yield cells[0], cells[1], _OUTCOMES[outcome]


def _shown_judged(one: Judged) -> dict[str, Any]:
    judged = one.judged
    return {
        "at": shown_instant(one.release.at),
        "version": one.release.version,
        "was_bad": one.release.was_bad,
        "verdict": judged.verdict,
        "reasons": [say(reason) for reason in judged.reasons],
        "failed_at": shown_instant(judged.ended_at) if one.failed else None,
    }


def _shown_quiet(quiet: Quiet) -> dict[str, Any]:
    return {
        "windows": quiet.windows,
        "failed": quiet.failed,
        "inconclusive": quiet.inconclusive,
        "rate": quiet.failed / quiet.windows if quiet.windows else None,
        "rate_at_most": quiet.at_most if quiet.windows else None,
    }


def _shown_swept(one: Swept) -> dict[str, Any]:
    return {
        "threshold": one.threshold.label,
        "quiet": _shown_quiet(one.quiet),
        "bad_releases": one.bad,
        "found": one.found,
    }


def _lines(report: Mapping[str, Any], output: Output) -> Iterator[str]:
    gaps = len(report["coverage"]["gaps"])
    yield f"job {words(report['job'])}: {report['entries']} entries read in {report['elapsed_seconds']:.1f} s"
    if gaps:
        yield f"coverage: {gaps} gaps, what stood in them was not seen"
    yield from _release_lines(report["releases"], output)
    quiet = report["quiet"]
    if quiet["windows"]:
        alarms = f"{quiet['failed']} false alarms ({quiet['rate']:.2%}, at most {quiet['rate_at_most']:.2%})"
        yield f"quiet time: {quiet['windows']} windows of {report['window']}, {alarms}"
        if quiet["inconclusive"]:
            yield f"  {quiet['inconclusive']} of them could not have passed"
    else:
        yield f"quiet time: no window of {report['window']} fits between the releases"
    if report["sweep"] is not None:
        yield from _sweep_lines(report["sweep"])


def _release_lines(releases: Sequence[Mapping[str, Any]], output: Output) -> Iterator[str]:
    if not releases:
        yield "no release lies in the range"
        return
    rows = [["RELEASE", "VERSION", "WAS", "VERDICT", "WHY"]]
    for one in releases:
        was = {True: "bad", False: "good", None: "-"}[one["was_bad"]]
        verdict = output.coloured(one["verdict"] or "open", width=12)
        why = words(one["reasons"][0]) if one["reasons"] else "the range ends before its window does"
        rows.append([words(one["at"])[:19] + "Z", words(one["version"]), was, verdict, why])
    yield from columns(rows)


def _sweep_lines(swept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A row for each threshold with a bar for each of the two: false alarms should be short, what is found long."""
    rows = [["THRESHOLD, BY ITSELF", "FALSE ALARMS", "", "BAD RELEASES FOUND", ""]]
    for one in swept:
        quiet, windows = one["quiet"]["failed"], one["quiet"]["windows"]
        rows.append(
            [
                words(one["threshold"]),
                f"{quiet} of {windows}",
                _bar(quiet, windows),
                f"{one['found']} of {one['bad_releases']}",
                _bar(one["found"], one["bad_releases"]),
            ]
        )
    yield from columns(rows)


def _bar(part: int, whole: int) -> str:
    """A share as a bar; the least there is shows."""
    filled = -(-part * _BAR // whole) if whole else 0
    return "█" * filled + "·" * (_BAR - filled)
