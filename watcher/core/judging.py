"""A batch of the journal against the open windows: count, cross, close.

A window closes at the stored instant of its end, once everything before that was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from watcher.core import counters
from watcher.core.draft import Draft
from watcher.core.duration import Usec
from watcher.core.ending import change_phase, fail
from watcher.core.found import Found
from watcher.core.messages import BatchRead
from watcher.core.names import JobName
from watcher.core.release import Phase, Release, Verdict
from watcher.core.verdict import verdict_at_end
from watcher.core.weighing import weigh


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
    for release in draft.before.watching():
        _judge(draft, release, batch, by_job.get(release.job, ()))


def _judge(draft: Draft, release: Release, batch: BatchRead, found: Sequence[Found]) -> None:
    weighed = weigh(release.trial, batch, job=release.job, found=found)
    judged = release if weighed.trial is release.trial else replace(release, trial=weighed.trial)
    if weighed.crossing is not None:
        fail(draft, judged, at=weighed.crossing.at, reasons=weighed.reasons)
        _observe_latency(draft, weighed.crossing)
        return
    if judged is not release:
        draft.put(judged)
    end = judged.ends_at
    if end is not None and batch.read_until >= end:
        _close(draft, judged, end)


def _close(draft: Draft, release: Release, end: Usec) -> None:
    verdict, reasons = verdict_at_end(release)
    phase = Phase.PASSED if verdict is Verdict.PASSED else Phase.INCONCLUSIVE
    change_phase(draft, release, phase, at=end, reasons=reasons)


def _observe_latency(draft: Draft, found: Found) -> None:
    latency = Usec(max(draft.at - found.at, 0))
    le = counters.bucket(latency, counters.LATENCY_BUCKETS)
    draft.count(f"{counters.DETECTION_LATENCY}_bucket", le)
    draft.count(f"{counters.DETECTION_LATENCY}_sum_usec", by=latency)
