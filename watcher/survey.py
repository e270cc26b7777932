"""What the last days of a unit hold, seen through every rule pack: the ground for a first configuration of it.

The entries are read by the one scan, as live and in replay; each pack is a job of its own over the same unit. Knows
rules and instants, nothing of configuration files.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from watcher.core.duration import HOUR, Usec
from watcher.core.found import JobTally, Match
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.extent import read_extent
from watcher.journal.source import Source

_RUNS = JobName("runs")
_STARTING, _STARTED, _FAILED, _ENDED = map(RuleName, ("starting", "started", "failed", "ended"))
# https://github.com/systemd/systemd/blob/main/src/systemd/sd-messages.h
_RECORDS = {
    _STARTING: "7d4958e842da4a758f6c1cdc7b36dcc5",
    _STARTED: "39f53479d3a045ac8e11786248231fbf",
    _FAILED: "d9b373ed55a64feb8242e02dbe79a49c",
    _ENDED: "7ad2d189f7e94e70a38c781354912448",
}
_RUN_RULES = tuple(Rule(name=name, severity=Severity.INFO, message_id=known) for name, known in _RECORDS.items())
_FEW = 3
_DAY = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One unit over a span: how many entries, how it runs, and what the packs' rules matched, `errors` over all packs.

    `errors` and `criticals` are instants of entries of that severity and worse, rising, each entry once.
    `matches` counts by pack and rule. `started` are instants of starts, `failed` and `ended` how runs came out.
    """

    unit: str
    since: Usec
    until: Usec
    entries: int
    matches: Mapping[str, Mapping[RuleName, int]]
    errors: tuple[Usec, ...] = ()
    criticals: tuple[Usec, ...] = ()
    started: tuple[Usec, ...] = ()
    failed: int = 0
    ended: int = 0

    @property
    def days(self) -> float:
        """How long the span is, in days."""
        return float((self.until - self.since) / _DAY)

    @property
    def rhythm(self) -> Usec | None:
        """The usual time between two starts; None if it was started too seldom to tell, or if its runs do not end."""
        if len(self.started) < _FEW or 2 * (self.ended + self.failed) < len(self.started):
            return None
        pauses = [after - before for before, after in zip(self.started, self.started[1:], strict=False)]
        return Usec(int(median(pauses)))

    def errors_by_day(self) -> list[int]:
        """How many errors in each day of the span, the oldest first."""
        counts = [0] * max(1, -(-(self.until - self.since) // _DAY))
        for at in self.errors:
            counts[min((at - self.since) // _DAY, len(counts) - 1)] += 1
        return counts


def most_within(instants: Sequence[Usec], span: Usec) -> int:
    """How many of the rising `instants` lie within one span at most, as a threshold with `within` counts them."""
    return max((place + 1 - bisect_left(instants, at - span + 1) for place, at in enumerate(instants)), default=0)


def survey(source: Source, unit: str, packs: Mapping[str, Iterable[Rule]], *, since: Usec, until: Usec) -> Survey:
    """Read the unit's entries. Raises JournalError, and PatternError for a unit that is none."""
    units = (unit,)
    jobs = [
        WatchedJob(name=JobName(name), units=units, identifiers=(), rules=tuple(rules)) for name, rules in packs.items()
    ]
    jobs.append(WatchedJob(name=_RUNS, units=units, identifiers=(), rules=_RUN_RULES))
    seen = _Seen()
    for reading in read_extent(source, jobs, since=since, until=until):
        seen.count(reading.tallies)
        for found in reading.found:
            if isinstance(found, Match):
                seen.take(found)
    return Survey(
        unit=unit,
        since=since,
        until=until,
        entries=seen.entries,
        matches={name: seen.matches[name] for name in packs if name in seen.matches},
        errors=tuple(sorted(seen.errors.values())),
        criticals=tuple(sorted(seen.criticals.values())),
        started=tuple(seen.starting or seen.started),
        failed=seen.failed,
        ended=seen.ended,
    )


@dataclass(slots=True)
class _Seen:
    """What was counted so far; an entry that several packs match is one, by its cursor."""

    entries: int = 0
    matches: dict[str, dict[RuleName, int]] = field(default_factory=dict)
    errors: dict[str, Usec] = field(default_factory=dict)
    criticals: dict[str, Usec] = field(default_factory=dict)
    starting: list[Usec] = field(default_factory=list)
    started: list[Usec] = field(default_factory=list)
    failed: int = 0
    ended: int = 0

    def count(self, tallies: Iterable[JobTally]) -> None:
        """The entries of the unit."""
        self.entries += sum(tally.entries for tally in tallies if tally.job == _RUNS)

    def take(self, match: Match) -> None:
        """One entry that one pack, or the records of runs, matched."""
        if match.job == _RUNS:
            self._take_record(match)
            return
        counts = self.matches.setdefault(match.job, {})
        for rule in match.rules:
            counts[rule] = counts.get(rule, 0) + 1
        if match.severity.at_least(Severity.ERROR):
            self.errors[match.cursor] = match.at
        if match.severity.at_least(Severity.CRITICAL):
            self.criticals[match.cursor] = match.at

    def _take_record(self, match: Match) -> None:
        if _STARTING in match.rules:
            self.starting.append(match.at)
        if _STARTED in match.rules:
            self.started.append(match.at)
        self.failed += _FAILED in match.rules
        self.ended += _ENDED in match.rules
