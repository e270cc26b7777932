"""The one decision: `decide(state, event) -> Decision`.

No I/O, no clock, no logging; the same state and events give the same decisions, live, after a restart and in replay.
An exception here is a bug: the daemon stops, nothing of the event is stored, and a restart goes on from the store.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from watcher.core import counters, verifying
from watcher.core.draft import Draft
from watcher.core.duration import Usec
from watcher.core.ending import change_phase, change_rollback, pause_reason, queue_again, stale_reason
from watcher.core.guards import current
from watcher.core.judging import count_batch, judge_batch, take_baseline
from watcher.core.messages import (
    BaselineRead,
    BatchRead,
    Event,
    PauseRequested,
    PersonDecided,
    QueueReviewed,
    ReaderRestarted,
    ReleaseDeployed,
    ReleaseRequested,
    ResumeRequested,
    RollbackObserved,
    SettingsLoaded,
)
from watcher.core.persons import judge, pause, resume
from watcher.core.policy import JobPolicy
from watcher.core.reason import Reason, ReasonCode
from watcher.core.registration import deploy, register
from watcher.core.release import UNDER_WAY, Phase, Release, Rollback, RollbackState
from watcher.core.state import OPEN_PHASES, Decision, State
from watcher.core.trouble import remembered


def decide(state: State, event: Event) -> Decision:  # noqa: C901 - one arm for each event
    """What follows from `event` in `state`. The caller stores the decision, adopts its state, then acts on it."""
    draft = Draft(before=state, at=event.at)
    match event:
        case BatchRead():
            return _read(draft, event)
        case BaselineRead():
            take_baseline(draft, event)
            return draft.seal()
        case ReaderRestarted():
            draft.count(counters.RESTARTS, event.reason)
            return draft.seal()
        case ReleaseRequested():
            return draft.seal(register(draft, event))
        case ReleaseDeployed():
            return draft.seal(deploy(draft, event))
        case PersonDecided():
            return draft.seal(judge(draft, event))
        case PauseRequested():
            return draft.seal(pause(draft, event))
        case ResumeRequested():
            return draft.seal(resume(draft, event))
        case SettingsLoaded():
            return _configure(draft, event)
        case RollbackObserved():
            _follow_rollback(draft, event)
            return draft.seal()
        case QueueReviewed():
            _review(draft, event)
            return draft.seal()
    assert_never(event)


def _read(draft: Draft, batch: BatchRead) -> Decision:
    count_batch(draft, batch)
    judge_batch(draft, batch)
    before, is_back = draft.before, any(gap.step < 0 for gap in batch.gaps)
    return draft.seal(
        position=batch.position,
        read_until=Usec(batch.read_until if is_back else max(batch.read_until, before.read_until or 0)),
        last_entry_at=before.last_entry_at if batch.last_entry_at is None else batch.last_entry_at,
    )


def _configure(draft: Draft, event: SettingsLoaded) -> Decision:
    for release in list(draft.before.releases.values()):
        policy = event.policies.get(release.job)
        if release.is_verifying:
            _configure_verification(draft, release, policy)
        if release.phase not in OPEN_PHASES:
            continue
        if policy is None:
            reason = Reason(code=ReasonCode.JOB_REMOVED)
            change_phase(draft, release, Phase.INCONCLUSIVE, at=event.at, reasons=(reason,))
        elif policy.rules_hash != release.policy.rules_hash and _is_first_change(release):
            draft.put(replace(release, trial=replace(release.trial, rules_changed_at=event.at)))
    known = {**counters.zeroes(event.policies.values()), **draft.before.counters, **draft.counted}
    before = draft.before.troubles
    after = remembered(before, event.policies, event.at)
    draft.troubles |= {job: after.get(job) for job in {*before, *after} if before.get(job) != after.get(job)}
    return draft.seal(policies=dict(event.policies), counters=known, rollbacks_per_hour=event.rollbacks_per_hour)


def _configure_verification(draft: Draft, release: Release, policy: JobPolicy | None) -> None:
    verification = release.verification
    if policy is None:
        verifying.give_up(draft, release, Reason(code=ReasonCode.JOB_REMOVED))
    elif verification is not None and policy.rules_hash != release.policy.rules_hash:
        trial = verification.trial
        if trial.rules_changed_at is None:
            changed = replace(verification, trial=replace(trial, rules_changed_at=draft.at))
            draft.put(replace(release, verification=changed))


def _is_first_change(release: Release) -> bool:
    """A release that is still being prepared has seen nothing yet, so nothing of it was judged by other rules."""
    return release.phase is Phase.WATCHING and release.trial.rules_changed_at is None


def _follow_rollback(draft: Draft, event: RollbackObserved) -> None:
    release = draft.release(event.release)
    if release is None or not _may_go_on(release.rollback):
        return  # over, or not ours to judge: a claim outlives the store that asked for it
    if release.rollback.state is event.state:
        return
    if event.state is RollbackState.HELD:
        if release.rollback.state is RollbackState.QUEUED:
            change_rollback(draft, release, _taken_back(release, RollbackState.HELD, event.reason))
        return
    if release.rollback.state is not RollbackState.RUNNING:
        draft.count(counters.ROLLBACKS, release.job)
    if release.rollback.state not in UNDER_WAY:
        release = verifying.prepared(draft, release)  # what came while it was taken back was read without being judged
    observed = replace(
        release.rollback,
        state=event.state,
        exit_code=event.exit_code,
        started_at=event.started_at or release.rollback.started_at,
        finished_at=event.finished_at,
        detail=event.detail,
        output=event.output,
    )
    if event.state is not RollbackState.RUNNING:
        _count_end(draft, release, observed)
    moved = change_rollback(draft, release, observed)
    if event.state is RollbackState.SUCCEEDED:
        verifying.begin(draft, moved)


def _may_go_on(rollback: Rollback) -> bool:
    """Handed over and not over; or handed over and taken back, as it may have been claimed in the same moment."""
    if rollback.state in (RollbackState.HELD, RollbackState.NONE):
        return rollback.queued_at is not None
    return rollback.state in (RollbackState.QUEUED, RollbackState.RUNNING)


def _taken_back(release: Release, state: RollbackState, reason: Reason | None) -> Rollback:
    """Held or dropped after it was handed over; that it was is remembered by its instant."""
    return Rollback(state=state, reason=reason, queued_at=release.rollback.queued_at)


def _count_end(draft: Draft, release: Release, rollback: Rollback) -> None:
    if rollback.state is not RollbackState.SUCCEEDED:
        draft.count(counters.ROLLBACK_FAILURES, release.job)
    if rollback.started_at is not None and rollback.finished_at is not None:
        took = Usec(max(rollback.finished_at - rollback.started_at, 0))
        le = counters.bucket(took, counters.DURATION_BUCKETS)
        draft.count(f"{counters.ROLLBACK_DURATION}_bucket", release.job, le)
        draft.count(f"{counters.ROLLBACK_DURATION}_sum_usec", release.job, by=took)


def _review(draft: Draft, event: QueueReviewed) -> None:
    for release_id in event.unclaimed:
        release = draft.release(release_id)
        if release is None or release.rollback.state is not RollbackState.QUEUED:
            continue
        newest = current(draft, release.job)
        if newest != release.id:
            newer = Reason(code=ReasonCode.NEWER_RELEASE, what=newest or "")
            change_rollback(draft, release, _taken_back(release, RollbackState.NONE, newer))
            continue
        hold = Reason(code=ReasonCode.DISARMED) if event.disarmed else _hold_queued(draft, release)
        if hold is None:
            queue_again(draft, release)
        else:
            change_rollback(draft, release, _taken_back(release, RollbackState.HELD, hold))


def _hold_queued(draft: Draft, release: Release) -> Reason | None:
    reason = release.rollback.reason
    by_person = reason is not None and reason.code is ReasonCode.PERSON
    pause = None if by_person else pause_reason(draft, release)
    return pause or stale_reason(draft, release.rollback.queued_at or draft.at)
