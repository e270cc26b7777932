"""One of several hosts whose entries are in a directory: its follower, and what was heard of it last.

Knows followers; must not know the other hosts.
"""

from __future__ import annotations

from watcher.core.coverage import Gap
from watcher.core.duration import MILLISECOND, SECOND, Usec
from watcher.journal.follow import Follower
from watcher.journal.opening import JournalError
from watcher.journal.position import Position, PositionError
from watcher.journal.reading import Reading

FIRST_REST, LONGEST_REST = Usec(100 * MILLISECOND), Usec(5 * SECOND)
"""How long a host that can't be read is left alone, while others can."""


class Host:
    """`follower` reads on from the text `position`; a host without a place is read from the instant `began` on."""

    def __init__(self, host: str, follower: Follower, position: str | None, *, began: Usec) -> None:
        self.host = host
        self.follower = follower
        self.text = position or None
        self.read_until = _reached(position, began)
        self.at_tail = False
        self.trouble = ""
        self.rests_until = Usec(0)
        self._rest = FIRST_REST

    def step(self) -> Reading:
        """Raises JournalError."""
        reading = self.follower.step()
        self.read_until, self.at_tail = reading.read_until, reading.at_tail
        if reading.position is not None:
            self.text = reading.position
        self.trouble, self.rests_until, self._rest = "", Usec(0), FIRST_REST
        return reading

    def rest(self, now: Usec, error: JournalError) -> None:
        """It can't be read now: leave it alone for a while, longer each time."""
        self.trouble = f"{error.message} ({error.hint})" if error.hint else error.message
        self.rests_until, self._rest = Usec(now + self._rest), Usec(min(self._rest * 2, LONGEST_REST))
        self.at_tail = False

    def leave(self) -> tuple[str | None, tuple[Gap, ...]]:
        """Ends its follower: where it stood, and what it had still to tell."""
        left = self.follower.left()
        return (self.text if left.position is None else left.position.to_text()), left.gaps


def _reached(position: str | None, began: Usec) -> Usec:
    """How far a host is known to be read before its first reading."""
    try:
        return Position.from_text(position).at if position else began
    except PositionError:  # its follower deals with that
        return began
