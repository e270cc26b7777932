"""journald's rate limit, seen from what it stored: which pools of which units were filled to the last message allowed.

Pure. A unit has a pool for each group of priorities. The first message after a pool's interval ran out begins the next
one; BURST messages of it are stored, more where journald has much room; the rest is dropped. That is told before the
pool's next stored message, if there ever is one. After systemd's src/journal/journald-rate-limit.c (252 to 257).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from watcher.core.duration import SECOND, Usec

BURST: Final = 10_000
INTERVAL: Final = Usec(30 * SECOND)
"""RateLimitBurst= and RateLimitIntervalSec= as shipped. What a machine or a unit sets instead isn't known here."""
HORIZON: Final = Usec(INTERVAL + 5 * SECOND)
"""So long after a pool's first message is a report of what was dropped waited for."""

_STEP: Final = BURST // 4
_MOST: Final = 6 * BURST
"""`burst * (log2(room) - 16) / 4`: quarters of the burst. Six times the burst takes 1 TiB for the journal."""
_INFO: Final = 3
_POOLS: Final = {b"0": 0, b"1": 0, b"2": 0, b"3": 1, b"4": 2, b"5": _INFO, b"6": _INFO, b"7": 4}


class Cut(NamedTuple):
    """An interval in which as much was stored as can be: its first message and its last."""

    unit: bytes
    first_at: Usec
    last_at: Usec


class _Interval:
    __slots__ = ("began", "entries", "first_at", "is_known", "last", "last_at")

    def __init__(self, clock: int, at: int, *, is_known: bool) -> None:
        self.began = self.last = clock
        self.first_at = self.last_at = at
        self.entries = 1
        self.is_known = is_known


class Pools:
    """Counts a stretch of entries as journald did. What stands before `since` is not known.

    So an interval is known only after a silence of its pool: what never was silent may have begun one at any message.
    """

    def __init__(self, since: Usec) -> None:
        self._since = since
        self._open: dict[tuple[bytes, bytes, int], _Interval] = {}
        self._full: list[tuple[bytes, Cut]] = []
        self._reports: list[tuple[bytes, bytes, int]] = []

    def count(self, unit: bytes, priority: bytes | None, *, boot: bytes, clock: int, at: int) -> None:
        """One more stored entry of `unit`; `clock` is its monotonic time. No PRIORITY, or a bad one, is info."""
        key = (boot, unit, _POOLS.get(priority or b"6", _INFO))
        one = self._open.get(key)
        if one is None:
            self._open[key] = _Interval(clock, at, is_known=at - self._since > INTERVAL)
        elif clock - one.began > INTERVAL:
            self._close(boot, unit, one)
            self._open[key] = _Interval(clock, at, is_known=one.is_known or clock - one.last > INTERVAL)
        else:
            one.entries += 1
            one.last, one.last_at = clock, at

    def report(self, unit: bytes, at: int, *, boot: bytes) -> None:
        """The journald of this boot told that it dropped messages of `unit`; another host may have such a unit too."""
        self._reports.append((boot, unit, at))

    def cuts(self) -> tuple[Cut, ...]:
        """The full intervals of which nothing was told, in the order in which they began."""
        for (boot, unit, _), one in self._open.items():
            self._close(boot, unit, one)
        self._open.clear()
        silent = (cut for boot, cut in self._full if not self._is_told(boot, cut))
        return tuple(sorted(silent, key=lambda cut: cut.first_at))

    def _close(self, boot: bytes, unit: bytes, one: _Interval) -> None:
        if one.is_known and BURST <= one.entries <= _MOST and one.entries % _STEP == 0:
            self._full.append((boot, Cut(unit, Usec(one.first_at), Usec(one.last_at))))

    def _is_told(self, boot: bytes, cut: Cut) -> bool:
        # what is told at the very instant of its first message is what was dropped before it
        told, until = (boot, cut.unit), cut.first_at + HORIZON
        return any(told == (where, unit) and cut.first_at < at <= until for where, unit, at in self._reports)
