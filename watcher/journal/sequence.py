"""The order check: do the sequence numbers of the entries read say that none is missing?

Pure: knows numbers only, must not know readers or cursors. journald counts all entries of an instance with one
counter, over system and user files, though before systemd 254 each user file has a sequence id of its own. Files
written by systemd-journal-remote count each for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

REMEMBERED = 64
"""Sequence ids kept: a machine has a handful, each rotation after a crash and each user may bring one more."""


class Order:
    """Which numbers were read last, and whether a further one follows.

    `shared`: one counter for all sequence ids, as on a machine. Otherwise each sequence id counts for itself, and an
    unknown one may begin anywhere; files copied from a machine pass as well.
    """

    __slots__ = ("_last", "_lasts", "_shared")

    def __init__(self, *, shared: bool, last: int | None = None, lasts: Iterable[tuple[str, int]] = ()) -> None:
        self._shared = shared
        self._last = last
        self._lasts = dict(lasts)

    @property
    def last(self) -> int | None:
        """The last number, None before the first entry."""
        return self._last

    @property
    def lasts(self) -> tuple[tuple[str, int], ...]:
        """The last number of each sequence id, the most recent one last."""
        return tuple(self._lasts.items())

    def copy(self) -> Order:
        """The same, to come back to."""
        return Order(shared=self._shared, last=self._last, lasts=self._lasts.items())

    def knows_no_more_than(self, other: Order) -> bool:
        """Whether no sequence id has come since `other`, of which this is the later state, but those that it knew."""
        return self._lasts.keys() <= other._lasts.keys()

    def missing_before(self, sequence: str, number: int) -> int:
        """How many entries are missing between the last one and this one; 0 when it is in order.

        A number that goes back is a renumbering (journald killed, a flush, another file), not a hole.
        """
        known = self._lasts.get(sequence)
        if self._last is None or number == self._last + 1 or (known is not None and number == known + 1):
            return 0
        before = self._last if self._shared else known
        return 0 if before is None else max(number - before - 1, 0)

    def was_consumed(self, sequence: str, number: int) -> bool:
        """Whether an entry with this number was surely read before: its own sequence id has come farther."""
        return number <= self._lasts.get(sequence, -1)

    def accept(self, sequence: str, number: int) -> None:
        """This entry was read, in order or not."""
        self._last = number
        if self._lasts.pop(sequence, None) is None and len(self._lasts) >= REMEMBERED:
            del self._lasts[next(iter(self._lasts))]
        self._lasts[sequence] = number

    def follows_whole(self, ends: Mapping[str, int], *, entries: int) -> bool:
        """Whether `entries` further entries were surely all that there are.

        `ends` holds the number that each sequence id has come to, the one of the very last entry first; ids may be
        left out. Each id can't have had more entries than its number rose by; so if the sum is right, each one is.
        """
        if self._last is None or not ends:
            return False
        if self._shared:
            return next(iter(ends.values())) - self._last == entries
        rises = [number - self._lasts.get(sequence, number + 1) for sequence, number in ends.items()]
        return min(rises) >= 0 and sum(rises) == entries

    def accept_ends(self, ends: Mapping[str, int]) -> None:
        """The entries that `follows_whole` was asked about were read."""
        for sequence, number in reversed(tuple(ends.items())):
            self.accept(sequence, number)
