"""Whether a unit was cut off by journald's rate limit and ended before that was told: the second look at a surge.

Knows when there is something to look at, and what becomes of it; must not know readers or entries.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import Usec
from watcher.core.found import JobTally
from watcher.core.rule import WatchedJob
from watcher.journal.clocks import Anchor, clock_set
from watcher.journal.opening import JournalError
from watcher.journal.position import clocks_of, realtime_of
from watcher.journal.ratelimit import HORIZON, INTERVAL, Cut
from watcher.journal.recount import UntoldError, cuts_in
from watcher.journal.source import Source
from watcher.journal.surges import LOOKED_BACK, Surge, Surges

_log = logging.getLogger(__name__)


class Suspects:
    """Keeps the surges of the jobs of one journal and looks at each that is over."""

    def __init__(self, source: Source, jobs: Sequence[WatchedJob]) -> None:
        self._source = source
        self._jobs = {job.name: job for job in jobs}
        self._surges = Surges()
        self._anchor: Anchor | None = None

    def carry(self) -> dict[str, Any]:
        """What must survive a restart, for `resume`; {} if there is nothing."""
        carry: dict[str, Any] = {}
        if surges := self._surges.dump():
            counted_by = {name: _counted_by(self._jobs[name]) for name in self._surges.jobs}
            carry = {"surges": surges, "counted_by": counted_by}
        if self._anchor is not None:
            carry["anchor"] = [self._anchor.boot, self._anchor.apart, self._anchor.until]
        return carry

    def resume(self, carry: dict[str, Any]) -> None:
        """Goes on with what `carry` gave."""
        self._surges.load(carry.get("surges"), self._jobs.keys())
        self._anchor = _anchor(carry.get("anchor"))
        counted_by = carry.get("counted_by")
        known = counted_by if isinstance(counted_by, dict) else {}
        for name in self._surges.jobs:
            if known.get(name) != _counted_by(self._jobs[name]):
                self._surges.change_units(name)

    def count(self, tallies: Iterable[JobTally], *, before: str, after: str) -> None:
        """Takes in what was counted from one cursor to another; both clocks in them tell how the one was set."""
        step = self._step(before, after)
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

    def _step(self, before: str, after: str) -> int | None:
        """By how much the clock was set, as `clock_set`; keeps the anchor for as long as stamps may come twice."""
        step = clock_set(before, after)
        if not after.startswith("s="):
            return step
        boot, monotonic, realtime = clocks_of(after)
        anchor = self._anchor
        if step is not None:
            told_before = realtime_of(before) + LOOKED_BACK + HORIZON
            until = max(told_before, 0 if anchor is None else anchor.until)
            self._anchor = Anchor(boot, realtime - monotonic, until)
        elif anchor is not None and anchor.until < realtime:
            self._anchor = None
        elif anchor is not None:
            self._anchor = replace(anchor, boot=boot, apart=realtime - monotonic)  # a clock that is slewed drifts
            if anchor.boot != boot:
                step = 0  # what was counted in the boot before can't be found by the clock of this one
        return step

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
            cuts = cuts_in(self._source, self._jobs[surge.job], surge, anchor=self._anchor)
        except (JournalError, OSError, UntoldError) as error:
            _log.warning("job %s: can't tell whether its units reached journald's rate limit: %s", surge.job, error)
            return (_unreadable(surge),)
        return tuple(Gap(reason=GapReason.SUSPECT, since=cut.first_at, until=_end(cut), job=surge.job) for cut in cuts)


def _anchor(carried: object) -> Anchor | None:
    """What is malformed is left out."""
    if isinstance(carried, list) and [type(part) for part in carried] == [str, int, int]:
        return Anchor(*carried)
    return None


def _counted_by(job: WatchedJob) -> int:
    """Tells whether a reload has changed which entries are the job's."""
    return crc32(repr((job.units, job.identifiers)).encode())


def _end(cut: Cut) -> Usec:
    """When its interval ran out; where the clock was set forward within it, at least its last message is in."""
    return Usec(max(cut.first_at + INTERVAL, cut.last_at))


def _unreadable(surge: Surge) -> Gap:
    """A unit that was cut off then may have lost messages until its interval ran out."""
    until = Usec(surge.until + INTERVAL)
    return Gap(reason=GapReason.UNREADABLE, since=surge.since, until=until, job=surge.job)
