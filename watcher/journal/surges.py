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
"""So many entries of a job are not worth carrying over a restart."""
LOUD: Final = BURST - FORGOTTEN
LOOKED_BACK: Final = Usec(4 * INTERVAL)
"""At least so far before its end a surge is looked at: the last interval, and what shows when it began."""
_SECONDS: Final = INTERVAL // SECOND + 2
"""So long each second is counted for itself, as an interval may begin with any."""
_COARSE: Final = 10
"""Of seconds before that, so many are counted together, as all that is asked is how many there were in all."""
_KEPT: Final = LOOKED_BACK // SECOND + 2 * _COARSE
_MOST: Final = 2 * _SECONDS
"""Counts of a job before the old ones are put together: twice what is left then, so that it is done seldom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A job was loud at each moment from `since` to `until`: LOUD entries had come within the interval before.

    `entries` is how many of the job were counted from `looked_from` on, as far as they can be found again. None: the
    clock was set meanwhile, and it can't be looked at; if that was after it, the span is by both clocks.
    """

    job: JobName
    since: Usec
    until: Usec
    entries: int | None

    @property
    def looked_from(self) -> Usec:
        """What was logged from here on tells what came of it. Whole tens of seconds, as what was counted is known."""
        return Usec((self.until - LOOKED_BACK) // (_COARSE * SECOND) * _COARSE * SECOND)

    @property
    def due_at(self) -> Usec:
        """When all is there that tells what came of it."""
        return Usec(self.until + HORIZON)


class Surges:
    """The entries of each job by the second, as far back as a look goes, and the surges nobody has looked at.

    A tally lies within one second (`CountedJob`).
    """

    def __init__(self) -> None:
        self._seconds: dict[JobName, dict[int, int]] = {}
        self._former: dict[JobName, dict[int, int]] = {}
        self._torn: set[JobName] = set()
        self._last: dict[JobName, Surge] = {}
        self._over: list[Surge] = []

    @property
    def since(self) -> Usec | None:
        """Before this instant nothing is left open; None if nothing is at all."""
        return min((surge.until for surge in (*self._over, *self._last.values())), default=None)

    @property
    def jobs(self) -> frozenset[JobName]:
        """Those of which anything is remembered."""
        return frozenset((*self._seconds, *self._former, *self._last))

    def count(self, tallies: Iterable[JobTally]) -> None:
        """Takes in what was counted, in the journal's order."""
        for tally in tallies:
            known, former = self._add(tally), self._former_within(tally)
            if known + former >= LOUD:
                self._extend(tally, is_torn=former > 0 and tally.job in self._torn)

    def set_clock(self, step: int) -> None:
        """The wall clock was set by so many microseconds: what was loud until then is over, and can't be looked at.

        Its end would else be waited for until the clock shows it again.
        """
        self._over += (_torn(surge, step) for surge in self._last.values())
        self._last = {}
        for job in self.jobs:
            self._put_aside(job, seconds=-(-step // SECOND))  # up: an entry may count too long, never too short
            self._torn.add(job)

    def change_units(self, job: JobName) -> None:
        """Other entries are the job's from now on: how many there were before is not how many can be found again."""
        if job in self._last and self._last[job].entries is not None:
            self._last[job] = replace(self._last[job], entries=0)
        self._put_aside(job, seconds=0)

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
        """As JSON-able data, at most about 1 KiB a job; {} if there is nothing to remember. Call it after `take`."""
        newest = max((one for known in self._seconds.values() for one in known), default=0)
        seconds, former = (
            {
                name: list(known.items())
                for name, known in counts.items()
                if sum(known.values()) > FORGOTTEN and max(known) >= newest - _KEPT
            }
            for counts in (self._seconds, self._former)
        )
        surges = [[surge.job, surge.since, surge.until, surge.entries] for surge in self._last.values()]
        torn = sorted(self._torn & former.keys())
        found = {"seconds": seconds, "former": former, "torn": torn, "surges": surges}
        return {name: data for name, data in found.items() if data}

    def load(self, dumped: object, jobs: Collection[JobName]) -> None:
        """Goes on with what `dump` gave; what is malformed in it, or of other jobs, is left out."""
        data = dumped if isinstance(dumped, dict) else {}
        self._last, self._over = {}, []
        self._seconds, self._former = (_counts(data.get(name), jobs) for name in ("seconds", "former"))
        torn, surges = data.get("torn"), data.get("surges")
        self._torn = {name for name in self._former if isinstance(torn, list) and name in torn}
        for item in surges if isinstance(surges, list) else ():
            if isinstance(item, list) and [type(part) for part in item[:3]] == [str, int, int] and item[0] in jobs:
                job, since, until, *entries = item
                if len(entries) == 1 and (entries[0] is None or type(entries[0]) is int):
                    self._put(Surge(job=job, since=Usec(since), until=Usec(until), entries=entries[0]))

    def _add(self, tally: JobTally) -> int:
        """How many entries came within the interval at most, with the tally: a second counts whole or not at all."""
        known, second = self._seconds.setdefault(tally.job, {}), tally.last_at // SECOND
        known[second] = known.get(second, 0) + tally.entries
        if len(known) > _MOST:
            known = self._seconds[tally.job] = _thinned(known, second)
        return _within_interval(known, tally)

    def _former_within(self, tally: JobTally) -> int:
        """How many of those that can't be looked at came within the interval; forgets them once all are long ago."""
        known = self._former.get(tally.job)
        if known is None:
            return 0
        entries = _within_interval(known, tally)
        if all(abs(one - tally.last_at // SECOND) > _KEPT for one in known):  # not by one entry that comes late
            del self._former[tally.job]
            self._torn.discard(tally.job)
        return entries

    def _put_aside(self, job: JobName, *, seconds: int) -> None:
        """What was counted until now tells only whether the job is loud; its seconds are moved."""
        before = self._former.pop(job, {}), self._seconds.pop(job, {})
        moved = self._former[job] = {}
        for known in before:
            for one, entries in known.items():
                moved[one + seconds] = moved.get(one + seconds, 0) + entries

    def _extend(self, tally: JobTally, *, is_torn: bool) -> None:
        surge, since, until = self._last.get(tally.job), tally.first_at, tally.last_at
        is_same = surge is not None and abs(since - surge.until) <= HORIZON
        if surge is not None and is_same and (surge.entries is None) is is_torn:
            since, until = min(surge.since, since), max(surge.until, until)
            del self._last[tally.job]
        made = Surge(job=tally.job, since=since, until=until, entries=None)
        if not is_torn:
            first = made.looked_from // SECOND
            entries = sum(count for one, count in self._seconds[tally.job].items() if one >= first)
            made = Surge(job=tally.job, since=since, until=until, entries=entries)
        self._put(made)

    def _put(self, surge: Surge) -> None:
        """The job's last surge; the one before, if there is one, is over."""
        if surge.job in self._last:
            self._over.append(self._last[surge.job])
        self._last[surge.job] = surge


def _within_interval(known: dict[int, int], tally: JobTally) -> int:
    since, until = tally.first_at - INTERVAL, tally.last_at + INTERVAL  # what a clock was ahead of is long ago
    return sum(entries for one, entries in known.items() if (one + 1) * SECOND > since and one * SECOND <= until)


def _thinned(known: dict[int, int], second: int) -> dict[int, int]:
    """What is kept of the counts at that second."""
    thinned: dict[int, int] = {}
    for one, entries in known.items():
        if abs(one - second) <= _KEPT:
            kept = one - one % _COARSE if second - one > _SECONDS else one
            thinned[kept] = thinned.get(kept, 0) + entries
    return thinned


def _torn(surge: Surge, step: int) -> Surge:
    since, until = min(surge.since, surge.since + step), max(surge.until, surge.until + step)
    return replace(surge, since=Usec(since), until=Usec(until), entries=None)


def _counts(dumped: object, jobs: Collection[JobName]) -> dict[JobName, dict[int, int]]:
    found: dict[JobName, dict[int, int]] = {}
    for name, pairs in dumped.items() if isinstance(dumped, dict) else ():
        if name in jobs and isinstance(pairs, list):
            found[name] = {pair[0]: pair[1] for pair in pairs[-2 * _MOST :] if _are_numbers(pair)}
    return found


def _are_numbers(items: object) -> bool:
    return isinstance(items, list) and [int, int] == [type(item) for item in items]
