"""How near to journald's rate limit a job came, by how much of it was stored. Pure.

journald counts each unit and pool of priorities for itself; here all of a job is one, so this is the most it can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from watcher.core.duration import Usec
from watcher.core.found import JobTally
from watcher.core.names import JobName
from watcher.core.shown import shown_instant
from watcher.doctor.finding import Finding, Weight
from watcher.doctor.logging_of_units import RAISED
from watcher.journal.ratelimit import BURST, INTERVAL

CHECK: Final = "dropped messages"
SMALLEST: Final = 1000
"""A unit with a burst below this is warned of in any case."""
NEAR: Final = 0.5
"""Of the burst: from here on an operator is told."""


class Loudness:
    """The most entries of one job that were stored within INTERVAL; takes its tallies in their order."""

    def __init__(self) -> None:
        self.most = 0
        self.since: Usec | None = None
        """When those began."""
        self._recent: deque[JobTally] = deque()
        self._sum = 0

    def take(self, tally: JobTally) -> None:
        """One more tally."""
        self._recent.append(tally)
        self._sum += tally.entries
        while self._recent[0].first_at <= tally.last_at - INTERVAL:
            self._sum -= self._recent.popleft().entries
        if self._sum > self.most:
            self.most, self.since = self._sum, self._recent[0].first_at


def near_the_limit(job: JobName, loud: Loudness, units: Sequence[Mapping[str, str]]) -> Iterator[Finding]:
    """The job's units (their properties) that are held to a limit which it came near."""
    for unit in units:
        burst = unit.get("LogRateLimitBurst", "")
        limit = int(burst) if burst.isdecimal() and int(burst) else BURST
        if loud.most < NEAR * limit:
            continue
        name = unit.get("Id", "?")
        what = (
            f"{name}: up to {loud.most} entries of the job within 30s (from {shown_instant(loud.since)} on); past"
            f" {limit} of one unit and priority journald may drop them, and a window in which it does can't pass"
        )
        hint = f"`systemctl edit {name}` and {RAISED}"
        yield Finding(check=CHECK, weight=Weight.NOTE, what=what, hint=hint, job=job)
