"""One attempt at a batch: read entries through the scanner and check by their numbers that none is missing.

Knows the raw reader, the scanner and the order check; must not know how a place is found again. Fast, with one cursor
at the end of many entries; or careful, with a look at each entry's own number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from systemd._reader import _Reader

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import MILLISECOND, Usec
from watcher.journal.landing import count_instant, stand_again
from watcher.journal.position import instant_of, number_of, realtime_of
from watcher.journal.probe import ProbingReader
from watcher.journal.scan import Scanner
from watcher.journal.sequence import Order

MATCHES = 500
FAST_ENTRIES = 4096
CAREFUL_ENTRIES = 500
"""Never more than MATCHES, so that a careful batch needs no count of its matches."""
CHUNK = 512
"""After so many entries deleted files are let go."""
REPAIRS = 3
LOOKED_BACK = 32
"""Writers that take turns show within so many entries."""
HALF_WRITTEN = Usec(200 * MILLISECOND)
_FLUSHED = b"Time spent on flushing"

Absent = Callable[[str, int, int], int | None]
"""How many entries of a sequence id, from one number to before another, are missing and not just another host's.

None: there are so many that it has to be asked again.
"""


@dataclass(slots=True, kw_only=True)
class Stretch:
    """One attempt: begins right after `cursor` and moves it; `consumed` entries share its instant, itself included.

    `again`: it is not whole, and to be thrown away; the next attempt takes `limit` entries at most. `asked_at`: when
    the journal said that there was nothing more. `finished`: the next entry lies past the end.
    """

    cursor: str
    consumed: int
    limit: int
    entries: int = 0
    at_tail: bool = False
    asked_at: Usec | None = None
    gaps: list[Gap] = field(default_factory=list)
    again: bool = False
    finished: bool = False

    @property
    def last_at(self) -> Usec | None:
        """The instant of the entry that it ends with, None if it ends at none."""
        return realtime_of(self.cursor) if self.cursor.startswith("s=") else None

    @property
    def instant(self) -> str | None:
        """Boot and monotonic time of that entry."""
        return instant_of(self.cursor) if self.cursor.startswith("s=") else None

    def refuse(self, *, keep: int) -> None:
        """Not whole: to be read again, `keep` entries of it at most."""
        self.again, self.limit = True, keep


class BatchReader:
    """Reads stretches; keeps what it has tried in vain, so that a hole that stays is told once and passed.

    `absent` is for a reader that sees the entries of one host only: what seems a hole there may be another host's.
    """

    def __init__(
        self,
        scanner: Scanner,
        *,
        clock: Callable[[], int] | None,
        until: Usec | None,
        absent: Absent | None = None,
    ) -> None:
        self._scanner = scanner
        self._absent = absent
        self._clock = clock
        self.until = until
        self._holes: dict[tuple[str, int], int] = {}
        self._half_written = ""

    def read(self, reader: _Reader, order: Order, stretch: Stretch, *, careful: bool) -> None:
        """Reads on from where the reader stands, which is right after the stretch's cursor.

        Raises OSError: the very first entry can't be read.
        """
        if careful:
            self._read_careful(reader, order, stretch)
        else:
            self._read_fast(reader, order, stretch)

    def settle(self) -> None:
        """The batch is taken: forget what was tried for it."""
        self._holes.clear()

    def _read_fast(self, reader: _Reader, order: Order, stretch: Stretch) -> None:
        try:
            while stretch.entries < stretch.limit:
                chunk = min(CHUNK, stretch.limit - stretch.entries)
                got = self._scanner.scan(reader, entries=chunk, matches=MATCHES)
                stretch.entries += got
                if got < chunk:
                    break
                if stretch.entries < stretch.limit:
                    reader.process()
            stretch.at_tail = stretch.entries == 0
            if not stretch.at_tail:
                self._check_whole(reader, order, stretch)
        except OSError:
            # where it happened shows only entry by entry
            stretch.refuse(keep=CAREFUL_ENTRIES)

    def _check_whole(self, reader: _Reader, order: Order, stretch: Stretch) -> None:
        cursor = reader._get_cursor()
        late = self.until is not None and realtime_of(cursor) >= self.until
        ends = dict([number_of(cursor)])
        is_whole = order.follows_whole(ends, entries=stretch.entries)
        if not is_whole and not late and len(order.lasts) > 1:
            ends = _ends(reader, cursor, most=min(stretch.entries, LOOKED_BACK))
            is_whole = order.follows_whole(ends, entries=stretch.entries)
        if late or not is_whole:
            stretch.refuse(keep=stretch.entries)
            return
        order.accept_ends(ends)
        count = count_instant(reader, cursor, most=stretch.entries)
        if count == stretch.entries and stretch.instant == instant_of(cursor):
            count += stretch.consumed
        stretch.cursor, stretch.consumed = cursor, count

    def _read_careful(self, reader: _Reader, order: Order, stretch: Stretch) -> None:
        same = stretch.instant
        while stretch.entries < stretch.limit:
            now = None if self._clock is None else Usec(self._clock())
            try:
                got = self._scanner.scan(reader, entries=1, matches=stretch.limit + 1)
                _note_passed(reader, order, stretch)
                if not got:
                    stretch.at_tail, stretch.asked_at = True, now
                    return
                cursor = reader._get_cursor()
            except OSError:
                if not stretch.entries:
                    raise
                stretch.refuse(keep=stretch.entries)
                return
            self._judge(reader, order, stretch, cursor, now)
            if stretch.again:
                return
            instant = instant_of(cursor)
            stretch.consumed = stretch.consumed + 1 if instant == same else 1
            same, stretch.cursor = instant, cursor
            stretch.entries += 1

    def _judge(self, reader: _Reader, order: Order, stretch: Stretch, cursor: str, now: Usec | None) -> None:
        """Takes the entry's number, or refuses the stretch: it must be read again without this entry, or whole."""
        at = realtime_of(cursor)
        if self.until is not None and at >= self.until:
            stretch.finished = stretch.entries == 0
            stretch.refuse(keep=stretch.entries)
        elif now is not None and at > now - HALF_WRITTEN and self._is_half_written(reader, cursor):
            stretch.refuse(keep=stretch.entries)
        else:
            self._check_order(reader, order, stretch, cursor)

    def _is_half_written(self, reader: _Reader, cursor: str) -> bool:
        """An entry that is just being written may lack its MESSAGE (systemd#40263); it gets one more chance."""
        try:
            reader._get("MESSAGE")
        except KeyError:
            known, self._half_written = self._half_written, cursor
            return cursor != known
        return False

    def _check_order(self, reader: _Reader, order: Order, stretch: Stretch, cursor: str) -> None:
        sequence, number = number_of(cursor)
        missing: int | None = order.missing_before(sequence, number)
        if missing and self._absent is not None:
            missing = self._absent(sequence, number - missing, number)
            if missing is None:
                stretch.refuse(keep=stretch.entries)
                return
        if missing and not (missing == 1 and _is_flush(reader)):
            tries = self._holes.get((sequence, number), 0)
            if tries < REPAIRS:
                # seeking to the start makes the library look into every file again: the missing entry is there then
                self._holes[sequence, number] = tries + 1
                stretch.refuse(keep=stretch.limit)
                return
            at = realtime_of(cursor)
            since = at if stretch.last_at is None else stretch.last_at
            gap = Gap(reason=GapReason.MISSING, since=min(since, at), until=max(since, at), entries=missing)
            stretch.gaps.append(gap)
        order.accept(sequence, number)


def _ends(reader: _Reader, cursor: str, *, most: int) -> dict[str, int]:
    """The last number of each sequence id among the `most` entries up to `cursor`; the reader stands there again."""
    ends = dict([number_of(cursor)])
    for _ in range(most - 1):
        if not reader._previous():
            break
        sequence, number = number_of(reader._get_cursor())
        ends.setdefault(sequence, number)
    stand_again(reader, cursor)
    return ends


def _note_passed(reader: _Reader, order: Order, stretch: Stretch) -> None:
    """The probing reader passed what killed it before."""
    if not isinstance(reader, ProbingReader):
        return
    for passed in reader.passed:
        stretch.gaps.append(passed.gap)
        order.accept(passed.sequence, passed.number)
        if passed.cursor:
            stretch.cursor, stretch.consumed = passed.cursor, 1
    reader.passed.clear()


def _is_flush(reader: _Reader) -> bool:
    """Tells journald's own line: its flush takes a number that no file gets."""
    try:
        return reader._get("_TRANSPORT") == b"driver" and reader._get("MESSAGE").startswith(_FLUSHED)
    except KeyError:
        return False
