"""Whether a unit was cut off by journald's rate limit and ended before that was told: the second look at a surge.

Reads only the unit and the priority of what it looks at, with a reader of its own, once a surge is over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from systemd._reader import _Reader

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.found import JobTally
from watcher.core.rule import WatchedJob
from watcher.journal.clocks import SMALLEST_STEP, step_between
from watcher.journal.entry import Entry
from watcher.journal.matcher import SUPPRESSED
from watcher.journal.opening import JournalError, open_journal
from watcher.journal.position import realtime_of
from watcher.journal.ratelimit import INTERVAL, Cut, Pools
from watcher.journal.source import Source
from watcher.journal.surges import LOUD, Surge, Surges
from watcher.journal.units import JobUnits, is_glob, unit_name

_log = logging.getLogger(__name__)

MOST_ENTRIES: Final = 500_000
"""A look takes in no more: about a second, in which nothing else is read."""
LOOKED_BACK: Final = Usec(4 * INTERVAL)
"""How far before its end a surge is looked at: the last interval, and what shows when it began."""
LEAST_SEEN: Final = LOUD * 3 // 4
"""So many entries of a surge's last interval have to be seen again: the rest may be what PID 1 says of the units."""
_SLACK: Final = Usec(3 * SECOND)


class UntoldError(Exception):
    """It can't be told by the journal what became of a surge."""


class Suspects:
    """Keeps the surges of the jobs of one journal and looks at each that is over."""

    def __init__(self, source: Source, jobs: Sequence[WatchedJob]) -> None:
        self._source = source
        self._jobs = {job.name: job for job in jobs}
        self._surges = Surges()

    def carry(self) -> dict[str, Any]:
        """What must survive a restart, for `resume`; {} if there is nothing."""
        surges = self._surges.dump()
        return {"surges": surges} if surges else {}

    def resume(self, carry: dict[str, Any]) -> None:
        """Goes on with what `carry` gave."""
        self._surges.load(carry.get("surges"), self._jobs.keys())

    def count(self, tallies: Iterable[JobTally], *, before: str, after: str) -> None:
        """Takes in what was counted from one cursor to another; both clocks in them tell how the one was set."""
        step = _clock_set(before, after)
        if step is None:
            self._surges.count(tallies)
            return
        first, last = realtime_of(before), realtime_of(after)
        old: list[JobTally] = []
        new: list[JobTally] = []
        for tally in tallies:  # in a batch that goes over the step, the nearer end is a guess at the clock of a stamp
            (old if abs(tally.last_at - first) < abs(tally.last_at - last) else new).append(tally)
        self._surges.count(old)
        self._surges.set_clock(step)
        self._surges.count(new)

    def is_due(self, read_until: Usec, *, at_end: bool) -> bool:
        """Whether there is something to look at once all before `read_until` was read, or nothing more comes."""
        return self._surges.is_due(read_until, at_end=at_end)

    def known_until(self, read_until: Usec) -> Usec:
        """How far it is known what was read: while a surge waits for its look, no window may close behind it."""
        since = self._surges.since
        return read_until if since is None else min(read_until, since)

    def gaps(self, read_until: Usec, *, at_end: bool, trusts: bool) -> tuple[Gap, ...]:
        """Looks at all that is due, or at all that is left where nothing more comes.

        Without `trusts` it can't be looked at: the reader has died, perhaps of that. What can't be read is a gap.
        """
        return tuple(
            gap
            for surge in self._surges.take(read_until, at_end=at_end)
            for gap in (self._look(surge) if trusts else (_unreadable(surge),))
        )

    def _look(self, surge: Surge) -> tuple[Gap, ...]:
        try:
            cuts = cuts_in(self._source, self._jobs[surge.job], surge)
        except (JournalError, OSError, UntoldError) as error:
            _log.warning("job %s: can't tell whether its units reached journald's rate limit: %s", surge.job, error)
            return (_unreadable(surge),)
        return tuple(
            Gap(reason=GapReason.SUSPECT, since=cut.first_at, until=Usec(cut.first_at + INTERVAL), job=surge.job)
            for cut in cuts
        )


def cuts_in(source: Source, job: WatchedJob, surge: Surge) -> tuple[Cut, ...]:
    """The intervals of the job's units that ended within the surge, full and without a report.

    Raises JournalError, OSError: it can't be read; UntoldError: there is too much, or it is not found again. A place
    is looked for by the wall clock, so where that was set back the same instants may be those of other entries.
    """
    if surge.torn:
        raise UntoldError("the clock was set")
    since = Usec(surge.until - LOOKED_BACK)
    pools = Pools(since)
    reader = open_journal(source)
    try:
        _narrow(reader, job)
        reader.seek_realtime(since)
        seen = _count(reader, pools, JobUnits([job.units]), since=since, surge=surge)
    finally:
        reader.close()
    if seen < LEAST_SEEN and not job.identifiers:  # what is told by its identifier is no unit's of the job
        raise UntoldError("the entries were not found again, as after a clock that was set")
    return tuple(cut for cut in pools.cuts() if surge.since <= cut.last_at <= surge.until)


def _unreadable(surge: Surge) -> Gap:
    return Gap(reason=GapReason.UNREADABLE, since=surge.since, until=surge.until, job=surge.job)


def _narrow(reader: _Reader, job: WatchedJob) -> None:
    """Has the library leave out the others; it can't where a name is a glob."""
    names = [unit_name(unit) for unit in job.units]
    if any(map(is_glob, names)):
        return
    for name in names:
        reader.add_match(f"_SYSTEMD_UNIT={name}".encode())
    reader.add_disjunction()
    reader.add_match(b"MESSAGE_ID=" + SUPPRESSED)


def _clock_set(before: str, after: str) -> int | None:
    """By how much the clock was set between two cursors; 0 if it went back over a reboot, None if it went on."""
    step = step_between(before, after)
    if step is not None:
        return step.step
    places = before.startswith("s=") and after.startswith("s=")
    return 0 if places and realtime_of(before) - realtime_of(after) >= SMALLEST_STEP else None


def _count(reader: _Reader, pools: Pools, units: JobUnits, *, since: Usec, surge: Surge) -> int:
    """Counts the entries up to the time when the surge is due; how many were the job's in its last interval.

    Raises UntoldError: there were too many.
    """
    owned: dict[bytes | None, bool] = {None: False}
    read = seen = 0
    last_interval = range(surge.until - INTERVAL - _SLACK, surge.until + 1)
    while reader._next():
        read += 1
        if read > MOST_ENTRIES:
            raise UntoldError("it logged too much")
        at = reader._get_realtime()
        if at > surge.due_at:
            break
        if at < since:
            continue
        unit = _field(reader, "_SYSTEMD_UNIT")
        if unit not in owned:
            owned[unit] = bool(unit is not None and units.owners(unit))
        if unit is not None and owned[unit]:
            seen += at in last_interval
            clock, boot = reader._get_monotonic()
            pools.count(unit, _field(reader, "PRIORITY"), boot=boot, clock=clock, at=at)
        elif _field(reader, "MESSAGE_ID") == SUPPRESSED and (entry := Entry(reader, unit)).is_journald():
            boot = reader._get_monotonic()[1]
            for dropped in entry.every("OBJECT_SYSTEMD_UNIT"):
                pools.report(dropped, at, boot=boot)
    return seen


def _field(reader: _Reader, name: str) -> bytes | None:
    try:
        return reader._get(name)
    except KeyError:
        return None
