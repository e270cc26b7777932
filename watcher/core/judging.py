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
from watcher.core.found import Found
from watcher.core.messages import BatchRead
from watcher.core.names import JobName
from watcher.core.policy import SharedCause
from watcher.core.reason import Reason
from watcher.core.release import Phase, Release, Verdict
from watcher.core.severity import Severity
from watcher.core.shared_cause import shared_cause
from watcher.core.trouble import Trouble, errors_in
from watcher.core.verdict import verdict_at_end
from watcher.core.weighing import Weighed, weigh


def count_batch(draft: Draft, batch: BatchRead) -> None:
    """Raise the durable counters by what the batch holds."""
    for tally in batch.tallies:
        draft.count(counters.ENTRIES, tally.job, by=tally.entries)
    for match in batch.found:
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
        end = judged.ends_at
        if end is not None and batch.read_until >= end:
            _close(draft, judged, end)
    _in_order(draft, batch.found, failing)


def _in_order(draft: Draft, found: Sequence[Found], failing: Mapping[int, tuple[Release, Weighed]]) -> None:
    """Remember what went wrong, entry by entry, and fail the releases by what was known at that very entry."""
    troubles = dict(draft.before.troubles)
    for one, is_error in errors_in(found):
        if is_error and one.job in troubles:
            troubles[one.job] = troubles[one.job].with_error(one.at, critical=one.severity is Severity.CRITICAL)
        if id(one) in failing:
            release, weighed = failing[id(one)]
            shared = _shared(draft, troubles, release, one.at)
            fail(draft, release, at=one.at, reasons=(*weighed.reasons, *shared))
            _observe_latency(draft, one)
    before = draft.before.troubles
    draft.troubles |= {job: one for job, one in troubles.items() if one is not before[job]}


def _shared(draft: Draft, troubles: Mapping[JobName, Trouble], release: Release, at: Usec) -> tuple[Reason, ...]:
    if release.policy.release.shared_cause is SharedCause.IGNORE:
        return ()
    reason = shared_cause(draft, troubles, release, at)
    return () if reason is None else (reason,)


def _close(draft: Draft, release: Release, end: Usec) -> None:
    verdict, reasons = verdict_at_end(release)
    phase = Phase.PASSED if verdict is Verdict.PASSED else Phase.INCONCLUSIVE
    change_phase(draft, release, phase, at=end, reasons=reasons)


def _observe_latency(draft: Draft, found: Found) -> None:
    latency = Usec(max(draft.at - found.at, 0))
    le = counters.bucket(latency, counters.LATENCY_BUCKETS)
    draft.count(f"{counters.DETECTION_LATENCY}_bucket", le)
    draft.count(f"{counters.DETECTION_LATENCY}_sum_usec", by=latency)
