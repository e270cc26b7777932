"""Which rules match which entries: the one scanner over lines, recorded entries or the journal, and what it left over.

A rule without a name that matches every entry is put behind the rules, so that the scanner also tells of those that no
rule counts; what it says of the others is what it would say without. Nothing is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.fingerprint import fingerprint, mask
from watcher.core.found import Match
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.extent import read_extent
from watcher.journal.keeping import KeepingReader, Kept
from watcher.journal.matcher import Matcher, number_of
from watcher.journal.memory import MemoryEntry, MemoryReader
from watcher.journal.reading import Reading
from watcher.journal.recorded import LINES_UNIT
from watcher.journal.said import said_in
from watcher.journal.scan import Scanner
from watcher.journal.source import Source

MOST_KINDS: Final = 10_000
"""Kinds of unmatched lines that are told apart; what comes later is counted together."""
KEPT_SAMPLES: Final = 5
KEPT_UNMATCHED: Final = 20
_LONGEST: Final = 4096
_EVERY = RuleName("")
_BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One entry as it can be shown: its text is hostile."""

    at: Usec
    text: str


@dataclass(slots=True)
class Hits:
    """What one rule counted: how often, and the first samples."""

    count: int = 0
    samples: list[Sample] = field(default_factory=list)


@dataclass(slots=True)
class Kind:
    """Unmatched entries of one fingerprint: how many, different samples, and the worst PRIORITY seen.

    Of lines that are data, `level` is the name and value of their level, and `template` is that of their message, or
    `marks` are fields that they have in common instead.
    """

    template: str
    level: tuple[str, str] | None = None
    marks: tuple[tuple[str, str], ...] = ()
    count: int = 0
    samples: list[Sample] = field(default_factory=list)
    priority: int | None = None


@dataclass(slots=True)
class Matching:
    """What came of it so far.

    Of all `entries` of the job some matched, some were joined to those, `again` fired only rules that count a run once,
    and `unmatched` are the rest. With `groups`, which cost more than all else, these are also grouped: `kinds` by their
    fingerprints, `other_kinds` are entries of those past MOST_KINDS. `first_unmatched` are the first few of them.
    """

    rules: Sequence[Rule]
    groups: bool = True
    entries: int = 0
    matched: int = 0
    again: int = 0
    unmatched: int = 0
    hits: dict[str, Hits] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    other_kinds: int = 0
    first_unmatched: list[Sample] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    _once: Matcher | None = field(init=False)

    def __post_init__(self) -> None:
        once = [rule for rule in self.rules if rule.once is not None]
        self._once = Matcher(once) if once else None

    @property
    def joined(self) -> int:
        """Entries that belong to a match before them, and the few that hold no text at all."""
        return self.entries - self.matched - self.again - self.unmatched

    def take(self, found: Iterable[Match], fields_of: Callable[[str], Mapping[str, bytes]], *, entries: int) -> None:
        """Counts what the scanner found among so many entries of the job; `fields_of` gives an entry by its cursor."""
        self.entries += entries
        for match in found:
            fields = fields_of(match.cursor)
            named = [rule for rule in match.rules if rule != _EVERY]
            if named:
                self.matched += 1
                for rule in named:
                    self._hit(rule, match.at, fields)
            elif self._once is not None and self._once.hits(fields.get("MESSAGE"), fields.get):
                self.again += 1
            else:
                self._leave(match.at, fields)

    def _hit(self, rule: str, at: Usec, fields: Mapping[str, bytes]) -> None:
        hits = self.hits.setdefault(rule, Hits())
        hits.count += 1
        if len(hits.samples) < KEPT_SAMPLES:
            hits.samples.append(_sample(at, fields))

    def _leave(self, at: Usec, fields: Mapping[str, bytes]) -> None:
        self.unmatched += 1
        if len(self.first_unmatched) < KEPT_UNMATCHED:
            self.first_unmatched.append(_sample(at, fields))
        if self.groups:
            self._group(_sample(at, fields), number_of(fields.get("PRIORITY"), digits=1))

    def _group(self, sample: Sample, priority: int | None) -> None:
        said = said_in(sample.text.encode("utf-8", "replace"))
        said_by = str(said.marks) if said.marks else fingerprint(said.text).key
        key = f"{said_by} {'' if said.level is None else said.level[1]}"
        kind = self.kinds.get(key)
        if kind is None:
            if len(self.kinds) >= MOST_KINDS:
                self.other_kinds += 1
                return
            kind = self.kinds[key] = Kind(
                mask(said.text if said.message is None else said.message), said.level, said.marks
            )
        kind.count += 1
        if priority is not None:
            kind.priority = priority if kind.priority is None else min(kind.priority, priority)
        if len(kind.samples) < KEPT_SAMPLES and sample.text not in [one.text for one in kind.samples]:
            kind.samples.append(sample)


def _sample(at: Usec, fields: Mapping[str, bytes]) -> Sample:
    return Sample(at=at, text=fields.get("MESSAGE", b"")[:_LONGEST].decode("utf-8", "replace"))


def match_recorded(job: WatchedJob, entries: Iterable[MemoryEntry], *, groups: bool = True) -> Matching:
    """Entries from a stream, in their order. An entry that has no unit gets that of lines."""
    matching = Matching(rules=job.rules, groups=groups)
    scanner = Scanner((_with_every(job),), by_host=True)
    batch: list[MemoryEntry] = []
    reader = MemoryReader(_with_unit(entries, batch))
    while scanner.scan(reader, entries=_BATCH, matches=_BATCH + 1):
        tally = scanner.drain()
        first = reader.place + 1 - len(batch)

        def fields_of(cursor: str, first: int = first) -> dict[str, bytes]:
            return {name: values[0] for name, values in batch[int(cursor) - first].fields.items()}

        found = [one for one in tally.found if isinstance(one, Match)]
        matching.take(found, fields_of, entries=sum(one.entries for one in tally.tallies))
        matching.gaps += tally.gaps
        batch.clear()
    return matching


def match_journal(
    job: WatchedJob,
    source: Source,
    *,
    since: Usec,
    until: Usec,
    seen: Callable[[Reading], None],
    groups: bool = True,
) -> Matching:
    """A range of the journal, read as a replay reads it; `seen` hears of each batch.

    Raises JournalError.
    """
    matching = Matching(rules=job.rules, groups=groups)
    kept: dict[str, Kept] = {}
    make = partial(KeepingReader, kept=kept)
    for reading in read_extent(source, (_with_every(job),), since=since, until=until, make=make):
        found = [one for one in reading.found if isinstance(one, Match)]
        matching.take(found, kept.__getitem__, entries=sum(one.entries for one in reading.tallies))
        matching.gaps += reading.gaps
        kept.clear()
        seen(reading)
    return matching


def job_for(rules: Iterable[Rule], *, units: Sequence[str], identifiers: Sequence[str] = ()) -> WatchedJob:
    """A job that was not configured: these rules on entries of these units."""
    return WatchedJob(name=JobName("match"), units=tuple(units), identifiers=tuple(identifiers), rules=tuple(rules))


def rules_for_lines(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules as a line of text can be asked: whatever `where` asks beside its PRIORITY is taken as met.

    As for a rule's own tests: a line says nothing about its sender.
    """
    return tuple(
        replace(
            rule,
            where=tuple(condition for condition in rule.where if condition.field == "PRIORITY"),
            message_id=rule.message_id if rule.match is None and not rule.fields else None,
        )
        for rule in rules
    )


def _with_every(job: WatchedJob) -> WatchedJob:
    return replace(job, rules=(*job.rules, Rule(name=_EVERY, severity=Severity.INFO, match="")))


def _with_unit(entries: Iterable[MemoryEntry], batch: list[MemoryEntry]) -> Iterator[MemoryEntry]:
    for entry in entries:
        known = entry.fields.get("_SYSTEMD_UNIT")
        whole = entry if known else replace(entry, fields={**entry.fields, "_SYSTEMD_UNIT": (LINES_UNIT,)})
        batch.append(whole)
        yield whole
