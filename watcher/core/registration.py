"""How a release comes into the record: registered, prepared, deployed."""

from __future__ import annotations

from dataclasses import replace

from watcher.core import counters, verifying
from watcher.core.draft import Draft
from watcher.core.duration import Usec, format_duration
from watcher.core.ending import change_phase, change_rollback, matches_of
from watcher.core.guards import current, demotion, refuse_repeat
from watcher.core.messages import (
    Accepted,
    Answer,
    ReadBaseline,
    RefusalCode,
    Refused,
    ReleaseDeployed,
    ReleaseRequested,
    Transition,
    TransitionKind,
)
from watcher.core.names import ReleaseId, is_safe_name
from watcher.core.policy import SHORTEST_WINDOW, Blame, JobPolicy, Mode, ReleasePolicy
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, Release, ReleaseRequest, Rollback, RollbackState
from watcher.core.state import OPEN_PHASES
from watcher.core.trial import new_trial


def register(draft: Draft, event: ReleaseRequested) -> Answer:
    """Open a release, or say why not; the same request with the same id is answered by the release that is there.

    A dry run is answered by the release that it would be, and changes nothing.
    """
    request = event.request
    release_id = request.id or event.fresh_id
    known = draft.release(release_id)
    if known is not None:
        return _again(known, request)
    policy = draft.before.policies.get(request.job)
    if policy is None:
        return _unknown_job(draft, request.job)
    refusal = _refuse(release_id, request, policy) or refuse_repeat(draft, request)
    if refusal is not None:
        return refusal
    demoted = demotion(draft, request, policy, is_checked=not event.dry_run)
    release = _new(draft, release_id, request, policy, demoted)
    if event.dry_run:
        return Accepted(release)
    supersede(draft, request, release_id)
    draft.put(release)
    if release.trial.waits:
        draft.command(ReadBaseline(release.id))
    draft.tell(
        Transition(
            at=event.at,
            kind=TransitionKind.PHASE,
            before="",
            after=release.phase,
            release=release.id,
            job=release.job,
            reasons=() if release.demoted is None else (release.demoted,),
            author=request.author,
            text=request.reason,
        ),
    )
    return Accepted(release if request.prepare else start_clock(draft, release))


def deploy(draft: Draft, event: ReleaseDeployed) -> Answer:
    """Start the clock of a prepared release; doing so again changes nothing."""
    release = draft.release(event.release)
    if release is None:
        return unknown_release(event.release)
    if release.phase is not Phase.PREPARING:
        if release.started_at is not None:
            return Accepted(release)
        return Refused(
            code=RefusalCode.WRONG_PHASE,
            message=f"release {release.id} is {release.phase}: it can't be deployed any more",
            hint="register a new release",
        )
    watching = change_phase(draft, release, Phase.WATCHING, at=event.at, author=event.author)
    return Accepted(start_clock(draft, watching))


def start_clock(draft: Draft, release: Release) -> Release:
    """The window opens now; the counters of this instant are the metric before.

    Rules that were changed while it was prepared are changed for the whole window: what its thresholds and its baseline
    were made for is not what is read.
    """
    trial = release.trial.started(draft.at, length=release.window, settle=release.policy.release.settle)
    started = replace(
        release,
        trial=replace(trial, rules_changed_at=draft.rules_changed_at(release)),
        entries_before=draft.counter(counters.ENTRIES, release.job),
        matches_before=matches_of(draft, release),
    )
    draft.put(started)
    return started


def supersede(draft: Draft, request: ReleaseRequest, release_id: ReleaseId) -> None:
    """End whatever still waits for the job: a newer release makes judgements and rollbacks of the old one moot."""
    reason = Reason(code=ReasonCode.NEWER_RELEASE, what=release_id)
    for release in list(draft.before.releases.values()):
        if release.job != request.job:
            continue
        if release.phase in OPEN_PHASES:
            change_phase(draft, release, Phase.SUPERSEDED, at=draft.at, reasons=(reason,), author=request.author)
        elif release.rollback.state is RollbackState.HELD:
            dropped = Rollback(reason=reason, queued_at=release.rollback.queued_at)
            change_rollback(draft, release, dropped, author=request.author)
        elif request.inside_rollback != release.id:
            verifying.give_up(draft, release, reason)


def unknown_release(release_id: ReleaseId) -> Refused:
    """No release of that id was ever registered."""
    return Refused(
        code=RefusalCode.UNKNOWN_RELEASE,
        message=f"{release_id}: no such release",
        hint="`watcher release list` shows them",
    )


def _again(known: Release, request: ReleaseRequest) -> Answer:
    if _content(known.request) == _content(replace(request, id=known.request.id)):
        return Accepted(known)
    return Refused(
        code=RefusalCode.CONFLICT,
        message=f"{known.id}: a release with this id and other content is registered",
        hint=f"`watcher release show {known.id}` shows it; give the new release an id of its own",
    )


def _content(request: ReleaseRequest) -> ReleaseRequest:
    return replace(request, author="", backup=None, check=None, inside_rollback=None, force=False)


def _unknown_job(draft: Draft, job: str) -> Refused:
    names = ", ".join(sorted(draft.before.policies)) or "none"
    return Refused(
        code=RefusalCode.UNKNOWN_JOB,
        message=f"{job}: no such job in the configuration",
        hint=f"configured jobs: {names}",
    )


def _refuse(release_id: ReleaseId, request: ReleaseRequest, policy: JobPolicy) -> Refused | None:
    if not is_safe_name(release_id):
        return _bad(
            f"{release_id!r} is no release id",
            hint="use up to 64 letters, digits, dots, dashes and underscores, the first a letter or digit",
        )
    if request.window is not None and request.window < SHORTEST_WINDOW:
        shortest = format_duration(SHORTEST_WINDOW)
        return _bad(f"a window of {format_duration(request.window)} is too short", hint=f"give at least {shortest}")
    mode = request.mode or policy.release.mode
    if mode is not Mode.OBSERVE and policy.release.rollback is None:
        return _bad(f"mode {mode}: job {policy.name} has no rollback command", hint="configure `rollback.command`")
    if mode is Mode.ROLLBACK and not policy.release.trusted:
        return _bad(
            f"mode {mode}: entries of job {policy.name} can be sent by any local user",
            hint="use mode observe or ask, or give the rules a trusted field in `where`",
        )
    return None


def _bad(message: str, *, hint: str) -> Refused:
    return Refused(code=RefusalCode.BAD_REQUEST, message=message, hint=hint)


def _new(
    draft: Draft, release_id: ReleaseId, request: ReleaseRequest, policy: JobPolicy, demoted: Reason | None
) -> Release:
    release = _settling(policy.release, request.window)
    return Release(
        id=release_id,
        request=request,
        policy=replace(policy, release=release),
        mode=Mode.OBSERVE if demoted is not None else request.mode or release.mode,
        owner=request.owner or policy.owner or request.author,
        previous=request.previous or _last_good_version(draft, request),
        registered_at=draft.at,
        window=release.window if request.window is None else request.window,
        phase=Phase.PREPARING if request.prepare else Phase.WATCHING,
        trial=new_trial(
            release.thresholds,
            since=draft.at,
            blames_all=release.blame is Blame.ALL,
            runs_wanted=release.window_runs,
            must_run=release.must_run,
        ),
        demoted=demoted,
        follows=current(draft, request.job),
    )


def _settling(policy: ReleasePolicy, window: Usec | None) -> ReleasePolicy:
    """The policy for a window of its own length: one that `settle` would fill settles in a tenth of it."""
    if window is None or window > policy.settle:
        return policy
    return replace(policy, settle=Usec(window // 10))


def _last_good_version(draft: Draft, request: ReleaseRequest) -> str | None:
    last = draft.before.last.get(request.job)
    release = None if last is None else draft.release(last)
    if release is not None and release.phase is Phase.CANCELLED and release.started_at is None:
        release = None if release.follows is None else draft.release(release.follows)  # the last one never went out
    if release is None:
        return None
    if release.phase is Phase.PASSED:
        return release.request.version
    # rolled back to what stood before it; of any other end nobody knows what runs now
    return release.previous if release.rollback.state is RollbackState.SUCCEEDED else None
