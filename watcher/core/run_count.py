"""Thresholds on a number of failed runs: of all in the window, or one after the other.

A run that was stopped on request is neither a failure nor a success: it counts for nothing and interrupts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watcher.core.found import RunEnded, RunOutcome
from watcher.core.policy import FailedRuns
from watcher.core.reason import Reason, ReasonCode
from watcher.core.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCount:
    """A threshold with the failed runs that count towards it now, the most that ever did, and all runs that ended."""

    threshold: FailedRuns
    failed: int = 0
    peak: int = 0
    finished: int = 0


def with_run(count: RunCount, run: RunEnded) -> RunCount:
    """The count once a run has succeeded or failed."""
    if run.outcome is RunOutcome.FAILED:
        failed = count.failed + 1
    else:
        failed = 0 if count.threshold.consecutive else count.failed
    return replace(count, failed=failed, peak=max(count.peak, failed), finished=count.finished + 1)


def crossed(count: RunCount) -> Reason | None:
    """The reason to fail the release, when as many runs as the limit have failed."""
    if count.failed < count.threshold.count:
        return None
    return Reason(
        code=ReasonCode.FAILED_RUNS,
        what="in a row" if count.threshold.consecutive else "",
        count=count.failed,
        limit=count.threshold.count,
        total=count.finished,
    )


def standing(count: RunCount, *, at_end: bool) -> Standing:
    """How many failed runs count now, or the most that ever did."""
    failed, limit = count.peak if at_end else count.failed, count.threshold.count
    detail = f"{count.finished} runs ended, {failed} failed{' in a row' if count.threshold.consecutive else ''}"
    return Standing(label=count.threshold.label, count=failed, limit=limit, ratio=failed / limit, detail=detail)
