"""Steps of the wall clock: told by the two clocks of the entries, as hardly any program tells them.

Before the first entry after a step, the same two clocks of this process tell it.

journald stamps each entry by the wall clock and by one that only runs on. Between two entries of a boot both must have
gone on alike; where they have not, the wall clock was set, or the machine slept. Spans measured across that are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND
from watcher.journal.position import clocks_of, parse_cursor, realtime_of

SMALLEST_STEP = SECOND
"""A clock that is only slewed differs by less, for hours."""


@dataclass(frozen=True, slots=True)
class Now:
    """This machine's two clocks at one moment, as journald stamps its entries with them."""

    realtime: int
    monotonic: int


def step_between(before: str, after: str) -> Gap | None:
    """The gap between two cursors if the wall clock was set between them; None for places that are no entries."""
    if not before.startswith("s=") or not after.startswith("s="):
        return None
    first, last = parse_cursor(before), parse_cursor(after)
    if first.boot != last.boot:
        return None
    step = (last.realtime - first.realtime) - (last.monotonic - first.monotonic)
    if abs(step) < SMALLEST_STEP:
        return None
    since, until = sorted((first.realtime, last.realtime))
    return Gap(reason=GapReason.CLOCK, since=since, until=until, step=step)


def clock_set(before: str, after: str) -> int | None:
    """By how many microseconds the clock was set between two cursors, 0 if it went back over a reboot.

    None if it went on, as far as they tell.
    """
    step = step_between(before, after)
    if step is not None:
        return step.step
    places = before.startswith("s=") and after.startswith("s=")
    return 0 if places and realtime_of(before) - realtime_of(after) >= SMALLEST_STEP else None


def is_step_hidden(before: str, after: str, between: Iterable[str]) -> bool:
    """Whether the clock was set, and set again, so that two cursors tell nothing of it and one between them does."""
    apart: dict[str, int] = {}  # how far the two clocks of each boot are
    for cursor in (before, after, *between):
        if cursor.startswith("s="):
            boot, monotonic, realtime = clocks_of(cursor)
            if abs(realtime - monotonic - apart.setdefault(boot, realtime - monotonic)) >= SMALLEST_STEP:
                return True
    return False


@dataclass(frozen=True, slots=True)
class Anchor:
    """What tells the instants of a boot from those that were stamped before the clock was set back.

    `apart` is how far its two clocks are now; up to `until` the same stamps may have been given before.
    """

    boot: str
    apart: int
    until: int

    def cursor_at(self, at: int) -> str:
        """The cursor by which an entry of that instant is sought."""
        return f"b={self.boot};m={max(at - self.apart, 0):x};t={max(at, 0):x}"

    def stamped(self, at: int, monotonic: int, boot: bytes) -> bool:
        """Whether an entry with these clocks was stamped by the clock as it is now."""
        return abs(at - monotonic - self.apart) < SMALLEST_STEP and boot.hex() == self.boot


class Steps:
    """Steps that no entry shows yet, by this machine's own two clocks, of which `now` gives a look.

    Which boot is this one is learnt from an entry of it: both its clocks agree with ours. The file that names the boot
    names another one where a container hides it in a sandbox.
    """

    def __init__(self, now: Callable[[], Now] | None) -> None:
        self._now = now
        self._boot = ""

    def is_own(self, cursor: str) -> bool:
        """Whether that entry is of the boot that is known to be this one."""
        return self._boot != "" and parse_cursor(cursor).boot == self._boot

    def since(self, cursor: str) -> int:
        """By how many microseconds the wall clock was set since that entry; 0 if that can't be told."""
        if self._now is None or not cursor.startswith("s="):
            return 0
        now, last = self._now(), parse_cursor(cursor)
        step = (now.realtime - last.realtime) - (now.monotonic - last.monotonic)
        if abs(step) < SMALLEST_STEP:
            self._boot = last.boot
            return 0
        return step if self._boot == last.boot else 0
