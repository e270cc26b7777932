"""What went wrong with each job lately: just enough to see that it began to fail, without any baseline.

An episode is a row of errors, from the first one after a quiet time on; it ends when nothing was wrong for QUIET. Of
each job one is remembered, in six numbers. It is part of the durable state, so that a restart forgets nothing, and goes
by the entries' own instants, in the journal's order: live and in replay, whole and in pieces, it is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from watcher.core.duration import MINUTE, Usec
from watcher.core.found import Found, Match
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

    def with_error(self, at: Usec, *, critical: bool) -> Trouble:
        """This memory with one more error. One that seems older than the last (the clock was set back) ends nothing."""
        more = 1 if critical else 0
        if self.last is None or at - self.last >= QUIET:
            before = self.watched_from if self.last is None else self.last
            return replace(self, since=at, last=at, quiet=Usec(max(at - before, 0)), errors=1, critical=more)
        return replace(self, last=max(self.last, at), errors=self.errors + 1, critical=self.critical + more)


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


def errors_in(found: Iterable[Found]) -> Iterator[tuple[Found, bool]]:
    """Each find in its order, and whether it is an error of its job alone.

    An entry of two jobs tells nothing about the one that it does not tell about the other, so it is nobody's.
    """
    for _, group in groupby(found, key=lambda one: one.cursor):
        same = list(group)
        alone = len({one.job for one in same}) == 1
        yield from ((one, alone and _is_error(one)) for one in same)


def _is_error(found: Found) -> bool:
    """By rule only: what is told of an error's kind stands beside its match."""
    return isinstance(found, Match) and found.severity.at_least(Severity.ERROR)
