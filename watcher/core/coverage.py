"""Coverage: whether every entry of a span was really seen, and where not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watcher.core.duration import Usec
from watcher.core.names import JobName


class GapReason(StrEnum):
    """Why entries were not seen; the words of `watcher_journal_gaps_total`."""

    MISSING = "missing"
    CURSOR = "cursor"
    POISON = "poison"
    UNREADABLE = "unreadable"
    KERNEL = "kernel"
    DROPPED = "dropped"
    SUSPECT = "suspect"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A hole in what was read, between the instants of the entries around it: `since` <= hole <= `until`.

    `entries` is how many are missing, None where nobody can know. `job` is set when only that job's entries are.
    `step` is how far the wall clock was set at reason `clock`, negative if back. Such a gap stands at the beginning of
    a batch: all instants in there are by the new clock, all before by the old one.
    """

    reason: GapReason
    since: Usec
    until: Usec
    entries: int | None = None
    job: JobName | None = None
    step: int = 0

    def is_by_new_clock(self, at: Usec) -> bool:
        """Of a step: whether an instant that was taken before it was known is by the new clock already.

        Set back, both clocks show each instant of a span; it is the new one's if it fits between the last entry before
        the step and the first one after it.
        """
        if self.step > 0:
            return at > self.since
        return at > self.until or self.until + self.step <= at <= self.since

    def touches(self, job: JobName, since: Usec, until: Usec) -> bool:
        """Whether an entry of `job` in `[since, until)` may be among the missing ones."""
        return self.job in (None, job) and self.since < until and self.until >= since
