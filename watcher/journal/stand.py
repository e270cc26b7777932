"""Where a follower stands: the place up to which all is taken, and the numbers that the next entries must follow.

Knows positions, landing and numbers; must not know batches being read, rules or files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from systemd._reader import _Reader

from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.journal.batch import Stretch
from watcher.journal.landing import Landing, land_at, land_at_tail, land_from_head, land_past
from watcher.journal.position import Position, PositionError, since_cursor
from watcher.journal.sequence import Order

ERRORS = 3
"""After so many errors in a row at one place it is gone past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Where a follower leaves off, with the gaps that it has not told yet; a lost place is a `position` of None."""

    position: Position | None
    gaps: tuple[Gap, ...]
    is_lost: bool


class Stand:
    """A position that moves with each stretch that is taken, and that a reader is brought to again.

    `text` is the one to go on from, None for a first start: at the tail, or with `since` at that instant. `shared` as
    in `Order`, `began` as in `Position`. `order` is for whoever reads on; `forget` takes back what it has learnt.
    """

    def __init__(self, text: str | None, *, since: Usec | None, shared: bool, began: Usec | None) -> None:
        self._began = began
        self._position = None if since is None else Position(cursor=since_cursor(since))
        self._is_lost = False
        self._has_moved = False
        self._gaps: list[Gap] = []
        if text is not None:
            try:
                self._position = Position.from_text(text)
            except PositionError:
                self._is_lost = True
        known = self._position or Position(cursor="")
        self.order = Order(shared=shared, last=known.last, lasts=known.lasts)
        self._base = self.order.copy()

    @property
    def is_anywhere(self) -> bool:
        """Whether there is a place to go on from, be it one that can't be understood."""
        return self._position is not None or self._is_lost

    @property
    def cursor(self) -> str:
        """The last entry that was taken, or what stands for it."""
        return "" if self._position is None else self._position.cursor

    @property
    def carry(self) -> dict[str, Any]:
        """What the place carries that one goes on from."""
        return {} if self._position is None else dict(self._position.carry)

    @property
    def is_settled(self) -> bool:
        """Whether all was told of how one came to be here."""
        return not (self._has_moved or self._gaps)

    @property
    def has_met_others(self) -> bool:
        """Whether the order has learnt of a sequence id since the last stretch that was taken."""
        return not self.order.knows_no_more_than(self._base)

    def begin_at(self, at: Usec) -> None:
        """From that instant on everything is still to be read."""
        self._position, self._has_moved = Position(cursor=since_cursor(at)), True

    def place(self, reader: _Reader, *, errors: int, now: Usec) -> Landing:
        """Brings the reader to where its next step gives the first entry not taken yet.

        `errors`: so many in a row have come of this place. `now` ends a gap that nothing else ends, 0 without a clock.
        Raises OSError.
        """
        landing = self._land(reader, errors=errors, now=now)
        if self._position is None or landing.gap is not None or landing.cursor != self._position.cursor:
            self._has_moved = True
        self._move(landing.cursor, landing.consumed, {})
        if landing.gap is not None:
            self._gaps.append(landing.gap)
        self._is_lost = False
        return landing

    def stretch(self, *, limit: int) -> Stretch:
        """What is read from here on, `limit` entries at most."""
        consumed = 0 if self._position is None else self._position.consumed
        return Stretch(cursor=self.cursor, consumed=consumed, limit=limit)

    def gaps_told(self) -> tuple[Gap, ...]:
        """The gaps that came of finding the place, each once."""
        gaps, self._gaps = tuple(self._gaps), []
        return gaps

    def stir(self) -> None:
        """What is carried has changed, so that the position has to be told though it is the same."""
        self._has_moved = True

    def take(self, stretch: Stretch, carry: Mapping[str, Any]) -> str | None:
        """The stretch is taken: to its end as text, None if nothing has moved since the last one."""
        has_moved, self._has_moved = self._has_moved or stretch.cursor != self.cursor, False
        position = self._move(stretch.cursor, stretch.consumed, carry)
        return position.to_text() if has_moved else None

    def forget(self) -> None:
        """What was read since the last stretch that was taken is to be read again."""
        self.order = self._base.copy()

    def left(self, carry: Mapping[str, Any]) -> Left:
        """Where another one has to go on, after the last stretch that was taken."""
        position = self._position
        if position is not None:
            position = replace(position, last=self._base.last, lasts=self._base.lasts, carry=carry, began=self._began)
        return Left(position=position, gaps=self.gaps_told(), is_lost=self._is_lost)

    def _move(self, cursor: str, consumed: int, carry: Mapping[str, Any]) -> Position:
        self._position = position = Position(
            cursor=cursor,
            consumed=consumed,
            last=self.order.last,
            lasts=self.order.lasts,
            carry=carry,
            began=self._began,
        )
        self._base = self.order.copy()
        return position

    def _land(self, reader: _Reader, *, errors: int, now: Usec) -> Landing:
        position = self._position
        if self._is_lost:
            return land_from_head(reader, self.order, since=Usec(0), now=now)
        if position is None:
            return land_at_tail(reader, self.order)
        if errors >= ERRORS:
            past = land_past(reader, position, self.order, attempt=errors - ERRORS)
            if past is not None:
                return past
        try:
            return land_at(reader, position, self.order, now=now)
        except ValueError:
            return land_from_head(reader, self.order, since=position.at, now=now)
