"""What keeps releases and rollbacks from chasing each other in a circle.

A release that comes out of a rollback is only observed, a version that was rolled back is not released again by
mistake, and a release that never went out stands in nobody's way. Each answer comes with its reason.
"""

from __future__ import annotations

from watcher.core.draft import Draft
from watcher.core.messages import RefusalCode, Refused
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import JobPolicy, Mode
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import CommandResult, Phase, Release, ReleaseRequest, RollbackState

NOT_RUN = frozenset({RollbackState.NONE, RollbackState.HELD})


def current(draft: Draft, job: JobName) -> ReleaseId | None:
    """The job's release that counts: the newest one, or the one before it if that was cancelled.

    One step back is enough: what a release follows is what counted when it was registered.
    """
    last = draft.before.last.get(job)
    release = None if last is None else draft.release(last)
    return release.follows if release is not None and release.phase is Phase.CANCELLED else last


def refuse_repeat(draft: Draft, request: ReleaseRequest) -> Refused | None:
    """The refusal of a version whose last release was rolled back, unless somebody insists and says why."""
    same = [
        one
        for one in draft.before.releases.values()
        if (one.job, one.request.version) == (request.job, request.version)
    ]
    newest = max(same, key=lambda one: one.registered_at, default=None)
    if newest is None or newest.rollback.state in NOT_RUN or (request.force and request.reason.strip()):
        return None
    return Refused(
        code=RefusalCode.CONFLICT,
        message=f"version {request.version} of job {request.job} was rolled back (release {newest.id})",
        hint="to release it all the same: --force --reason TEXT",
    )


def demotion(draft: Draft, request: ReleaseRequest, policy: JobPolicy, *, is_checked: bool = True) -> Reason | None:
    """Why the release may only be observed, whatever mode was asked for; None if nothing stands against that mode.

    Not `is_checked`: the rollback's check is yet to come, and its result is not asked for.
    """
    if (request.mode or policy.release.mode) is Mode.OBSERVE:
        return None
    if request.inside_rollback is not None:
        return Reason(code=ReasonCode.INSIDE_ROLLBACK, what=request.inside_rollback)
    undone = _undone(draft, request)
    if undone is not None:
        return Reason(code=ReasonCode.ROLLED_BACK_TO, what=undone.id)
    plan = policy.release.rollback
    return None if plan is None or not plan.check or not is_checked else _unchecked(plan.check, request.check)


def _undone(draft: Draft, request: ReleaseRequest) -> Release | None:
    """The job's release whose rollback leads to the version that is now registered."""
    last = current(draft, request.job)
    release = None if last is None else draft.release(last)
    if release is None or release.rollback.state in NOT_RUN or release.previous != request.version:
        return None
    return release


def _unchecked(check: tuple[str, ...], result: CommandResult | None) -> Reason | None:
    if result is None or result.command != check:
        return Reason(code=ReasonCode.CHECK, what="was not run")
    return Reason(code=ReasonCode.CHECK, what=f"failed ({result.outcome})") if result.exit_code else None
