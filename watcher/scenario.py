"""Playing a scenario: its entries through the one scanner and the one `decide`, and what differs from what it expects.

As in a replay, with entries from a file instead of a journal; nothing is stored and nothing is acted on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from watcher.config.problem import Place, Problem, quoted
from watcher.config.scenarios import Scenario
from watcher.config.story import Step
from watcher.core.baseline import Past
from watcher.core.duration import Usec, format_duration
from watcher.core.found import Match
from watcher.core.messages import BatchRead
from watcher.core.reason_words import say
from watcher.core.release import Release
from watcher.journal.matcher import Matcher
from watcher.journal.memory import MemoryReader, entry_of
from watcher.journal.reading import Reading
from watcher.journal.scan import Scanner
from watcher.replay import Replay

BEGINNING = Usec(1_767_225_600_000_000)
"""When every scenario begins: 2026-01-01 00:00 UTC. Nothing depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a scenario: how often each rule counted, the verdict on its release if it has one, what is wrong."""

    entries: int
    matches: dict[str, int]
    verdict: str | None
    reasons: tuple[str, ...]
    failed_at: Usec | None
    problems: tuple[Problem, ...]


def play(scenario: Scenario) -> Played:
    """Reads and judges the story to the end of its release's window."""
    released = None if scenario.released is None else Usec(BEGINNING + scenario.released)
    replay = Replay(policy=scenario.policy, release_at=released)
    replay.begin(BEGINNING)
    problems = list(_read(scenario, replay))
    release = replay.result().release
    last = scenario.steps[-1].at if scenario.steps else Usec(0)
    ends = BEGINNING if release is None or release.ends_at is None else release.ends_at
    until = Usec(max(BEGINNING + last + 1, ends))
    replay.read(BatchRead(at=until, read_until=until))  # as live, a window closes when all of it was read
    result = replay.result()
    played = Played(
        entries=len(scenario.steps),
        matches={rule: count for rule, count in result.matches.items() if count},
        verdict=None if result.release is None else result.release.verdict,
        reasons=() if result.release is None else tuple(say(reason) for reason in result.release.reasons),
        failed_at=_failed_at(result.release),
        problems=(),
    )
    problems += _differences(scenario, played)
    return Played(
        entries=played.entries,
        matches=played.matches,
        verdict=played.verdict,
        reasons=played.reasons,
        failed_at=played.failed_at,
        problems=tuple(dict.fromkeys(problems)),
    )


def _read(scenario: Scenario, replay: Replay) -> Iterator[Problem]:
    """Feeds the entries one by one; yields a problem for each that is not counted as it says."""
    scanner = Scanner((scenario.job,))
    past = None if replay.release_at is None else Past(scenario.job.name, since=BEGINNING, until=replay.release_at)
    reader = MemoryReader(entry_of(Usec(BEGINNING + step.at), step.fields) for step in scenario.steps)
    for step in scenario.steps:
        at = Usec(BEGINNING + step.at)
        if past is not None and at >= past.until:
            replay.take_baseline(past.result())
            past = None
        scanner.scan(reader, entries=1, matches=2)
        tally = scanner.drain()
        reading = Reading(
            read_until=at, last_entry_at=at, tallies=tally.tallies, found=tally.found, gaps=tally.gaps, entries=1
        )
        if past is not None:
            past.add(tallies=tally.tallies, found=tally.found, gaps=tally.gaps)
        replay.read(reading.taken_in(at))
        counted = tuple(str(rule) for one in tally.found if isinstance(one, Match) for rule in one.rules)
        if step.expected is not None and sorted(step.expected) != sorted(counted):
            yield _miscounted(scenario, step, counted, is_ours=bool(tally.tallies))
    if past is not None:
        replay.take_baseline(past.result())


def _miscounted(scenario: Scenario, step: Step, counted: tuple[str, ...], *, is_ours: bool) -> Problem:
    message = f"{_shown(step)}: {_listed(counted)}, expected {_listed(step.expected or ())}"
    raw = {name: value.encode() for name, value in step.fields.items()}
    fired = [str(rule.name) for rule in Matcher(scenario.job.rules).hits(raw.get("MESSAGE"), raw.get)]
    hint = ""
    if not is_ours:
        hint = "it is no entry of the job: see the job's units and identifiers, and this entry's fields"
    elif fired and not counted:
        hint = f"{_listed(tuple(fired))}: joined to the error before it by `until`, or the run was counted before"
    return Problem(place=step.place, path=f"{step.path}.expect", message=message, hint=hint)


def _differences(scenario: Scenario, played: Played) -> Iterator[Problem]:
    expected = scenario.expected
    if expected.matches is not None:
        for rule in dict.fromkeys((*expected.matches, *played.matches)):
            wanted, found = expected.matches.get(rule, 0), played.matches.get(rule, 0)
            if wanted != found:
                yield _problem(scenario, "matches", f"{rule} counted {_times(found)}, expected {_times(wanted)}")
    if expected.verdict is not None and expected.verdict != played.verdict:
        said = f"the verdict is {played.verdict}, expected {expected.verdict}"
        yield _problem(scenario, "verdict", said, hint="; ".join(played.reasons))
    if expected.failed_at is not None and expected.failed_at != played.failed_at:
        found_at = "did not fail" if played.failed_at is None else f"failed at {_since(played.failed_at)}"
        yield _problem(scenario, "failed_at", f"it {found_at}, expected at {_since(expected.failed_at)}")
    if expected.reasons is not None and expected.reasons != played.reasons:
        said = f"the reasons are {_quoted(played.reasons)}, expected {_quoted(expected.reasons)}"
        yield _problem(scenario, "reasons", said)


def _problem(scenario: Scenario, key: str, message: str, hint: str = "") -> Problem:
    place = scenario.expected.places.get(key, Place(scenario.file))
    return Problem(place=place, path=f"expect.{key}", message=message, hint=hint)


def _failed_at(release: Release | None) -> Usec | None:
    if release is None or release.ended_at is None or release.verdict != "failed":
        return None
    return Usec(release.ended_at - BEGINNING)


def _shown(step: Step) -> str:
    return f"{quoted(step.fields.get('MESSAGE', ''))} at {_since(step.at)}"


def _since(at: Usec) -> str:
    return "0s" if at == 0 else format_duration(at)


def _listed(rules: tuple[str, ...]) -> str:
    return ", ".join(rules) or "no rule"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _quoted(texts: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, texts)) or "none"
