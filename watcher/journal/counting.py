"""What is counted of each job while a piece of the journal is read, and the tally that comes of it.

Pure data; must not know entries or how they are matched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.found import TALLY_WIDTH, Found, JobTally
from watcher.core.names import RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.journal.joins import reach_of
from watcher.journal.matcher import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a piece of the journal held: `entries` of anybody, then what belongs to the jobs.

    `last_at` is the instant of the last entry read, None if there was none.
    """

    entries: int = 0
    tallies: tuple[JobTally, ...] = ()
    found: tuple[Found, ...] = ()
    gaps: tuple[Gap, ...] = ()
    last_at: Usec | None = None


class CountedJob:
    """One job with its matcher and the count of its entries.

    Its parts are open: the hot loop counts by itself while `first_at <= at < closes_at`, which is never so at first.
    """

    __slots__ = (
        "closes_at",
        "done",
        "entries",
        "expected",
        "first_at",
        "kinds",
        "last_at",
        "matcher",
        "name",
        "reaches",
        "ruled_out",
        "run_as",
        "search",
        "severities",
    )

    def __init__(self, job: WatchedJob, matcher: Matcher) -> None:
        self.name = job.name
        self.kinds = job.kinds
        self.expected = job.expected
        self.run_as = job.run_as
        self.matcher = matcher
        self.search = matcher.search
        self.ruled_out = matcher.ruled_out
        self.severities = {rule.name: rule.severity for rule in job.rules}
        self.reaches = {rule.name: reach for rule in job.rules if (reach := reach_of(rule)) is not None}
        self.entries = self.first_at = self.last_at = self.closes_at = 0
        self.done: list[JobTally] = []

    def count(self, at: int) -> None:
        """One more entry of the job, at `at`. A tally lies within one second of the clock."""
        if not self.first_at <= at < self.closes_at:
            self._close()
            self.first_at, self.closes_at = at, at - at % TALLY_WIDTH + TALLY_WIDTH
        self.entries += 1
        self.last_at = at

    def is_worse(self, fired: Iterable[Rule], joining: RuleName | None) -> bool:
        """Whether a rule of worse severity fired than the one to whose match the entry is joined.

        A stack trace of an error may name its cause, and say that there is no memory: that counts by itself.
        """
        limit = None if joining is None else self.severities.get(joining)
        return limit is not None and any(not limit.at_least(rule.severity) for rule in fired)

    def tallies(self) -> tuple[JobTally, ...]:
        """What was counted, in the journal's order; the count begins anew."""
        self._close()
        tallies = tuple(self.done)
        self.forget()
        return tallies

    def forget(self) -> None:
        """Begin anew."""
        self.entries = self.first_at = self.last_at = self.closes_at = 0
        self.done = []

    def _close(self) -> None:
        if self.entries:
            first_at, last_at = Usec(self.first_at), Usec(self.last_at)
            self.done.append(JobTally(job=self.name, entries=self.entries, first_at=first_at, last_at=last_at))
            self.entries = 0
