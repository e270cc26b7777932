"""Thresholds on the share of failed runs, which say nothing before so many runs have ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from watcher.core.found import RunEnded, RunOutcome
from watcher.core.policy import FailedRatio
from watcher.core.reason import Reason, ReasonCode
from watcher.core.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioCount:
    """A threshold with the runs that ended so far and those of them that failed.

    `peak` and `peak_of` are the failed and all runs when the share was the greatest, once enough had ended.
    """

    threshold: FailedRatio
    failed: int = 0
    finished: int = 0
    peak: int = 0
    peak_of: int = 0


def with_run(count: RatioCount, run: RunEnded) -> RatioCount:
    """The count once a run has succeeded or failed."""
    failed, finished = count.failed + (run.outcome is RunOutcome.FAILED), count.finished + 1
    counted = replace(count, failed=failed, finished=finished)
    if finished < count.threshold.min_runs or failed * count.peak_of < count.peak * finished:
        return counted
    return replace(counted, peak=failed, peak_of=finished)


def crossed(count: RatioCount) -> Reason | None:
    """The reason to fail the release, when enough runs have ended and the share of failed ones is at the limit."""
    threshold = count.threshold
    if count.finished < threshold.min_runs or count.failed / count.finished < threshold.ratio:
        return None
    return Reason(
        code=ReasonCode.FAILED_RATIO,
        count=count.failed,
        total=count.finished,
        share=threshold.ratio,
        limit=threshold.min_runs,
    )


def standing(count: RatioCount, *, at_end: bool) -> Standing:
    """The share of failed runs now, or the greatest that it ever was; 0 before enough runs have ended."""
    failed, of = (count.peak, count.peak_of) if at_end else (count.failed, count.finished)
    threshold = count.threshold
    if of < threshold.min_runs:
        detail = f"{count.finished} runs ended, judged from {threshold.min_runs} on"
        return Standing(label=threshold.label, count=0.0, limit=threshold.ratio, ratio=0.0, detail=detail)
    share = failed / of
    detail = f"{failed} of {of} runs failed: {failed} / {of} = {share:.3g}"
    return Standing(
        label=threshold.label, count=share, limit=threshold.ratio, ratio=share / threshold.ratio, detail=detail
    )
