"""Where the reader stands in the journal: the last entry consumed, and what it takes to find that place again.

Knows the texts of cursors and positions only; must not know readers. A cursor is the journal's
`s=<sequence id>;i=<number>;b=<boot>;m=<monotonic>;t=<realtime>;x=<hash>`, numbers in hex
(systemd: src/libsystemd/sd-journal/sd-journal.c, `sd_journal_get_cursor`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watcher.core.duration import Usec
from watcher.core.errors import WatcherError

VERSION = 1


class PositionError(WatcherError):
    """A text that is no cursor or no position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The parts of a full cursor: which numbering, which number in it, and the three clocks' and content's share."""

    sequence: str
    number: int
    boot: str
    monotonic: int
    realtime: Usec
    digest: str

    @property
    def instant(self) -> tuple[str, int]:
        """Boot and monotonic time: what all lines share that journald took in with one read."""
        return self.boot, self.monotonic

    @property
    def by_instant(self) -> str:
        """A cursor without the number: seeking it lands on the first entry of this instant."""
        return f"b={self.boot};m={self.monotonic:x};t={self.realtime:x}"


def parse_cursor(text: str) -> Cursor:
    """The parts of a cursor as the journal gives it, all six there.

    Raises PositionError.
    """
    parts = dict(item.split("=", 1) for item in text.split(";") if "=" in item)
    try:
        return Cursor(
            sequence=parts["s"],
            number=int(parts["i"], 16),
            boot=parts["b"],
            monotonic=int(parts["m"], 16),
            realtime=Usec(int(parts["t"], 16)),
            digest=parts["x"],
        )
    except (KeyError, ValueError) as error:
        raise PositionError(f'"{text[:120]}" is not a journal cursor') from error


def number_of(cursor: str) -> tuple[str, int]:
    """Sequence id and number of a cursor from the journal itself: the few cheap cuts that each entry can afford."""
    end = cursor.index(";b=")
    place = cursor.index(";i=")
    return cursor[2:place], int(cursor[place + 3 : end], 16)


def instant_of(cursor: str) -> str:
    """Boot and monotonic time of a cursor from the journal itself, as text: equal for entries of one instant."""
    return cursor[cursor.index(";b=") : cursor.index(";t=")]


def realtime_of(cursor: str) -> Usec:
    """Realtime of a cursor from the journal itself."""
    place = cursor.index(";t=")
    return Usec(int(cursor[place + 3 : cursor.index(";x=")], 16))


def clocks_of(cursor: str) -> tuple[str, int, int]:
    """Boot, monotonic and realtime of a cursor from the journal itself."""
    boot, monotonic, realtime, end = (cursor.index(part) for part in (";b=", ";m=", ";t=", ";x="))
    return cursor[boot + 3 : monotonic], int(cursor[monotonic + 3 : realtime], 16), int(cursor[realtime + 3 : end], 16)


def since_cursor(at: Usec) -> str:
    """A cursor that names no entry, just an instant: everything at or after it is still to be read."""
    return f"t={max(at, 0):x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Everything up to and with `cursor` is consumed.

    `cursor` may also be "" (nothing is: begin at the head) or `t=…` (nothing from that instant on is).
    `consumed` is how many entries of the cursor's instant are consumed, itself included. `last` is the last sequence
    number, `lasts` that of each sequence id, the most recent one last. `carry` is the scanner's. `began` is when
    this state began to read a directory, None where that does not matter.
    """

    cursor: str
    consumed: int = 0
    last: int | None = None
    lasts: tuple[tuple[str, int], ...] = ()
    carry: Mapping[str, Any] = field(default_factory=dict)
    began: Usec | None = None

    @property
    def is_entry(self) -> bool:
        """Whether the cursor names an entry, and not the head or an instant."""
        return self.cursor.startswith("s=")

    @property
    def at(self) -> Usec:
        """The instant that the cursor names, 0 for the head."""
        if self.is_entry:
            return parse_cursor(self.cursor).realtime
        return Usec(int(self.cursor.removeprefix("t="), 16)) if self.cursor else Usec(0)

    def to_text(self) -> str:
        """The position as one line of JSON, for `from_text`."""
        data = {
            "v": VERSION,
            "cursor": self.cursor,
            "n": self.consumed,
            "last": self.last,
            "lasts": [list(pair) for pair in self.lasts],
            "carry": dict(self.carry),
        }
        if self.began is not None:
            data["began"] = self.began
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Position:
        """The position that `to_text` wrote.

        Raises PositionError: not such a text, whatever is wrong with it.
        """
        try:
            data = json.loads(text)
            position = cls(
                cursor="" + data["cursor"],
                consumed=int(data["n"]),
                last=None if data["last"] is None else int(data["last"]),
                lasts=tuple((str(sequence), int(number)) for sequence, number in data["lasts"]),
                carry=dict(data["carry"]),
                began=None if data.get("began") is None else Usec(int(data["began"])),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise PositionError(f'"{text[:120]}" is not a journal position') from error
        if data.get("v") != VERSION:
            raise PositionError(f"journal position of version {data.get('v')!r} is unknown")
        _check(position)
        return position


def _check(position: Position) -> None:
    cursor = position.cursor
    if cursor.startswith("t="):
        try:
            int(cursor.removeprefix("t="), 16)
        except ValueError as error:
            raise PositionError(f'"{cursor[:120]}" names no instant') from error
    elif cursor:
        parse_cursor(cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a reader is: at the entry `cursor`, or (`stepping`) on the way from there to the next one."""

    cursor: str
    stepping: bool
