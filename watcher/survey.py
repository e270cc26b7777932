"""What the last days of a unit hold, seen through every rule pack: the ground for a first configuration of it.

The entries are read by the one scan, as live and in replay, with the rules of all packs at once. Knows rules and
instants, nothing of configuration files.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from watcher.core.duration import HOUR, MILLISECOND, Usec
from watcher.core.found import COUNTED_OUTCOMES, Found, JobTally, Match, RunBegan, RunEnded, RunOutcome
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.extent import read_extent
from watcher.journal.source import Source

ALWAYS = "systemd"
"""The pack of PID 1's records: it fits every unit."""
_JOB = JobName("survey")
_BETWEEN = "/"
_FEW = 3
_SAME = 10 * MILLISECOND
"""The lines of one trace are written at once."""
_DAY = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One unit over a span: how many entries, how it runs, and what the packs' rules matched, `errors` over all packs.

    `fits` are the packs that tell of something that no pack before them tells of, the most telling first.
    `errors` and `criticals` are instants of entries of that severity and worse, rising, each entry once.
    `matches` counts by pack and rule. `started` are instants at which runs began, `failed` and `ended` how they came
    out, `row` is the most of them that failed one after the other.
    """

    unit: str
    since: Usec
    until: Usec
    entries: int
    matches: Mapping[str, Mapping[RuleName, int]]
    fits: tuple[str, ...] = ()
    errors: tuple[Usec, ...] = ()
    criticals: tuple[Usec, ...] = ()
    started: tuple[Usec, ...] = ()
    failed: int = 0
    ended: int = 0
    row: int = 0

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


def fitting(instants: Mapping[str, Sequence[Usec]]) -> Iterator[str]:
    """The packs that are worth their place, by the rising instants of what each matched; ALWAYS if it matched at all.

    Several packs may see the same failure, each in another of its lines. So the pack with the most matches comes first
    (of two, the one that saw it first), and a later one must have matched something that stands alone.
    """
    taken: list[Usec] = []
    for name in sorted(instants, key=lambda name: (name != ALWAYS, -len(instants[name]), sum(instants[name]), name)):
        if name == ALWAYS or any(not _has_near(taken, at) for at in instants[name]):
            taken = sorted([*taken, *instants[name]])
            yield name


def _has_near(taken: Sequence[Usec], at: Usec) -> bool:
    """Whether one of the rising instants lies so near that both tell of the same."""
    place = bisect_left(taken, at - _SAME)
    return place < len(taken) and taken[place] <= at + _SAME


def survey(source: Source, unit: str, packs: Mapping[str, Iterable[Rule]], *, since: Usec, until: Usec) -> Survey:
    """Read the unit's entries. Raises JournalError, and PatternError for a unit that is none."""
    named = {_name(pack, rule.name): rule for pack, rules in packs.items() for rule in rules}
    rules = tuple(replace(rule, name=name) for name, rule in named.items())
    job = WatchedJob(name=_JOB, units=(unit,), identifiers=(), rules=rules)
    seen = _Seen(severities={name: rule.severity for name, rule in named.items()})
    for reading in read_extent(source, (job,), since=since, until=until):
        seen.count(reading.tallies)
        for found in reading.found:
            seen.take(found)
    fits = tuple(fitting({name: [match.at for match in seen.by_pack[name]] for name in seen.by_pack}))
    return Survey(
        unit=unit,
        since=since,
        until=until,
        entries=seen.entries,
        matches={name: seen.matches[name] for name in packs if name in seen.matches},
        fits=fits,
        errors=seen.instants_of(fits, Severity.ERROR),
        criticals=seen.instants_of(fits, Severity.CRITICAL),
        started=tuple(seen.started),
        failed=seen.outcomes.count(RunOutcome.FAILED),
        ended=seen.outcomes.count(RunOutcome.SUCCEEDED),
        row=_longest_row(seen.outcomes),
    )


@dataclass(slots=True)
class _Seen:
    """What was counted so far; an entry that several packs match is one, by its cursor."""

    severities: Mapping[RuleName, Severity]
    entries: int = 0
    matches: dict[str, dict[RuleName, int]] = field(default_factory=dict)
    by_pack: dict[str, list[Match]] = field(default_factory=dict)
    started: list[Usec] = field(default_factory=list)
    outcomes: list[RunOutcome] = field(default_factory=list)

    def count(self, tallies: Iterable[JobTally]) -> None:
        """The entries of the unit."""
        self.entries += sum(tally.entries for tally in tallies)

    def take(self, found: Found) -> None:
        """One thing that the scan found."""
        match found:
            case Match():
                self._match(found)
            case RunBegan():
                self.started.append(found.at)
            case RunEnded() if found.outcome in COUNTED_OUTCOMES:
                self.outcomes.append(found.outcome)
            case _:
                return

    def instants_of(self, packs: Sequence[str], severity: Severity) -> tuple[Usec, ...]:
        """Of the entries that these packs hold to be so bad or worse, rising, each entry once."""
        bad = (match for name in packs for match in self.by_pack[name] if match.severity.at_least(severity))
        return tuple(sorted({match.cursor: match.at for match in bad}.values()))

    def _match(self, match: Match) -> None:
        rules: dict[str, list[RuleName]] = {}
        for name in match.rules:
            rules.setdefault(name.partition(_BETWEEN)[0], []).append(name)
        for pack, names in rules.items():
            severity = next(one for one in Severity if any(self.severities[name] is one for name in names))
            self.by_pack.setdefault(pack, []).append(replace(match, severity=severity))
            counts = self.matches.setdefault(pack, {})
            for name in names:
                rule = RuleName(name.partition(_BETWEEN)[2])
                counts[rule] = counts.get(rule, 0) + 1


def _name(pack: str, rule: RuleName) -> RuleName:
    """A name that no other pack's rule has; no name of a pack or rule holds what stands between."""
    return RuleName(f"{pack}{_BETWEEN}{rule}")


def _longest_row(outcomes: Sequence[RunOutcome]) -> int:
    longest = row = 0
    for outcome in outcomes:
        row = row + 1 if outcome is RunOutcome.FAILED else 0
        longest = max(longest, row)
    return longest
