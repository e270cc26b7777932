"""How a release ends, and what then becomes of its rollback. The only place that decides to roll back.

The invariant: one rollback a release, for ever. It is queued only from `none` or `held`, and nothing leads back to
`none` or `held` once it was claimed (`windows.ROLLBACKS`).
"""

from __future__ import annotations

from dataclasses import replace

from watcher.core import counters
from watcher.core.draft import Draft
from watcher.core.duration import HOUR, Usec
from watcher.core.messages import QueueRollback, Transition, TransitionKind, WriteNote
from watcher.core.policy import Mode
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, Release, Rollback, RollbackState
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
    """The release failed at the instant `at`: end its window, and decide about the rollback by its mode."""
    failed = change_phase(draft, release, Phase.FAILED, at=at, reasons=reasons, author=author)
    plan = failed.policy.release.rollback
    if plan is None or failed.mode is Mode.OBSERVE:
        why = failed.demoted or Reason(code=ReasonCode.MODE, what=failed.mode)
        kept = replace(failed.rollback, reason=why)
        failed = replace(failed, rollback=kept)
        draft.put(failed)
        return failed
    hold = _why_held(draft, failed, at)
    if hold is not None:
        return change_rollback(draft, failed, Rollback(state=RollbackState.HELD, reason=hold), author=author)
    return queue(draft, failed, reasons[0], author=author)


def queue(draft: Draft, release: Release, reason: Reason, *, author: str = "") -> Release:
    """Decide that the rollback runs, and hand it over once that is durable."""
    rollback = Rollback(state=RollbackState.QUEUED, reason=reason, queued_at=draft.at)
    queued = change_rollback(draft, release, rollback, author=author)
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


def _why_held(draft: Draft, release: Release, at: Usec) -> Reason | None:
    if release.mode is Mode.ASK:
        return Reason(code=ReasonCode.MODE, what=release.mode)
    return pause_reason(draft, release) or stale_reason(draft, at)
