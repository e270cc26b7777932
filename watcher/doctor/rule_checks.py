"""The rules against what the jobs really logged: such as find what is healthy, and such as have never found anything.

Read by the daemon's own scanner. A rule without a name stands behind the others: it is true of every entry that its
writer calls harmless, so each match tells which rules think otherwise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from watcher.adapters import systemd
from watcher.clock import wall_clock
from watcher.core.duration import HOUR, Usec, format_duration
from watcher.core.found import Match
from watcher.core.names import JobName, RuleName
from watcher.core.rule import FieldCondition, Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.doctor.finding import Finding, Weight, fine
from watcher.doctor.logging_of_units import representative
from watcher.doctor.loudness import NEAR, SMALLEST, Loudness, near_the_limit
from watcher.doctor.scene import Scene
from watcher.journal.extent import read_extent
from watcher.journal.source import Source
from watcher.journal.units import unit_name

CHECK: Final = "rules"
DAY: Final = Usec(24 * HOUR)
HISTORY: Final = Usec(14 * 24 * HOUR)
MOST_ENTRIES: Final = 1_000_000
"""Of anybody, in each of the two spans: two seconds of reading. What lies beyond is not looked at, and said."""
LARGE_SHARE: Final = 0.2
FEWEST: Final = 20
"""Harmless entries of a job from which on a share says something."""
_HARMLESS = Rule(
    name=RuleName(""),
    severity=Severity.INFO,
    match="",
    where=(FieldCondition(field="PRIORITY", at_least=5),),
)
_LISTED = 8


def check_rules(scene: Scene) -> Iterator[Finding]:
    """What the journal says about the rules. Raises JournalError."""
    settings = scene.settings
    if settings is None or not settings.jobs:
        return
    directory = None if settings.journal_directory is None else str(settings.journal_directory)
    source = Source(directory=directory, namespace=settings.journal_namespace)
    read = read_spans(settings.jobs, source, now=wall_clock())
    found = list(rule_findings(settings.jobs, read))
    yield from found
    if scene.booted and scene.reads_machine:
        yield from _loud(settings.jobs, read)
    if not found:
        yield fine(CHECK, f"nothing speaks against them in the journal of the last {format_duration(HISTORY)}")


def read_spans(jobs: Sequence[WatchedJob], source: Source, *, now: Usec) -> Spans:
    """The last day and the time before it, read once. Raises JournalError: the journal can't be read."""
    day = _read(tuple(map(_with_harmless, jobs)), source, since=Usec(now - DAY), until=now)
    return Spans(day, _read(jobs, source, since=Usec(now - HISTORY), until=Usec(now - DAY)))


def rule_findings(jobs: Sequence[WatchedJob], read: Spans) -> Iterator[Finding]:
    """Rules that fire on a large share of the last day's harmless entries, and rules that never fired."""
    for job in jobs:
        yield from _too_wide(job, read.day)
        yield from _never_fired(job, read.day, read.history)


def _loud(jobs: Sequence[WatchedJob], read: Spans) -> Iterator[Finding]:
    """Jobs that logged near the limit at which journald drops. Raises SystemdError."""
    for job in jobs:
        loud = read.day.loudness[job.name]
        if loud.most >= NEAR * SMALLEST:
            asked = [representative(unit_name(unit)) for unit in job.units]
            units = systemd.properties(asked, ("Id", "LoadState", "LogRateLimitBurst")) if asked else []
            yield from near_the_limit(job.name, loud, [one for one in units if one.get("LoadState") == "loaded"])


@dataclass(slots=True)
class _Seen:
    """What was read: entries and rules that fired by job, and harmless entries on which they did."""

    entries: Counter[JobName] = field(default_factory=Counter)
    harmless: Counter[JobName] = field(default_factory=Counter)
    fired: Counter[tuple[JobName, RuleName]] = field(default_factory=Counter)
    on_harmless: Counter[tuple[JobName, RuleName]] = field(default_factory=Counter)
    loudness: defaultdict[JobName, Loudness] = field(default_factory=lambda: defaultdict(Loudness))
    whole: bool = True

    def take(self, match: Match) -> None:
        """Counts one match."""
        named = [rule for rule in match.rules if rule != _HARMLESS.name]
        self.fired.update((match.job, rule) for rule in named)
        if len(named) < len(match.rules):
            self.harmless[match.job] += 1
            self.on_harmless.update((match.job, rule) for rule in named)


@dataclass(frozen=True, slots=True)
class Spans:
    """What was read of the last day, and of the time before it."""

    day: _Seen
    history: _Seen


def _read(jobs: Sequence[WatchedJob], source: Source, *, since: Usec, until: Usec) -> _Seen:
    seen, entries = _Seen(), 0
    for reading in read_extent(source, jobs, since=since, until=until):
        for tally in reading.tallies:
            seen.entries[tally.job] += tally.entries
            seen.loudness[tally.job].take(tally)
        for one in reading.found:
            if isinstance(one, Match):
                seen.take(one)
        entries += reading.entries
        if entries >= MOST_ENTRIES:
            seen.whole = False
            break
    return seen


def _with_harmless(job: WatchedJob) -> WatchedJob:
    return replace(job, rules=(*job.rules, _HARMLESS))


def _too_wide(job: WatchedJob, day: _Seen) -> Iterator[Finding]:
    total = day.harmless[job.name]
    if total < FEWEST:
        return
    for rule in job.rules:
        count = day.on_harmless[job.name, rule.name]
        if count >= LARGE_SHARE * total and rule.severity.at_least(Severity.WARNING):
            share = "every one" if count == total else f"{count} ({count / total:.0%})"
            what = f"rule {rule.name} ({rule.severity}) fires on {share} of the {total} info entries of the last day"
            hint = f"watcher rules match --job {job.name} --since -1d --samples 5, then narrow it or use `unless`"
            yield Finding(check=CHECK, weight=Weight.WARNING, what=what, hint=hint, job=job.name)


def _never_fired(job: WatchedJob, day: _Seen, history: _Seen) -> Iterator[Finding]:
    entries = day.entries[job.name] + history.entries[job.name]
    never = [rule.name for rule in job.rules if not day.fired[job.name, rule.name] + history.fired[job.name, rule.name]]
    if not never or not entries:
        return
    span = format_duration(HISTORY) + ("" if day.whole and history.whole else ", of which only a part was read")
    listed = ", ".join(never[:_LISTED]) + (f" and {len(never) - _LISTED} more" if len(never) > _LISTED else "")
    what = (
        f"{len(never)} of {len(job.rules)} rules have not fired on the {entries} entries of the last {span}: {listed}"
    )
    hint = f"good news, or a pattern that is wrong: watcher rules match --job {job.name} --since -14d --unmatched"
    yield Finding(check=CHECK, weight=Weight.NOTE, what=what, hint=hint, job=job.name)
