"""How a release ends, and what then becomes of its rollback. The only place that decides to roll back.

The invariant: one rollback a release, for ever. It is queued only from `none` or `held`, and nothing leads back to
`none` or `held` once it was claimed (`windows.ROLLBACKS`).
"""

from __future__ import annotations

from dataclasses import replace

from watcher.core import counters, verifying
from watcher.core.draft import Draft
from watcher.core.duration import HOUR, Usec
from watcher.core.messages import QueueRollback, Transition, TransitionKind, WriteNote
from watcher.core.policy import Mode
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, Proposal, Release, Rollback, RollbackState
from watcher.core.windows import is_final, move_phase, move_rollback

ROLLBACK_DEADLINE = HOUR
"""A failure that is decided later than this is old news (a backlog, a long stop): a person decides."""


def change_phase(
    draft: Draft, release: Release, phase: Phase, *, at: Usec, reasons: tuple[Reason, ...] = (), author: str = ""
) -> Release:
    """Move the release to `phase` as of the instant `at`, with everything that follows from that but its rollback."""
    moved = move_phase(release, phase, at=at, reasons=reasons)
    if is_final(phase):
        moved = replace(
            moved,
            entries_after=draft.counter(counters.ENTRIES, release.job),
            matches_after=matches_of(draft, release),
            trial=replace(moved.trial, witnessed=()),  # what still waits is judged no more
        )
        draft.command(WriteNote(release.id))
        if moved.verdict is not None:
            draft.count(counters.VERDICTS, release.job, moved.verdict)
    draft.put(moved)
    draft.tell(
        Transition(
            at=at,
            kind=TransitionKind.PHASE,
            before=release.phase,
            after=phase,
            release=release.id,
            job=release.job,
            reasons=reasons,
            author=author,
        ),
    )
    return moved


def fail(draft: Draft, release: Release, *, at: Usec, reasons: tuple[Reason, ...], author: str = "") -> Release:
    """The release failed at the instant `at`: end its window, and decide about the rollback by its mode.

    A shared cause among the reasons holds the rollback. What mode rollback would do is kept in any mode.
    """
    failed = change_phase(draft, release, Phase.FAILED, at=at, reasons=reasons, author=author)
    plan = failed.policy.release.rollback
    proposal = None if plan is None else _proposal(draft, failed, at)
    failed = replace(failed, proposal=proposal)
    if proposal is None or failed.mode is Mode.OBSERVE:
        why = failed.demoted or Reason(code=ReasonCode.MODE, what=failed.mode)
        failed = replace(failed, rollback=replace(failed.rollback, reason=why))
        draft.put(failed)
        return failed
    if failed.mode is Mode.ASK:
        hold = Reason(code=ReasonCode.MODE, what=failed.mode)
        return change_rollback(draft, failed, Rollback(state=RollbackState.HELD, reason=hold), author=author)
    if proposal.state is RollbackState.HELD:
        return change_rollback(draft, failed, Rollback(state=proposal.state, reason=proposal.reason), author=author)
    return queue(draft, failed, proposal.reason, author=author)


def queue(draft: Draft, release: Release, reason: Reason, *, author: str = "") -> Release:
    """Decide that the rollback runs, and hand it over once that is durable."""
    rollback = Rollback(state=RollbackState.QUEUED, reason=reason, queued_at=draft.at)
    queued = change_rollback(draft, verifying.prepared(draft, release), rollback, author=author)
    draft.rollbacks = (*recent_rollbacks(draft), draft.at)
    draft.command(QueueRollback(release.id))
    return queued


def queue_again(draft: Draft, release: Release) -> None:
    """Hand over once more what was handed over and not yet claimed."""
    draft.command(QueueRollback(release.id))


def change_rollback(draft: Draft, release: Release, rollback: Rollback, *, author: str = "") -> Release:
    """Move the rollback of the release to its next state, and have the note written anew."""
    moved = move_rollback(release, rollback)
    draft.put(moved)
    draft.command(WriteNote(release.id))
    draft.tell(
        Transition(
            at=draft.at,
            kind=TransitionKind.ROLLBACK,
            before=release.rollback.state,
            after=rollback.state,
            release=release.id,
            job=release.job,
            reasons=(rollback.reason,) if rollback.reason is not None else (),
            author=author,
            text=rollback.detail,
        ),
    )
    return moved


def matches_of(draft: Draft, release: Release) -> int:
    """The job's matches of all rules since the counters began."""
    rules = release.policy.rules.items()
    return sum(draft.counter(counters.MATCHES, release.job, rule, severity) for rule, severity in rules)


def pause_reason(draft: Draft, release: Release) -> Reason | None:
    """Why automatic rollbacks of the job are held now."""
    pause = draft.before.pause_of(release.job, draft.at)
    return None if pause is None else Reason(code=ReasonCode.PAUSED, what=pause.reason)


def stale_reason(draft: Draft, since: Usec) -> Reason | None:
    """Why a rollback that was due at `since` is too old to run by itself."""
    age = Usec(draft.at - since)
    if age <= ROLLBACK_DEADLINE:
        return None
    return Reason(code=ReasonCode.STALE, span=age, within=ROLLBACK_DEADLINE)


def recent_rollbacks(draft: Draft) -> tuple[Usec, ...]:
    """When rollbacks were handed over in the last hour.

    One that seems to lie more than an hour ahead was handed over before the clock was set back: nobody knows how long
    ago, and it must not count until that instant comes again.
    """
    known = draft.before.rollbacks if draft.rollbacks is None else draft.rollbacks
    return tuple(at for at in known if -HOUR < draft.at - at < HOUR)


def _proposal(draft: Draft, release: Release, at: Usec) -> Proposal:
    shared = next((one for one in release.reasons if one.code is ReasonCode.SHARED_CAUSE), None)
    hold = pause_reason(draft, release) or stale_reason(draft, at) or shared or _rules_reason(release)
    hold = hold or _budget_reason(draft)
    if hold is not None:
        return Proposal(state=RollbackState.HELD, reason=hold)
    return Proposal(state=RollbackState.QUEUED, reason=_as_cause(release.reasons[0]))


def _as_cause(reason: Reason) -> Reason:
    """Why the mode rolls back: a person's verdict is no order to roll back, which a pause would not hold."""
    if reason.code is ReasonCode.PERSON:
        return replace(reason, code=ReasonCode.FAILED_BY_PERSON)
    return reason


def _rules_reason(release: Release) -> Reason | None:
    """Rules that the window was not opened with may have found what failed it; they are no part of a person's word."""
    if release.trial.rules_changed_at is None or release.reasons[0].code is ReasonCode.PERSON:
        return None
    return Reason(code=ReasonCode.RULES_CHANGED)


def _budget_reason(draft: Draft) -> Reason | None:
    started, limit = len(recent_rollbacks(draft)), draft.before.rollbacks_per_hour
    if started < limit:
        return None
    return Reason(code=ReasonCode.BUDGET, count=started, limit=limit, span=HOUR)
