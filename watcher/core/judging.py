"""A batch of the journal against the open windows: count, cross, close.

A window closes at the stored instant of its end, once everything before that was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watcher.core import counters
from watcher.core.draft import Draft
from watcher.core.duration import Usec
from watcher.core.ending import change_phase, fail
from watcher.core.found import Found, Match
from watcher.core.messages import BaselineRead, BatchRead
from watcher.core.names import JobName
from watcher.core.policy import SharedCause
from watcher.core.reason import Reason
from watcher.core.release import Phase, Release, Verdict
from watcher.core.severity import Severity
from watcher.core.shared_cause import shared_cause
from watcher.core.state import OPEN_PHASES
from watcher.core.trouble import Trouble, errors_in
from watcher.core.verdict import verdict_at_end
from watcher.core.weighing import Weighed, weigh, weigh_baseline


def count_batch(draft: Draft, batch: BatchRead) -> None:
    """Raise the durable counters by what the batch holds."""
    for tally in batch.tallies:
        draft.count(counters.ENTRIES, tally.job, by=tally.entries)
    for match in batch.found:
        if not isinstance(match, Match):
            continue
        rules = draft.before.policies[match.job].rules if match.job in draft.before.policies else {}
        for rule in match.rules:
            draft.count(counters.MATCHES, match.job, rule, rules.get(rule, match.severity))
    for gap in batch.gaps:
        draft.count(counters.GAPS, gap.reason)


def judge_batch(draft: Draft, batch: BatchRead) -> None:
    """Hold the batch against every open window."""
    by_job: dict[JobName, list[Found]] = {}
    for found in batch.found:
        by_job.setdefault(found.job, []).append(found)
    failing: dict[int, tuple[Release, Weighed]] = {}
    for release in draft.before.watching():
        weighed = weigh(release.trial, batch, job=release.job, found=by_job.get(release.job, ()))
        judged = release if weighed.trial is release.trial else replace(release, trial=weighed.trial)
        if weighed.crossing is not None:
            failing[id(weighed.crossing)] = judged, weighed
            continue
        if judged is not release:
            draft.put(judged)
        _close_if_over(draft, judged, batch.read_until)
    _in_order(draft, batch.found, failing)


def _in_order(draft: Draft, found: Sequence[Found], failing: Mapping[int, tuple[Release, Weighed]]) -> None:
    """Remember what went wrong, entry by entry, and fail the releases by what was known at that very entry."""
    troubles = dict(draft.before.troubles)
    for one, is_error in errors_in(found):
        if is_error and one.job in troubles:
            troubles[one.job] = troubles[one.job].with_error(one.at, critical=_is_critical(one))
        if id(one) in failing:
            release, weighed = failing[id(one)]
            shared = _shared(draft, troubles, release, one.at)
            fail(draft, release, at=one.at, reasons=(*weighed.reasons, *shared))
            _observe_latency(draft, one.at)
    before = draft.before.troubles
    draft.troubles |= {job: one for job, one in troubles.items() if one is not before[job]}


def _is_critical(found: Found) -> bool:
    return isinstance(found, Match) and found.severity is Severity.CRITICAL


def _shared(draft: Draft, troubles: Mapping[JobName, Trouble], release: Release, at: Usec) -> tuple[Reason, ...]:
    if release.policy.release.shared_cause is SharedCause.IGNORE:
        return ()
    reason = shared_cause(draft, troubles, release, at)
    return () if reason is None else (reason,)


def take_baseline(draft: Draft, event: BaselineRead) -> None:
    """What was before the release is known now: judge what waited for it. A second answer changes nothing."""
    release = draft.release(event.release)
    if release is None or release.phase not in OPEN_PHASES or not release.trial.waits:
        return
    trial, reasons, at = weigh_baseline(release.trial, event.baseline, window=release.window)
    known = replace(release, trial=trial)
    if reasons and at is not None:
        fail(draft, known, at=at, reasons=(*reasons, *_shared(draft, draft.before.troubles, known, at)))
        _observe_latency(draft, at)
        return
    draft.put(known)
    _close_if_over(draft, known, draft.before.read_until)


def _close_if_over(draft: Draft, release: Release, read_until: Usec | None) -> None:
    end = release.ends_at
    if end is not None and read_until is not None and read_until >= end and not release.trial.waits:
        _close(draft, release, end)


def _close(draft: Draft, release: Release, end: Usec) -> None:
    verdict, reasons = verdict_at_end(release)
    phase = Phase.PASSED if verdict is Verdict.PASSED else Phase.INCONCLUSIVE
    change_phase(draft, release, phase, at=end, reasons=reasons)


def _observe_latency(draft: Draft, since: Usec) -> None:
    latency = Usec(max(draft.at - since, 0))
    le = counters.bucket(latency, counters.LATENCY_BUCKETS)
    draft.count(f"{counters.DETECTION_LATENCY}_bucket", le)
    draft.count(f"{counters.DETECTION_LATENCY}_sum_usec", by=latency)
