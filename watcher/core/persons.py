"""What a person may decide about a release, and about all automatic rollbacks."""

from __future__ import annotations

from dataclasses import replace

from watcher.core.draft import Draft
from watcher.core.duration import Usec, format_duration
from watcher.core.ending import change_phase, change_rollback, fail, queue, queue_again
from watcher.core.guards import current
from watcher.core.messages import (
    Accepted,
    Answer,
    Judgement,
    PauseRequested,
    PersonDecided,
    RefusalCode,
    Refused,
    ResumeRequested,
    Transition,
    TransitionKind,
)
from watcher.core.names import JobName
from watcher.core.opinions import note_opinion
from watcher.core.reason import Reason, ReasonCode
from watcher.core.registration import unknown_release
from watcher.core.release import Phase, Release, Rollback, RollbackState
from watcher.core.state import OPEN_PHASES, Pause
from watcher.core.windows import is_final

_WAITING = frozenset({RollbackState.NONE, RollbackState.HELD})
_OVER = frozenset({RollbackState.FAILED, RollbackState.UNKNOWN})


def judge(draft: Draft, event: PersonDecided) -> Answer:
    """Carry out a person's decision about a release, or say why not. Only `extend` adds up when it is repeated."""
    release = draft.release(event.release)
    if release is None:
        return unknown_release(event.release)
    if not event.reason.strip():
        return Refused(code=RefusalCode.BAD_REQUEST, message="a decision needs a reason", hint="give --reason TEXT")
    reason = Reason(code=ReasonCode.PERSON, what=event.reason)
    match event.judgement:
        case Judgement.PASS:
            return _pass(draft, event, release, reason)
        case Judgement.CANCEL:
            return _cancel(draft, event, release, reason)
        case Judgement.EXTEND:
            return _extend(draft, event, release)
        case Judgement.FAIL:
            return _fail(draft, event, release, reason)
        case Judgement.ROLLBACK:
            return _roll_back(draft, event, release, reason)


def pause(draft: Draft, event: PauseRequested) -> Answer:
    """Hold automatic rollbacks; a pause of the same job, or of all, is replaced, unless it stays."""
    if event.job is not None and event.job not in draft.before.policies:
        return _unknown_job(event.job)
    new = Pause(
        job=event.job, reason=event.reason, author=event.author, since=event.at, until=event.until, stays=event.stays
    )
    staying = () if event.stays else (one for one in draft.before.pauses if one.job == event.job and one.stays)
    draft.pauses = (*_others(draft, event.job), *staying, new)
    _tell(draft, event, "running", "paused", event.reason)
    return Accepted(None)


def resume(draft: Draft, event: ResumeRequested) -> Answer:
    """Let automatic rollbacks happen again; where nothing was held, nothing changes."""
    if not any(one.job == event.job and one.is_on(event.at) for one in draft.before.pauses):
        whole = draft.before.pause_of(event.job, event.at) if event.job is not None else None
        if whole is None:
            return Accepted(None)
        return Refused(
            code=RefusalCode.CONFLICT,
            message=f"{event.job}: held by the pause of all jobs ({whole.reason})",
            hint="`watcher resume` without a job lifts that one",
        )
    draft.pauses = _others(draft, event.job)
    _tell(draft, event, "paused", "running", "")
    return Accepted(None)


def _pass(draft: Draft, event: PersonDecided, release: Release, reason: Reason) -> Answer:
    """End the window; after it, say that the release is good: a rollback that is held is dropped then."""
    if release.phase is Phase.WATCHING:
        return Accepted(change_phase(draft, release, Phase.PASSED, at=event.at, reasons=(reason,), author=event.author))
    if not release.is_judged_by_us:
        return Accepted(release) if release.phase is Phase.PASSED else _wrong(release, event.judgement)
    noted = note_opinion(draft, release, event)
    return Accepted(_drop(draft, noted, reason, event.author) if noted.rollback.state is RollbackState.HELD else noted)


def _cancel(draft: Draft, event: PersonDecided, release: Release, reason: Reason) -> Answer:
    if release.rollback.state is RollbackState.HELD:
        return Accepted(_drop(draft, note_opinion(draft, release, event), reason, event.author))
    if release.phase is Phase.CANCELLED:
        return Accepted(release)
    if release.phase not in OPEN_PHASES:
        return _wrong(release, event.judgement)
    return Accepted(change_phase(draft, release, Phase.CANCELLED, at=event.at, reasons=(reason,), author=event.author))


def _drop(draft: Draft, release: Release, reason: Reason, author: str) -> Release:
    dropped = Rollback(reason=reason, queued_at=release.rollback.queued_at)
    return change_rollback(draft, release, dropped, author=author)


def _extend(draft: Draft, event: PersonDecided, release: Release) -> Answer:
    if release.phase is not Phase.WATCHING or release.ends_at is None:
        return _wrong(release, event.judgement)
    if event.by is None or event.by <= 0:
        return Refused(code=RefusalCode.BAD_REQUEST, message="extend needs a span", hint="give --by 15m")
    if _end_was_read(draft, release):
        return Refused(
            code=RefusalCode.WRONG_PHASE,
            message=f"release {release.id}: its window is over, and was read to its end",
            hint=f"`watcher release wait {release.id}` waits for the verdict; to look on, register the version again",
        )
    trial = replace(release.trial, end=Usec(release.ends_at + event.by))
    longer = replace(release, trial=trial, window=Usec(release.window + event.by))
    draft.put(longer)
    draft.tell(
        Transition(
            at=event.at,
            kind=TransitionKind.WINDOW,
            before=format_duration(release.window),
            after=format_duration(longer.window),
            release=release.id,
            job=release.job,
            author=event.author,
            text=event.reason,
        ),
    )
    return Accepted(longer)


def _end_was_read(draft: Draft, release: Release) -> bool:
    """Whether entries from beyond the window may have been read: nobody has judged them, and nobody reads them again.

    A window may stay open past its end, for its baseline or for a second look at what was dropped. Also what an earlier
    daemon read counts, which is why the trial remembers it.
    """
    end, read = release.trial.closes_at, draft.before.read_until
    return release.trial.is_overread or (end is not None and end <= (draft.at if read is None else read))


def _fail(draft: Draft, event: PersonDecided, release: Release, reason: Reason) -> Answer:
    """End the window; after it, say that the release is bad: what is done about it is another decision."""
    if release.phase is Phase.WATCHING:
        return Accepted(fail(draft, release, at=event.at, reasons=(reason,), author=event.author))
    if release.is_judged_by_us:
        return Accepted(note_opinion(draft, release, event))
    return Accepted(release) if release.phase is Phase.FAILED else _wrong(release, event.judgement)


def _roll_back(draft: Draft, event: PersonDecided, release: Release, reason: Reason) -> Answer:
    if release.rollback.never_ran:
        return Refused(
            code=RefusalCode.WRONG_PHASE,
            message=f"release {release.id}: its rollback command could not be started; it is not tried again",
            hint="roll back by hand, and mend the command for the next release",
        )
    if release.rollback.state in _OVER:
        return Refused(
            code=RefusalCode.WRONG_PHASE,
            message=f"release {release.id}: its rollback ran once and is {release.rollback.state}; it is not run again",
            hint="look at what it did, then finish or repeat it by hand",
        )
    if release.rollback.state not in _WAITING | {RollbackState.QUEUED}:
        return Accepted(release)
    if release.policy.release.rollback is None:
        return Refused(
            code=RefusalCode.WRONG_PHASE,
            message=f"release {release.id}: its job had no rollback command when it was registered",
            hint="roll back by hand, and configure `rollback.command` for the next release",
        )
    newest = current(draft, release.job)
    if newest != release.id and release.phase is not Phase.CANCELLED:
        return Refused(
            code=RefusalCode.CONFLICT,
            message=f"release {release.id}: a newer release of job {release.job} is registered",
            hint=f"`watcher release show {newest}` shows it",
        )
    if release.rollback.state is RollbackState.QUEUED:
        return Accepted(_as_order(draft, event, release, reason))
    if release.phase in (Phase.PREPARING, Phase.CANCELLED):
        return _wrong(release, event.judgement)
    if release.phase is Phase.WATCHING:
        release = change_phase(draft, release, Phase.FAILED, at=event.at, reasons=(reason,), author=event.author)
    return Accepted(queue(draft, note_opinion(draft, release, event), reason, author=event.author))


def _as_order(draft: Draft, event: PersonDecided, release: Release, reason: Reason) -> Release:
    """What was queued by itself is a person's order from now on: a pause that is there, or comes, does not hold it."""
    known = release.rollback.reason
    if known is not None and known.code is ReasonCode.PERSON:
        return release
    ordered = replace(release.rollback, reason=reason, queued_at=event.at)
    moved = change_rollback(draft, note_opinion(draft, release, event), ordered, author=event.author)
    queue_again(draft, moved)
    return moved


def _wrong(release: Release, judgement: Judgement) -> Refused:
    late = is_final(release.phase)
    when = "any more" if late else "yet"
    what_now = f"show {release.id}` tells how it ended" if late else f"deployed {release.id}` starts its clock"
    return Refused(
        code=RefusalCode.WRONG_PHASE,
        message=f"release {release.id} is {release.phase}: `{judgement}` is not possible {when}",
        hint=f"`watcher release {what_now}",
    )


def _unknown_job(job: JobName) -> Refused:
    return Refused(code=RefusalCode.UNKNOWN_JOB, message=f"{job}: no such job in the configuration")


def _others(draft: Draft, job: JobName | None) -> tuple[Pause, ...]:
    return tuple(one for one in draft.before.pauses if one.job != job and one.is_on(draft.at))


def _tell(draft: Draft, event: PauseRequested | ResumeRequested, before: str, after: str, text: str) -> None:
    draft.tell(
        Transition(
            at=event.at,
            kind=TransitionKind.PAUSE,
            before=before,
            after=after,
            job=event.job,
            author=event.author,
            text=text,
        ),
    )
