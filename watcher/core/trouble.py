"""What went wrong with each job lately: just enough to see that it began to fail, without any baseline.

An episode is a row of errors, from the first one after a quiet time on; it ends when nothing was wrong for QUIET. Of
each job one is remembered, in six numbers. It is part of the durable state, so that a restart forgets nothing, and goes
by the entries' own instants, in the journal's order: live and in replay, whole and in pieces, it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from watcher.core.duration import MINUTE, Usec
from watcher.core.found import Found, Match, RunEnded, RunOutcome
from watcher.core.names import JobName
from watcher.core.policy import JobPolicy
from watcher.core.severity import Severity

NOTHING = Usec(0)
QUIET = Usec(10 * MINUTE)
"""Nothing wrong for so long ends an episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The last episode of a job's errors, `since` its first and `last` its last one; None before any was seen.

    `quiet` is how long nothing was wrong before it, as far back as the job was watched: `watched_from` is when it began
    to be, by the rules of `rules_hash`. `errors` are those of the episode, `critical` the critical ones among them.
    """

    watched_from: Usec
    rules_hash: str
    since: Usec | None = None
    last: Usec | None = None
    quiet: Usec = NOTHING
    errors: int = 0
    critical: int = 0


class Memory:
    """The troubles of all jobs while one batch is read: an error costs a few list items, not a new value.

    Lives as long as the decision that reads the batch. Jobs that are not configured are passed over.
    """

    def __init__(self, troubles: Mapping[JobName, Trouble]) -> None:
        self._before = troubles
        self._open: dict[JobName, _Episode] = {}

    def note(self, job: JobName, at: Usec, *, critical: bool) -> None:
        """One more error. One that seems older than the last (the clock was set back) ends nothing."""
        episode = self._open.get(job)
        if episode is None:
            trouble = self._before.get(job)
            if trouble is None:
                return
            episode = self._open[job] = _Episode(trouble)
        last = episode.last
        if last is None or at - last >= QUIET:
            before = episode.watched_from if last is None else last
            episode.since, episode.last, episode.quiet = at, at, Usec(max(at - before, 0))
            episode.errors, episode.critical = 1, int(critical)
            return
        if at > last:
            episode.last = at
        episode.errors += 1
        episode.critical += critical

    def changed(self) -> dict[JobName, Trouble]:
        """The troubles that differ from before."""
        return {job: episode.sealed(self._before[job]) for job, episode in self._open.items()}

    def known(self) -> Mapping[JobName, Trouble]:
        """All of them, as they are known at this point of the batch."""
        return {**self._before, **self.changed()}


class _Episode:
    """The numbers of one trouble, to be changed."""

    __slots__ = ("critical", "errors", "last", "quiet", "since", "watched_from")

    def __init__(self, trouble: Trouble) -> None:
        self.watched_from, self.since, self.last, self.quiet = (
            trouble.watched_from,
            trouble.since,
            trouble.last,
            trouble.quiet,
        )
        self.errors, self.critical = trouble.errors, trouble.critical

    def sealed(self, before: Trouble) -> Trouble:
        return replace(
            before,
            since=self.since,
            last=self.last,
            quiet=self.quiet,
            errors=self.errors,
            critical=self.critical,
        )


def remembered(
    known: Mapping[JobName, Trouble], policies: Mapping[JobName, JobPolicy], at: Usec
) -> dict[JobName, Trouble]:
    """The memory for these jobs: kept where a job is watched as before, begun anew at `at` where it is not."""
    return {
        job: known[job]
        if job in known and known[job].rules_hash == policy.rules_hash
        else Trouble(watched_from=at, rules_hash=policy.rules_hash)
        for job, policy in policies.items()
    }


def errors_in(found: Sequence[Found]) -> Iterator[tuple[Found, bool]]:
    """Each find in its order, and whether it is an error of its job alone.

    An entry of two jobs tells nothing about the one that it does not tell about the other, so it is nobody's.
    """
    place, end = 0, len(found)
    while place < end:
        first = found[place]
        after, alone = place + 1, True
        while after < end and found[after].cursor == first.cursor:
            alone = alone and found[after].job == first.job
            after += 1
        for one in found[place:after]:
            yield one, alone and _is_error(one)
        place = after


def _is_error(found: Found) -> bool:
    """By rule, and failed runs: what is told of an error's kind stands beside its match."""
    if isinstance(found, RunEnded):
        return found.outcome is RunOutcome.FAILED
    return isinstance(found, Match) and found.severity.at_least(Severity.ERROR)
