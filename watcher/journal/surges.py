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
_SECONDS: Final = INTERVAL // SECOND + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A job was loud at each moment from `since` to `until`: LOUD entries had come within the interval before.

    `torn`: the clock was set before all was there that tells what came of it; it can't be looked at, and its span is
    by the clock of before and by the new one.
    """

    job: JobName
    since: Usec
    until: Usec
    torn: bool = False

    @property
    def due_at(self) -> Usec:
        """When all is there that tells what came of it."""
        return Usec(self.until + HORIZON)


class Surges:
    """The entries of each job by the second, of the last interval, and the surges nobody has looked at."""

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
        seconds = -(-step // SECOND)  # up: an entry may count too long, never too short
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
        """As JSON-able data, at most about 400 bytes a job; {} if there is nothing to remember."""
        seconds = {
            name: list(known.items()) for name, known in self._seconds.items() if sum(known.values()) > FORGOTTEN
        }
        surges = [[surge.job, surge.since, surge.until] for surge in (*self._over, *self._last.values())]
        return {"seconds": seconds, "surges": surges} if seconds or surges else {}

    def load(self, dumped: object, jobs: Collection[JobName]) -> None:
        """Goes on with what `dump` gave; what is malformed in it, or of other jobs, is left out."""
        self._seconds, self._last, self._over = {}, {}, []
        data = dumped if isinstance(dumped, dict) else {}
        seconds, surges = data.get("seconds"), data.get("surges")
        for name, pairs in seconds.items() if isinstance(seconds, dict) else ():
            if name in jobs and isinstance(pairs, list) and len(pairs) <= 2 * _SECONDS:
                self._seconds[name] = {pair[0]: pair[1] for pair in pairs if _are_numbers(pair)}
        for item in surges if isinstance(surges, list) else ():
            if (
                isinstance(item, list)
                and item
                and isinstance(item[0], str)
                and item[0] in jobs
                and _are_numbers(item[1:])
            ):
                job, since, until = item
                self._extend(JobTally(job=job, entries=1, first_at=Usec(since), last_at=Usec(until)))

    def _add(self, tally: JobTally) -> int:
        """How many entries came within the interval at most, with the tally: a second counts whole or not at all."""
        known, second = self._seconds.setdefault(tally.job, {}), tally.last_at // SECOND
        known[second] = known.get(second, 0) + tally.entries
        if len(known) > _SECONDS:
            for old in [one for one in known if abs(one - second) > _SECONDS]:
                del known[old]
        since = tally.first_at - INTERVAL
        return sum(entries for one, entries in known.items() if (one + 1) * SECOND > since)

    def _extend(self, tally: JobTally) -> None:
        surge = self._last.get(tally.job)
        if surge is not None and abs(tally.first_at - surge.until) <= HORIZON:
            self._last[tally.job] = replace(surge, until=Usec(max(surge.until, tally.last_at)))
            return
        if surge is not None:
            self._over.append(surge)
        self._last[tally.job] = Surge(job=tally.job, since=tally.first_at, until=tally.last_at)


def _torn(surge: Surge, step: int) -> Surge:
    since, until = min(surge.since, surge.since + step), max(surge.until, surge.until + step)
    return replace(surge, since=Usec(since), until=Usec(until), torn=True)


def _are_numbers(items: object) -> bool:
    return isinstance(items, list) and [int, int] == [type(item) for item in items]
