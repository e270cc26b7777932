"""Whether a failure looks like the machine's rather than the release's: a full disk, a name server, a reboot.

The evidence is another job that had no release and began to fail in the same span. It only ever holds a rollback,
never starts one, and without evidence nothing is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from watcher.core.draft import Draft
from watcher.core.duration import MINUTE, Usec
from watcher.core.names import JobName
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release
from watcher.core.trouble import Episode, Trouble

NEAR, FAR = Usec(2 * MINUTE), Usec(15 * MINUTE)
"""How far back from the failure another job's trouble may have begun: as far as the window, within these bounds."""
ERRORS = 2
"""So many errors are a trouble; a critical one is by itself."""
_NAMED = 5


def shared_cause(draft: Draft, troubles: Mapping[JobName, Trouble], release: Release, at: Usec) -> Reason | None:
    """The other jobs that began to fail with `release`, which fails at `at`; None if there are none.

    `troubles` is what was seen up to that very entry. A job counts if its episode began within the time that the
    release took to fail (at least NEAR, at most FAR), after it had been quiet for as long, and if it had no release
    meanwhile. Entries that are the released job's as well are no evidence; those of two other jobs are, for both.
    """
    if release.started_at is None:
        return None
    took = _took(release.started_at, at)
    opened = Usec(at - max(took, NEAR))
    others = sorted(
        job
        for job, trouble in troubles.items()
        if job != release.job
        and _began(trouble.beside(release.job), opened, at, took)
        and not _was_released(draft, job, opened)
    )
    if not others:
        return None
    return Reason(
        code=ReasonCode.SHARED_CAUSE, what=", ".join(_named(others)), count=len(others), span=Usec(at - opened)
    )


def as_of(cause: Reason, release: Release, at: Usec) -> Reason:
    """The shared cause of a release that fails at `at`, with the span that was looked at."""
    start = at if release.started_at is None else release.started_at
    return replace(cause, span=Usec(max(_took(start, at), NEAR)))


def _took(start: Usec, at: Usec) -> Usec:
    return Usec(min(max(at - start, 0), FAR))


def _began(trouble: Episode, opened: Usec, at: Usec, took: Usec) -> bool:
    if trouble.since is None or not opened <= trouble.since <= at:
        return False
    return trouble.quiet >= took and (trouble.errors >= ERRORS or trouble.critical > 0)


def _was_released(draft: Draft, job: JobName, opened: Usec) -> bool:
    """Whether the job had a release of its own that may be the cause of its trouble.

    By its instants, not by its phase: that a window is over may be known sooner or later.
    """
    last = draft.before.last.get(job)
    release = None if last is None else draft.release(last)
    if release is None:
        return False
    end = release.ends_at if release.ended_at is None else release.ended_at
    return end is None or end >= opened


def _named(jobs: list[JobName]) -> Iterator[str]:
    yield from jobs[:_NAMED]
    if len(jobs) > _NAMED:
        yield f"and {len(jobs) - _NAMED} more"
