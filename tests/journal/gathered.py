"""What a follower brings, step by step and all of it together, in the test's own process."""

from __future__ import annotations

import time
from typing import Self

from tests.journal.written import eventually
from watcher.journal.follow import Follower
from watcher.journal.hosts import Hosts
from watcher.journal.reading import Reading, joined


def now() -> int:
    """As journald stamps it."""
    return time.time_ns() // 1000


class Gathered:
    """A follower that is closed at the end, with everything that it has brought in `all`."""

    def __init__(self, follower: Follower | Hosts) -> None:
        self._steps = follower
        self.all: Reading | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._steps.close()

    def step(self) -> Reading:
        """One more reading."""
        reading = self._steps.step()
        self.all = reading if self.all is None else joined(self.all, reading)
        return reading

    def to_tail(self) -> Reading:
        """Reads until there is nothing more."""
        while not self.step().at_tail:
            pass
        assert self.all is not None
        return self.all

    def until(self, entries: int) -> Reading:
        """Reads until so many entries have come."""
        eventually(lambda: self.to_tail().entries >= entries)
        return self.to_tail()
