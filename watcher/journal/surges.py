"""When a job logged so much that a unit of it can have reached journald's rate limit: by its tallies alone.

Pure. Says too often that it can have been so, never too seldom: what was cut is found out by a second look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from watcher.core.duration import SECOND, Usec
from watcher.core.found import JobTally
from watcher.core.names import JobName
from watcher.journal.ratelimit import BURST, HORIZON, INTERVAL

FORGOTTEN: Final = 100
"""Entries within an interval that are not worth carrying over a restart."""
LOUD: Final = BURST - FORGOTTEN
LOOKED_BACK: Final = Usec(4 * INTERVAL)
"""How far before its end a surge is looked at: the last interval, and what shows when it began."""
_SECONDS: Final = INTERVAL // SECOND + 2
_COARSE: Final = 10
"""So many seconds are counted as one once an interval is over."""
_KEPT: Final = LOOKED_BACK // SECOND + _COARSE
_MOST: Final = 2 * _SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A job was loud at each moment from `since` to `until`: LOUD entries had come within the interval before.

    `entries` is how many of the job were counted since `looked_from`. `torn`: the clock was set before all was there
    that tells what came of it; it can't be looked at, and its span is by the clock of before and by the new one.
    """

    job: JobName
    since: Usec
    until: Usec
    entries: int
    torn: bool = False

    @property
    def looked_from(self) -> Usec:
        """What was logged from here on tells what came of it."""
        return _looked_from(self.until)

    @property
    def due_at(self) -> Usec:
        """When all is there that tells what came of it."""
        return Usec(self.until + HORIZON)


class Surges:
    """The entries of each job by the second, as far back as a look goes, and the surges nobody has looked at."""

    def __init__(self) -> None:
        self._seconds: dict[JobName, dict[int, int]] = {}
        self._last: dict[JobName, Surge] = {}
        self._over: list[Surge] = []

    @property
    def since(self) -> Usec | None:
        """Before this instant nothing is left open; None if nothing is at all."""
        return min((surge.until for surge in (*self._over, *self._last.values())), default=None)

    def count(self, tallies: Iterable[JobTally]) -> None:
        """Takes in what was counted, in the journal's order."""
        for tally in tallies:
            if self._add(tally) >= LOUD:
                self._extend(tally)

    def set_clock(self, step: int) -> None:
        """The wall clock was set by so many microseconds: what was loud until then is torn, and over.

        Its end would else be waited for until the clock shows it again.
        """
        self._over += (_torn(surge, step) for surge in self._last.values())
        self._last = {}
        seconds = -(-step // (_COARSE * SECOND)) * _COARSE  # up: an entry may count too long, never too short
        self._seconds = {
            job: {second + seconds: entries for second, entries in known.items()}
            for job, known in self._seconds.items()
        }

    def is_due(self, read_until: Usec, *, at_end: bool = False) -> bool:
        """Whether `take` would give something."""
        return bool(self._over) or any(at_end or surge.due_at <= read_until for surge in self._last.values())

    def take(self, read_until: Usec, *, at_end: bool = False) -> tuple[Surge, ...]:
        """The surges to look at now that all before `read_until` was read; all that are left if nothing more comes."""
        due = [name for name, surge in self._last.items() if at_end or surge.due_at <= read_until]
        taken = (*self._over, *(self._last.pop(name) for name in due))
        self._over = []
        return taken

    def dump(self) -> dict[str, Any]:
        """As JSON-able data, at most about 1 KiB a job; {} if there is nothing to remember."""
        seconds = {
            name: list(known.items()) for name, known in self._seconds.items() if sum(known.values()) > FORGOTTEN
        }
        surges = [[surge.job, surge.since, surge.until, surge.entries] for surge in (*self._over, *self._last.values())]
        return {"seconds": seconds, "surges": surges} if seconds or surges else {}

    def load(self, dumped: object, jobs: Collection[JobName]) -> None:
        """Goes on with what `dump` gave; what is malformed in it, or of other jobs, is left out."""
        self._seconds, self._last, self._over = {}, {}, []
        data = dumped if isinstance(dumped, dict) else {}
        seconds, surges = data.get("seconds"), data.get("surges")
        for name, pairs in seconds.items() if isinstance(seconds, dict) else ():
            if name in jobs and isinstance(pairs, list) and len(pairs) <= 2 * _MOST:
                self._seconds[name] = {pair[0]: pair[1] for pair in pairs if _are_numbers(pair, 2)}
        for item in surges if isinstance(surges, list) else ():
            if (
                isinstance(item, list)
                and item
                and isinstance(item[0], str)
                and item[0] in jobs
                and _are_numbers(item[1:], 3)
            ):
                job, since, until, entries = item
                self._put(Surge(job=job, since=Usec(since), until=Usec(until), entries=entries))

    def _add(self, tally: JobTally) -> int:
        """How many entries came within the interval at most, with the tally: a second counts whole or not at all."""
        known, second = self._seconds.setdefault(tally.job, {}), tally.last_at // SECOND
        known[second] = known.get(second, 0) + tally.entries
        if len(known) > _MOST:
            known = self._seconds[tally.job] = _thinned(known, second)
        since = tally.first_at - INTERVAL
        return sum(entries for one, entries in known.items() if (one + 1) * SECOND > since)

    def _extend(self, tally: JobTally) -> None:
        surge, since, until = self._last.get(tally.job), tally.first_at, tally.last_at
        if surge is not None and abs(since - surge.until) <= HORIZON:
            since, until = surge.since, max(surge.until, until)
            del self._last[tally.job]
        looked_from = _looked_from(until) // SECOND
        entries = sum(count for one, count in self._seconds[tally.job].items() if one >= looked_from)
        self._put(Surge(job=tally.job, since=since, until=Usec(until), entries=entries))

    def _put(self, surge: Surge) -> None:
        """The job's last surge; the one before, if there is one, is over."""
        if surge.job in self._last:
            self._over.append(self._last[surge.job])
        self._last[surge.job] = surge


def _looked_from(until: int) -> Usec:
    """A whole count of _COARSE seconds, so that what was counted since then is known exactly."""
    return Usec(-(-(until - LOOKED_BACK) // (_COARSE * SECOND)) * _COARSE * SECOND)


def _thinned(known: dict[int, int], second: int) -> dict[int, int]:
    """What is kept of the counts at that second: no longer each for itself once its interval is over."""
    thinned: dict[int, int] = {}
    for one, entries in known.items():
        if abs(one - second) <= _KEPT:
            kept = one - one % _COARSE if second - one > _SECONDS else one
            thinned[kept] = thinned.get(kept, 0) + entries
    return thinned


def _torn(surge: Surge, step: int) -> Surge:
    since, until = min(surge.since, surge.since + step), max(surge.until, surge.until + step)
    return replace(surge, since=Usec(since), until=Usec(until), torn=True)


def _are_numbers(items: object, count: int) -> bool:
    return isinstance(items, list) and [int] * count == [type(item) for item in items]
