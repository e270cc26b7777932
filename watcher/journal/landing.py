"""Finding a place in the journal again: seek, then look where one landed.

Knows readers and positions; must not know rules or batches. Seeking goes silently to the closest later entry, takes
effect at the next step only, and the number in a cursor may name another entry after a flush: so every seek here is
followed by a look at all parts of the cursor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from systemd._reader import _Reader

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.journal.position import (
    Position,
    instant_of,
    number_of,
    parse_cursor,
    realtime_of,
    since_cursor,
)
from watcher.journal.sequence import Order

MAX_AGE = Usec(7 * 24 * 3600 * SECOND)
"""How far before its newest entry a journal is read again when the position is lost."""

_STRIDES = (1, 1000, 30_000, SECOND, 60 * SECOND, 3600 * SECOND)
"""How far at least to go past a place where reading fails again: farther each time, then from the beginning."""
_FARTHEST = MAX_AGE
"""How far past such a place a readable entry is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The reader's next step gives the first entry not consumed yet.

    `cursor` and `consumed` are as in a Position. `gap` is set when the place was not found again. `saw_entry`: the
    journal let us see one.
    """

    cursor: str
    consumed: int
    gap: Gap | None = None
    saw_entry: bool = False


def land_at_tail(reader: _Reader, order: Order) -> Landing:
    """The first start: everything that is there counts as consumed."""
    reader.seek_tail()
    if not reader._previous():
        reader.seek_head()
        return Landing(cursor="", consumed=0)
    cursor = reader._get_cursor()
    order.accept(*number_of(cursor))
    return Landing(cursor=cursor, consumed=count_instant(reader, cursor), saw_entry=True)


def land_at(reader: _Reader, position: Position, order: Order, *, now: Usec) -> Landing:
    """Right after `position`; `now` ends the gap when nothing is left to land on."""
    if not position.is_entry:
        if position.cursor:
            reader.seek_cursor(position.cursor)
        else:
            reader.seek_head()
        return Landing(cursor=position.cursor, consumed=0)
    reader.seek_cursor(position.cursor)
    if not reader._next():
        return land_from_head(reader, order, since=realtime_of(position.cursor), now=now)
    landed = reader._get_cursor()
    if landed == position.cursor and not _is_renumbered(reader, position):
        return Landing(cursor=position.cursor, consumed=position.consumed, saw_entry=True)
    return _land_by_instant(reader, position, order) or _land_past_vanished(reader, position, order, landed)


def _is_renumbered(reader: _Reader, position: Position) -> bool:
    """Whether another one of several equal lines bears the saved number now: the lines before it tell."""
    if position.consumed <= 1:
        return False
    same, count = instant_of(position.cursor), 1
    while reader._previous():
        if instant_of(reader._get_cursor()) != same:
            break
        count += 1
    else:
        # older lines may have been vacuumed
        count = position.consumed
    reader.seek_cursor(position.cursor)
    reader._next()
    return count != position.consumed


def _land_by_instant(reader: _Reader, position: Position, order: Order) -> Landing | None:
    """The entry got another number (a flush does that): skip what was consumed of its instant. None: it is gone."""
    reader.seek_cursor(parse_cursor(position.cursor).by_instant)
    same, skipped, cursor = instant_of(position.cursor), 0, position.cursor
    while skipped < position.consumed and reader._next():
        landed = reader._get_cursor()
        if instant_of(landed) != same:
            if skipped:
                reader.seek_cursor(landed)
            break
        skipped, cursor = skipped + 1, landed
    if not skipped:
        return None
    order.accept(*number_of(cursor))
    return Landing(cursor=cursor, consumed=skipped, saw_entry=True)


def _land_past_vanished(reader: _Reader, position: Position, order: Order, landed: str) -> Landing:
    sequence, number = number_of(landed)
    known = any(sequence == other for other, _ in order.lasts)
    missing = order.missing_before(sequence, number) if known else None
    reader.seek_cursor(landed)
    # the gap is told here, so the order check must not tell it again
    order.accept(sequence, number - 1)
    gap = _gap(GapReason.CURSOR, realtime_of(position.cursor), realtime_of(landed), missing)
    return Landing(cursor=since_cursor(realtime_of(landed)), consumed=0, gap=gap, saw_entry=True)


def land_from_head(reader: _Reader, order: Order, *, since: Usec, now: Usec, max_age: Usec = MAX_AGE) -> Landing:
    """The position is lost: begin at the head, though not long ago, and pass what was surely consumed.

    `since` is the instant up to which everything had been read, 0 if nobody knows.
    """
    reader.seek_tail()
    if not reader._previous():
        reader.seek_head()
        return Landing(cursor="", consumed=0, gap=_gap(GapReason.CURSOR, since, max(since, now), None))
    reader.seek_realtime(max(reader._get_realtime() - max_age, 0))
    last = ""
    while reader._next():
        cursor = reader._get_cursor()
        if not order.was_consumed(*number_of(cursor)):
            reader.seek_cursor(cursor)
            gap = _gap(GapReason.CURSOR, since, realtime_of(cursor), None)
            stand = last or since_cursor(realtime_of(cursor))
            return Landing(cursor=stand, consumed=1 if last else 0, gap=gap, saw_entry=True)
        last = cursor
    gap = _gap(GapReason.CURSOR, since, max(since, now), None)
    consumed = count_instant(reader, last) if last else 0
    return Landing(cursor=last, consumed=consumed, gap=gap, saw_entry=True)


def land_past(reader: _Reader, position: Position, order: Order, *, attempt: int) -> Landing | None:
    """On the first entry past a place that can't be read, farther with each `attempt` (from 0). None: none is there.

    Entries can't be stepped over where stepping fails, so instants are tried: doubling to the first that can be read,
    then halving back to what cannot, for no sound neighbour to be lost.
    """
    bad = _STRIDES[attempt % len(_STRIDES)] - 1
    good = bad + 1
    while not (found := _lands(reader, position.at + good)):
        if found is None or good > _FARTHEST:
            return None
        bad, good = good, good * 2
    while good - bad > 1:
        middle = (good + bad) // 2
        bad, good = (bad, middle) if _lands(reader, position.at + middle) else (middle, good)
    if not _lands(reader, position.at + good):
        return None
    landed = reader._get_cursor()
    sequence, number = number_of(landed)
    missing = order.missing_before(sequence, number)
    order.accept(sequence, number - 1)
    reader.seek_cursor(landed)
    gap = _gap(GapReason.UNREADABLE, position.at, realtime_of(landed), missing or None)
    return Landing(cursor=since_cursor(realtime_of(landed)), consumed=0, gap=gap, saw_entry=True)


def _lands(reader: _Reader, at: int) -> bool | None:
    """Whether an entry at this instant or later can be read; None: there is none."""
    reader.seek_realtime(at)
    try:
        return True if reader._next() else None
    except OSError:
        return False


def count_instant(reader: _Reader, cursor: str, *, most: int | None = None) -> int:
    """How many entries, `cursor` the last of them, share its instant, `most` at most; the reader stands there again."""
    same, count = instant_of(cursor), 1
    while (most is None or count < most) and reader._previous() and instant_of(reader._get_cursor()) == same:
        count += 1
    stand_again(reader, cursor)
    return count


def stand_again(reader: _Reader, cursor: str) -> None:
    """Where the reader stood. A seek may land on an entry of the same instant in another file, which comes before."""
    reader.seek_cursor(cursor)
    same = instant_of(cursor)
    while reader._next():
        landed = reader._get_cursor()
        if landed == cursor or instant_of(landed) != same:
            return


def _gap(reason: GapReason, one: Usec, other: Usec, entries: int | None) -> Gap:
    # a clock set back turns the instants round
    return Gap(reason=reason, since=min(one, other), until=max(one, other), entries=entries)


def last_consumed(reader: _Reader, position: Position) -> Position | None:
    """The place of one host, whose entries alone `reader` sees, after they were read among others' up to `position`.

    By the last number of each sequence id, so that it is exact whatever the clocks said. None: none of it was read.
    """
    cursor, lasts = "", []
    for sequence, number in position.lasts:
        # by such an instant no entry of another sequence id comes before
        reader.seek_cursor(f"s={sequence};i={number:x};t=0")
        if not reader._previous():
            continue
        landed = reader._get_cursor()
        if number_of(landed)[0] == sequence:
            cursor = landed
            lasts.append(number_of(landed))
    if not lasts:
        return None
    reader.seek_cursor(cursor)
    reader._next()
    consumed = count_instant(reader, cursor)
    return replace(position, cursor=cursor, consumed=consumed, last=lasts[-1][1], lasts=tuple(lasts), began=None)
