"""What went wrong with each job lately: just enough to see that it began to fail, without any baseline.

An episode is a row of errors, from the first one after a quiet time on; it ends when nothing was wrong for QUIET. Of
each job one is remembered, in six numbers, and one more for each job with which it has entries in common. It is part
of the durable state, so that a restart forgets nothing, and goes by the entries' own instants, in the journal's order:
live and in replay, whole and in pieces, it is the same. Where the clock is set its instants move, as those of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from watcher.core.coverage import Gap
from watcher.core.duration import MINUTE, Usec
from watcher.core.found import Found, Match, RunEnded, RunOutcome
from watcher.core.names import JobName
from watcher.core.policy import JobPolicy
from watcher.core.severity import Severity

NOTHING = Usec(0)
QUIET = Usec(10 * MINUTE)
"""Nothing wrong for so long ends an episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A row of errors, `since` its first and `last` its last one; None before any was seen.

    `quiet` is how long nothing was wrong before it, as far back as the job was watched. `errors` are those of the
    episode, `critical` the critical ones among them.
    """

    since: Usec | None = None
    last: Usec | None = None
    quiet: Usec = NOTHING
    errors: int = 0
    critical: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble(Episode):
    """The last episode of a job's errors; `watched_from` is when it began to be watched, by the rules of `rules_hash`.

    An entry of two jobs tells nothing about the one that it does not tell about the other. So `apart` holds, for each
    job that had errors in common with this one, the last episode of the errors that it has not in common with that job.
    """

    watched_from: Usec
    rules_hash: str
    apart: Mapping[JobName, Episode] = field(default_factory=dict)

    def stepped(self, gap: Gap) -> Trouble:
        """This trouble once the wall clock was set: as long ago as before, by the new clock."""
        apart = {job: _moved(episode, gap.step) for job, episode in self.apart.items()}
        is_new = gap.is_by_new_clock(self.watched_from)
        watched_from = self.watched_from if is_new else Usec(self.watched_from + gap.step)
        return replace(_moved(self, gap.step), watched_from=watched_from, apart=apart)

    def beside(self, job: JobName) -> Episode:
        """The last episode of what went wrong here and was no entry of `job` as well."""
        return self.apart.get(job, self)


E = TypeVar("E", bound=Episode)


def _moved(episode: E, step: int) -> E:
    if episode.since is None or episode.last is None:
        return episode
    return replace(episode, since=Usec(episode.since + step), last=Usec(episode.last + step))


class Memory:
    """The troubles of all jobs while one batch is read: an error costs a few list items, not a new value.

    Lives as long as the decision that reads the batch. Jobs that are not configured are passed over.
    """

    def __init__(self, troubles: Mapping[JobName, Trouble]) -> None:
        self._before = troubles
        self._open: dict[JobName, _Telling] = {}

    def note(self, job: JobName, at: Usec, *, critical: bool, shared: Sequence[JobName] = ()) -> None:
        """One more error, of an entry that is `shared` with these other jobs.

        One that seems older than the last (the clock was set back) ends nothing.
        """
        telling = self._open.get(job)
        if telling is None:
            trouble = self._before.get(job)
            if trouble is None:
                return
            telling = self._open[job] = _Telling(trouble)
        telling.note(at, critical=critical, shared=shared)

    def changed(self) -> dict[JobName, Trouble]:
        """The troubles that differ from before."""
        return {job: telling.sealed() for job, telling in self._open.items()}

    def known(self) -> Mapping[JobName, Trouble]:
        """All of them, as they are known at this point of the batch."""
        return {**self._before, **self.changed()}


class _Telling:
    """One trouble, to be changed: the episode of all its errors, and those apart from other jobs."""

    __slots__ = ("_apart", "_trouble", "_whole")

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._whole = _Counted(trouble)
        self._apart = {job: _Counted(episode) for job, episode in trouble.apart.items()}

    def note(self, at: Usec, *, critical: bool, shared: Sequence[JobName]) -> None:
        for job in shared:
            if job not in self._apart:  # up to now nothing was in common
                self._apart[job] = self._whole.copy()
        watched_from = self._trouble.watched_from
        self._whole.note(at, critical=critical, watched_from=watched_from)
        for job, apart in self._apart.items():
            if job not in shared:
                apart.note(at, critical=critical, watched_from=watched_from)

    def sealed(self) -> Trouble:
        """What was in common is forgotten as soon as it makes no difference any more."""
        whole = self._whole.sealed()
        apart = {job: one for job, counted in self._apart.items() if (one := counted.sealed()) != whole}
        return replace(
            self._trouble,
            since=whole.since,
            last=whole.last,
            quiet=whole.quiet,
            errors=whole.errors,
            critical=whole.critical,
            apart=apart,
        )


class _Counted:
    """The numbers of one episode, to be changed."""

    __slots__ = ("critical", "errors", "last", "quiet", "since")

    def __init__(self, episode: Episode) -> None:
        self.since, self.last, self.quiet = episode.since, episode.last, episode.quiet
        self.errors, self.critical = episode.errors, episode.critical

    def copy(self) -> _Counted:
        return _Counted(self.sealed())

    def note(self, at: Usec, *, critical: bool, watched_from: Usec) -> None:
        if self.last is None or at - self.last >= QUIET:
            before = watched_from if self.last is None else self.last
            self.since, self.last, self.quiet = at, at, Usec(max(at - before, 0))
            self.errors, self.critical = 1, int(critical)
            return
        self.last = max(self.last, at)
        self.errors += 1
        self.critical += critical

    def sealed(self) -> Episode:
        return Episode(since=self.since, last=self.last, quiet=self.quiet, errors=self.errors, critical=self.critical)


def remembered(
    known: Mapping[JobName, Trouble], policies: Mapping[JobName, JobPolicy], at: Usec
) -> dict[JobName, Trouble]:
    """The memory for these jobs: kept where a job is watched as before, begun anew at `at` where it is not."""
    return {
        job: _of_these(known[job], policies)
        if job in known and known[job].rules_hash == policy.rules_hash
        else Trouble(watched_from=at, rules_hash=policy.rules_hash)
        for job, policy in policies.items()
    }


def _of_these(trouble: Trouble, policies: Mapping[JobName, JobPolicy]) -> Trouble:
    gone = trouble.apart.keys() - policies.keys()
    if not gone:
        return trouble
    return replace(trouble, apart={job: one for job, one in trouble.apart.items() if job not in gone})


def errors_in(found: Sequence[Found]) -> Iterator[tuple[Found, bool, Sequence[JobName]]]:
    """Each find in its order, whether it is an error of its job, and the other jobs whose entry it is as well."""
    place, end = 0, len(found)
    while place < end:
        first = found[place]
        after = place + 1
        while after < end and found[after].cursor == first.cursor:
            after += 1
        if after == place + 1:
            yield first, _is_error(first), ()
        else:
            yield from _of_one_entry(found[place:after])
        place = after


def _of_one_entry(found: Sequence[Found]) -> Iterator[tuple[Found, bool, Sequence[JobName]]]:
    jobs = dict.fromkeys(one.job for one in found)
    for one in found:
        yield one, _is_error(one), [job for job in jobs if job != one.job]


def _is_error(found: Found) -> bool:
    """By rule, and failed runs: what is told of an error's kind stands beside its match."""
    if isinstance(found, RunEnded):
        return found.outcome is RunOutcome.FAILED
    return isinstance(found, Match) and found.severity.at_least(Severity.ERROR)
