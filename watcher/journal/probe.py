"""Finding the entry that kills the reader: say where one is before each step, and pass an entry without reading it.

Knows the raw reader; must not know pipes or batches.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from systemd._reader import _Reader

from watcher.core.coverage import Gap, GapReason
from watcher.journal.position import Spot, number_of, realtime_of

_ACTIONS = {"kill": signal.SIGKILL, "bus": signal.SIGBUS, "stop": signal.SIGSTOP}
_BROKEN = "broken"

Announce = Callable[[Spot | None], None]
"""Takes the spot that is about to be read; None: nothing is being read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What was passed unread, and the number with which the order goes on; `cursor` is "" if it can't be known."""

    gap: Gap
    sequence: str
    number: int
    cursor: str = ""


class ProbingReader(_Reader):
    """A raw reader that announces each spot, and passes the pinned ones.

    A pinned entry is stepped over; if already the step killed, it is left out by a seek to the next instant.
    """

    def __init__(self, *args: Any, announce: Announce, pinned: Collection[Spot] = (), **named: Any) -> None:
        super().__init__(*args, **named)
        self._announce = announce
        self._pinned = pinned
        self._at = ""
        self.passed: list[Passed] = []

    def seek_cursor(self, cursor: str, /) -> None:
        """Seeks; a death on the way is one on the way from there."""
        self._at = cursor
        super().seek_cursor(cursor)

    def _next(self, skip: int = 1, /) -> bool:
        while True:
            spot = Spot(cursor=self._at, stepping=True)
            self._announce(spot)
            jumps = spot in self._pinned and self._at.startswith("s=")
            if jumps:
                super().seek_realtime(realtime_of(self._at) + 1)
            if not super()._next(skip):
                self._announce(None)
                return False
            before, self._at = self._at, self._get_cursor()
            sequence, number = number_of(self._at)
            at = realtime_of(self._at)
            if jumps:
                gap = Gap(reason=GapReason.POISON, since=min(at, realtime_of(before)), until=at)
                self.passed.append(Passed(gap=gap, sequence=sequence, number=number - 1))
            spot = Spot(cursor=self._at, stepping=False)
            if spot not in self._pinned:
                self._announce(spot)
                return True
            gap = Gap(reason=GapReason.POISON, since=at, until=at, entries=1)
            self.passed.append(Passed(gap=gap, sequence=sequence, number=number, cursor=self._at))


def failing(point: str, base: type[_Reader]) -> type[_Reader]:
    """A reader class that dies, hangs or fails, for tests of what follows: `point` is `entry:PART OF A CURSOR:ACTION`.

    It dies or hangs (kill, bus, stop) when a field of such an entry is asked for, as a poisoned entry does; it fails
    (broken) at the step to the entry, again and again, as the library does where a file is damaged.
    Raises ValueError: no such point.
    """
    place, part, action = point.split(":")
    if place != "entry" or action not in (*_ACTIONS, _BROKEN):
        raise ValueError(f"failpoint {point!r} is unknown to the journal reader")
    if action == _BROKEN:
        return _broken(part, base)

    class FailingReader(base):  # type: ignore[misc, valid-type]  # which base is known when it runs
        def _get(self, field: str, /) -> bytes:
            if part in self._get_cursor():
                os.kill(os.getpid(), _ACTIONS[action])
            return bytes(super()._get(field))

    return FailingReader


def _broken(part: str, base: type[_Reader]) -> type[_Reader]:
    class BrokenReader(base):  # type: ignore[misc, valid-type]  # which base is known when it runs
        def _next(self, skip: int = 1, /) -> bool:
            found = bool(super()._next(skip))
            if found and part in self._get_cursor():
                raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
            return found

    return BrokenReader
