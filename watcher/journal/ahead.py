"""How many entries lie ahead up to the end of a range: so that a batch ends there, and need not be read twice.

A hint and no more: what a batch may hold is decided by what is read. Knows the raw reader and numbers; must not know
batches.
"""

from __future__ import annotations

from systemd._reader import _Reader

from watcher.core.duration import Usec
from watcher.journal.position import number_of
from watcher.journal.sequence import Order


class Ahead:
    """The number of the first entry at or past the end of a range, while it is of use."""

    def __init__(self) -> None:
        self._end: tuple[str, int] | None = None
        self._is_near = False

    def find(self, reader: _Reader, until: Usec) -> None:
        """Look for the end; moves the reader. Raises OSError."""
        reader.seek_realtime(until)
        self._end, self._is_near = (number_of(reader._get_cursor()) if reader._next() else None), False

    def most(self, order: Order, *, at_once: int) -> int:
        """So many entries can be read without going past the end, `at_once` at most; 0: look at each from now on.

        Where several writers take turns the numbers tell less. So each distance is believed once.
        """
        if self._is_near:
            self._end, self._is_near = None, False
            return 0
        if self._end is None or order.last is None or order.lasts[-1][0] != self._end[0]:
            return at_once
        left = max(self._end[1] - 1 - order.last, 0)
        if left <= at_once:
            self._is_near = True
        return min(left, at_once)
