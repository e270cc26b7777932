"""What is missing at the very end of a numbering, by what the journal files say of themselves.

A hole is seen by the number of the next entry. Where none follows, as after a power cut, the head of the file still
names its last. Knows files and the raw reader. Layout: https://systemd.io/JOURNAL_FILE_FORMAT/
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from systemd._reader import _Reader

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.journal.folders import files_of
from watcher.journal.landing import last_by_number
from watcher.journal.position import number_of, realtime_of
from watcher.journal.source import Source

_log = logging.getLogger(__name__)

SETTLED: Final = Usec(2 * SECOND)
"""A writer counts an entry before it can be read; after so long it must be there."""
MOST_MISSING: Final = 10_000_000
"""What says that more are missing may be damaged itself: then nobody knows how many."""

_HEAD: Final = struct.Struct("<8s8xB55x16s72xQ16xQQ")
"""Signature, state, sequence id, number of the last entry, instants of the first and the last."""
_ONLINE: Final = 1
_SIGNATURE: Final = b"LPKSHHRH"


class Tail(NamedTuple):
    """The last entry of a numbering: its number, and the span of the file that holds it; whether that is at work."""

    number: int
    since: Usec
    until: Usec
    is_online: bool


class Landed(NamedTuple):
    """The last entry of a numbering that can be read; number 0: none can be, or nobody knows."""

    number: int
    at: Usec


class Lost(NamedTuple):
    """What can't be read of the end of a numbering, up to its last number."""

    sequence: str
    number: int
    gap: Gap


def ends_lost(
    reader: _Reader, source: Source, *, since: Usec, known: Mapping[str, int], now: Usec | None
) -> tuple[Lost, ...]:
    """The numberings of which the last entries can't be read, though some were written after `since`.

    `known` are the numbers up to which all was read, or was told of before. With `now` a file that is just being
    written is left alone, as its next entry tells. Moves the reader.
    """
    found: list[Lost] = []
    for sequence, tail in sorted(_tails(source).items(), key=lambda one: one[1].number, reverse=True):
        is_new = tail.until >= since and tail.number > known.get(sequence, 0)
        if not is_new and not source.is_machine:
            continue
        landed = _last_read(reader, sequence, tail, known)
        if landed is None:
            continue
        is_growing = tail.is_online and now is not None and tail.until >= now - SETTLED
        if is_new and not is_growing and tail.number > landed.number:
            found.append(Lost(sequence, tail.number, _gap(landed, tail)))
        if source.is_machine:  # one counter for all: what ends before its last number shows by the numbers
            break
    return tuple(found)


def told_before(carried: object) -> dict[str, int]:
    """The numbers that a place carries, by sequence id; what is malformed is left out."""
    known = carried if isinstance(carried, dict) else {}
    return {name: number for name, number in known.items() if type(name) is str and type(number) is int}


def _last_read(reader: _Reader, sequence: str, tail: Tail, known: Mapping[str, int]) -> Landed | None:
    """The last entry that can be read of a numbering; None: nothing shows that it is one which the reader reads."""
    try:
        landed = last_by_number(reader, sequence, tail.number)
    except OSError as error:
        _log.warning("the end of numbering %s can't be looked at: %s", sequence, error)
        return Landed(0, tail.since)
    if landed is not None:
        return Landed(number_of(landed)[1], realtime_of(landed))
    return Landed(0, tail.since) if sequence in known else None


def _gap(landed: Landed, tail: Tail) -> Gap:
    missing = tail.number - landed.number
    is_known = landed.number > 0 and missing <= MOST_MISSING
    since = min(landed.at, tail.until)
    return Gap(reason=GapReason.MISSING, since=since, until=tail.until, entries=missing if is_known else None)


def _tails(source: Source) -> dict[str, Tail]:
    """The last entry of each numbering. What is no journal file, or can't be read, is left out."""
    tails: dict[str, Tail] = {}
    for path in files_of(source):
        found = _tail(path)
        if found is not None:
            sequence, tail = found
            tails[sequence] = max(tails.get(sequence, tail), tail)
    return tails


def _tail(path: Path) -> tuple[str, Tail] | None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
    except OSError:  # gone, or not for us: then its entries are not for us either
        return None
    if len(head) < _HEAD.size:
        return None
    signature, state, sequence, number, since, until = _HEAD.unpack(head)
    if signature != _SIGNATURE or not number:
        return None
    return sequence.hex(), Tail(number, Usec(min(since, until)), Usec(until), state == _ONLINE)
