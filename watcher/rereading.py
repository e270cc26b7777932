"""What is read from the journal a second time: the lines of a note, and a job's past. With the jobs as configured now.

Knows which span belongs to a release; the reading itself is done in processes of `watcher/journal`.
"""

from __future__ import annotations

from dataclasses import replace

from watcher.configured import Configured
from watcher.core.baseline import Baseline, unread
from watcher.core.duration import HOUR, Usec
from watcher.core.excerpt import ReadAgain
from watcher.core.release import Release
from watcher.core.rule import WatchedJob
from watcher.journal.excerpts import read_excerpts
from watcher.journal.joins import reach_of
from watcher.journal.leftovers import read_leftovers
from watcher.journal.pasts import read_past_apart

EXCERPT_SECONDS = 10.0
BASELINE_SECONDS = 600.0


class Rereading:
    """Reads again for releases, in the journal that is configured now."""

    def __init__(self, configured: Configured) -> None:
        self._configured = configured

    async def lines(self, release: Release) -> ReadAgain:
        """The matching lines of its window with their surroundings, and what no rule knows in there."""
        job = self._job(release)
        rules = () if job is None else job.rules
        captures = {rule.name: dict(rule.capture) for rule in rules if rule.capture}
        joins = {rule.name: reach for rule in rules if (reach := reach_of(rule)) is not None}
        source = self._configured.source
        again = await read_excerpts(source, release, timeout=EXCERPT_SECONDS, captures=captures, joins=joins)
        since, until = release.started_at, release.ended_at or release.ends_at
        if job is None or since is None or until is None:
            return again
        last = Usec(until + 1)  # a window that failed ends with the entry that failed it
        left = await read_leftovers(source, job, since=since, until=last, timeout=EXCERPT_SECONDS)
        return replace(again, leftovers=left)

    async def past(self, release: Release) -> Baseline:
        """How its job did before it."""
        until = release.registered_at
        since = Usec(max(until - (release.trial.lookback or HOUR), 0))
        job = self._job(release)
        if job is None:
            return unread("the job is not in the configuration any more", since=since, until=until)
        source = self._configured.source
        return await read_past_apart(source, job, since=since, until=until, timeout=BASELINE_SECONDS)

    def _job(self, release: Release) -> WatchedJob | None:
        return next((one for one in self._configured.settings.jobs if one.name == release.job), None)
