"""What is counted of each job while a piece of the journal is read, and the tally that comes of it.

Pure data; must not know entries or how they are matched.
"""

from __future__ import annotations

from dataclasses import dataclass

from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.messages import JobTally, Match
from watcher.core.rule import WatchedJob
from watcher.journal.matcher import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a piece of the journal held: `entries` of anybody, then what belongs to the jobs.

    `last_at` is the instant of the last entry read, None if there was none.
    """

    entries: int = 0
    tallies: tuple[JobTally, ...] = ()
    matches: tuple[Match, ...] = ()
    gaps: tuple[Gap, ...] = ()
    last_at: Usec | None = None


class CountedJob:
    """One job with its matcher and the count of its entries; while `entries` is 0 the instants are void.

    Its parts are open: the hot loop counts by itself.
    """

    __slots__ = ("entries", "first_at", "last_at", "matcher", "name", "ruled_out", "search", "untils")

    def __init__(self, job: WatchedJob, matcher: Matcher) -> None:
        self.name = job.name
        self.matcher = matcher
        self.search = matcher.search
        self.ruled_out = matcher.ruled_out
        self.untils = {rule.name: rule.until for rule in job.rules if rule.until is not None}
        self.entries = self.first_at = self.last_at = 0

    def count(self, at: int) -> None:
        """One more entry of the job, at `at`."""
        if not self.entries:
            self.first_at = at
        self.entries += 1
        self.last_at = at

    def tally(self) -> JobTally:
        """What was counted, at least one entry."""
        first_at, last_at = Usec(self.first_at), Usec(self.last_at)
        return JobTally(job=self.name, entries=self.entries, first_at=first_at, last_at=last_at)
