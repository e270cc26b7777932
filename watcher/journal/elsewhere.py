"""Entries that are a job's although another unit wrote them: found before a range is read, by libsystemd's own matches.

They are few, and to ask each entry of another unit whether it is one costs two fetches. So a bounded range asks only
those that share an instant with one. Knows the matches of `journalctl -u`; must not know rules or what is counted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from systemd._reader import _Reader

from watcher.core.duration import HOUR, Usec
from watcher.core.rule import WatchedJob
from watcher.journal.matcher import CORE_DUMPED
from watcher.journal.opening import JournalError, open_journal
from watcher.journal.source import Source
from watcher.journal.units import JobUnits

SETTLED: Final = Usec(HOUR)
"""What is older than the journal's newest entry by this is taken to have arrived; younger entries are asked one by one.

So long because files of other hosts come late.
"""
MOST: Final = 100_000
"""Of so many instants the list is kept, about 10 MiB; with more of them, each entry is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """At what `instants` such entries stand, of all that are stamped before `before`."""

    before: Usec
    instants: Collection[int]


_SAID_BY: Final = (
    ((b"_PID=1",), b"UNIT="),
    ((b"_UID=0",), b"OBJECT_SYSTEMD_UNIT="),
    ((b"_UID=0", b"MESSAGE_ID=" + CORE_DUMPED), b"COREDUMP_UNIT="),
)
UNKNOWN: Final = Elsewhere(before=Usec(0), instants=frozenset())
"""Nothing was looked for: each entry is to be asked."""


def find_elsewhere(source: Source, jobs: Sequence[WatchedJob], *, until: Usec) -> Elsewhere:
    """Such entries of all jobs up to the first at or past `until`.

    UNKNOWN where that can't be said in advance: a glob (all values of fields that anybody may write would have to be
    fetched), a slice, too many entries, a journal that can't be read (whoever reads it next will say so).
    Raises PatternError.
    """
    units = JobUnits([job.units for job in jobs])
    names, identifiers = units.names, {identifier for job in jobs for identifier in job.identifiers}
    if names is None or units.own_slices or not (names or identifiers):
        return UNKNOWN
    try:
        with closing(open_journal(source)) as reader:
            reader.seek_tail()
            if not reader._previous():
                return UNKNOWN
            before = min(reader._get_realtime() - SETTLED, until)
            _match(reader, names, [identifier.encode() for identifier in identifiers])
            instants = _instants(reader, until)
    except (OSError, JournalError):
        return UNKNOWN
    return UNKNOWN if instants is None else Elsewhere(before=Usec(before), instants=instants)


def _match(reader: _Reader, names: Sequence[bytes], identifiers: Sequence[bytes]) -> None:
    """Values of one field are alternatives, several fields go together, a disjunction begins anew.

    After `add_matches_for_unit` in systemd's src/shared/logs-show.c, without `_SYSTEMD_UNIT`.
    """
    for believed, field in _SAID_BY if names else ():
        for match in (*believed, *(field + name for name in names)):
            reader.add_match(match)
        reader.add_disjunction()
    for identifier in identifiers:
        reader.add_match(b"SYSLOG_IDENTIFIER=" + identifier)


def _instants(reader: _Reader, until: Usec) -> frozenset[int] | None:
    """From the head on: where a clock was set back, a seek among matches may land elsewhere than one among all."""
    reader.seek_head()
    instants: set[int] = set()
    while reader._next() and (at := reader._get_realtime()) < until:
        instants.add(at)
        if len(instants) > MOST:
            return None
    return frozenset(instants)
