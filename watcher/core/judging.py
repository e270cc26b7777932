"""A batch of the journal against the open windows: count, cross, close.

A window closes at the stored instant of its end, once everything before that was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from watcher.core import counters, verifying
from watcher.core.draft import Draft
from watcher.core.duration import Usec
from watcher.core.ending import change_phase, fail
from watcher.core.found import Found, Match, RunEnded
from watcher.core.messages import BaselineRead, BatchRead
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import SharedCause
from watcher.core.reason import Reason
from watcher.core.release import Phase, Release, Verdict
from watcher.core.severity import Severity
from watcher.core.shared_cause import shared_cause
from watcher.core.state import OPEN_PHASES
from watcher.core.trial import Place, Trial
from watcher.core.trouble import Memory, Trouble, errors_in
from watcher.core.verdict import verdict_at_end
from watcher.core.weighing import weigh, weigh_baseline
from watcher.core.witness import recalled, witnessed


def count_batch(draft: Draft, batch: BatchRead) -> None:
    """Raise the durable counters by what the batch holds."""
    for tally in batch.tallies:
        draft.count(counters.ENTRIES, tally.job, by=tally.entries)
    for found in batch.found:
        match found:
            case Match():
                rules = draft.before.policies[found.job].rules if found.job in draft.before.policies else {}
                for rule in found.rules:
                    draft.count(counters.MATCHES, found.job, rule, rules.get(rule, found.severity))
            case RunEnded() if found.is_counted:
                draft.count(counters.RUNS, found.job, found.outcome)
    for gap in batch.gaps:
        draft.count(counters.GAPS, gap.reason)


def judge_batch(draft: Draft, batch: BatchRead) -> None:
    """Hold the batch against every open window, and against the time after each rollback.

    What begins while a release is being prepared is of that release.
    """
    by_job: dict[JobName, list[Found]] = {}
    for found in batch.found:
        by_job.setdefault(found.job, []).append(found)
    for gap in batch.gaps:
        if gap.step:
            draft.troubles |= {job: trouble.stepped(gap) for job, trouble in draft.known_troubles().items()}
    due: dict[int, list[_Due]] = {}
    opened = [one for one in draft.before.releases.values() if one.phase in OPEN_PHASES]
    for release in (*opened, *draft.before.verifying()):
        for one in _judge(draft, release, batch, by_job.get(release.job, ())):
            due.setdefault(id(one.found), []).append(one)
    _in_order(draft, batch.found, due)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crossing:
    """What was found last before thresholds were crossed, for `reasons`, and the release with all up to it counted."""

    found: Found
    release: Release
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _PutBy:
    """With `found` something came that waits for the baseline, at its place in the release's trial."""

    found: Found
    release: ReleaseId
    place: Place


_Due = _Crossing | _PutBy
"""What is to be done once everything up to that find is known of all jobs."""


def _judge(draft: Draft, release: Release, batch: BatchRead, found: Sequence[Found]) -> Iterator[_Due]:
    """Count the batch into the release's open trial; gives what then is due, an end that was reached is taken."""
    verification = release.verification
    trial = known = release.trial if verification is None else verification.trial
    for gap in batch.gaps:
        trial = trial.stepped(gap)
    weighed = weigh(trial, batch, job=release.job, found=found)
    judged = release if weighed.trial is known else _with_trial(release, weighed.trial)
    if weighed.crossing is not None:
        yield _Crossing(found=weighed.crossing, release=judged, reasons=weighed.reasons)
        return
    if judged is not release:
        draft.put(judged)
    if judged.verification is None:
        _close_if_over(draft, judged, batch.read_until)
    elif trial.end is not None and batch.read_until >= trial.end:
        verifying.close(draft, judged, judged.verification, trial.end)
    yield from (_PutBy(found=one, release=release.id, place=place) for one, place in weighed.put_by)


def _with_trial(release: Release, trial: Trial) -> Release:
    verification = release.verification
    if verification is None:
        return replace(release, trial=trial)
    return replace(release, verification=replace(verification, trial=trial))


def _in_order(draft: Draft, found: Sequence[Found], due: Mapping[int, list[_Due]]) -> None:
    """Remember what went wrong, entry by entry, and fail the releases by what was known at that very entry.

    What waits for the baseline is judged later, by what was known at its own entry.
    """
    memory = Memory(draft.known_troubles())
    for one, is_error, shared in errors_in(found):
        if is_error:
            memory.note(one.job, one.at, critical=_is_critical(one), shared=shared)
        for what in due.get(id(one), ()):
            if isinstance(what, _Crossing):
                _fail(draft, memory.known(), what)
            else:
                _witness(draft, memory.known(), what)
    draft.troubles |= memory.changed()


def _is_critical(found: Found) -> bool:
    return isinstance(found, RunEnded) or (isinstance(found, Match) and found.severity is Severity.CRITICAL)


def _fail(draft: Draft, troubles: Mapping[JobName, Trouble], crossing: _Crossing) -> None:
    release, at, reasons = crossing.release, crossing.found.at, crossing.reasons
    if release.is_verifying:
        verifying.fails(draft, release, at=at, reasons=reasons)
        return
    fail(draft, release, at=at, reasons=(*reasons, *_shared(draft, troubles, release, at)))
    _observe_latency(draft, crossing.found.at)


def _shared(draft: Draft, troubles: Mapping[JobName, Trouble], release: Release, at: Usec) -> tuple[Reason, ...]:
    if release.policy.release.shared_cause is SharedCause.IGNORE:
        return ()
    reason = shared_cause(draft, troubles, release, at)
    return () if reason is None else (reason,)


def _witness(draft: Draft, troubles: Mapping[JobName, Trouble], put_by: _PutBy) -> None:
    release = draft.release(put_by.release)
    if release is not None and release.policy.release.shared_cause is not SharedCause.IGNORE:
        draft.put(witnessed(draft, troubles, release, put_by.place))


def take_baseline(draft: Draft, event: BaselineRead) -> None:
    """What was before the release is known now: judge what waited for it. A second answer changes nothing."""
    release = draft.release(event.release)
    if release is None or release.phase not in OPEN_PHASES or not release.trial.waits:
        return
    resolved = weigh_baseline(release.trial, event.baseline, window=release.window)
    known = replace(release, trial=resolved.trial)
    if resolved.first is not None:
        at = resolved.first.at
        fail(draft, known, at=at, reasons=(*resolved.reasons, *_shared_then(draft, release, resolved.first)))
        _observe_latency(draft, at)
        return
    draft.put(known)
    _close_if_over(draft, known, draft.before.read_until)


def _shared_then(draft: Draft, release: Release, place: Place) -> tuple[Reason, ...]:
    """What was known when that was put by; where an older program kept nothing of it, what is known now."""
    then = recalled(release, place)
    if then is None:
        return _shared(draft, draft.before.troubles, release, place.at)
    return () if then.cause is None else (then.cause,)


def _close_if_over(draft: Draft, release: Release, read_until: Usec | None) -> None:
    end = release.trial.closes_at
    if end is not None and read_until is not None and read_until >= end and not release.trial.waits:
        _close(draft, release, end)


def _close(draft: Draft, release: Release, end: Usec) -> None:
    verdict, reasons = verdict_at_end(release, end)
    phase = Phase.PASSED if verdict is Verdict.PASSED else Phase.INCONCLUSIVE
    change_phase(draft, release, phase, at=end, reasons=reasons)


def _observe_latency(draft: Draft, since: Usec) -> None:
    latency = Usec(max(draft.at - since, 0))
    le = counters.bucket(latency, counters.LATENCY_BUCKETS)
    draft.count(f"{counters.DETECTION_LATENCY}_bucket", le)
    draft.count(f"{counters.DETECTION_LATENCY}_sum_usec", by=latency)
