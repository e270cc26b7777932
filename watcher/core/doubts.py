"""What keeps a release from passing though nothing crossed a threshold: holes, and missing evidence of success.

No evidence, no `passed`: each doubt makes the verdict `inconclusive`, and none ever makes it `failed`.
"""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.duration import Usec
from watcher.core.found import Match
from watcher.core.policy import ReleasePolicy
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release
from watcher.core.thresholds import lacking, lost
from watcher.core.trial import Trial


def doubts(release: Release, span: Usec) -> tuple[Reason, ...]:
    """Everything that stands against `passed` at the end of a window that lasted `span`."""
    trial, policy = release.trial, release.policy.release
    unproved = tuple(_unproved(trial, policy, span))
    return (*_unseen(trial), *_unjudged(trial, policy), *unproved, *(_while_settling(trial) if unproved else ()))


def _unseen(trial: Trial) -> Iterator[Reason]:
    for gap in trial.gaps:
        yield Reason(code=ReasonCode.GAP, what=gap.reason, count=gap.entries or 0)


def _unjudged(trial: Trial, policy: ReleasePolicy) -> Iterator[Reason]:
    for key in policy.unjudged:
        yield Reason(code=ReasonCode.UNJUDGED, what=key)
    baseline = trial.baseline
    if baseline is not None and baseline.problem:
        yield Reason(code=ReasonCode.BASELINE_UNREAD, what=baseline.problem)
    elif trial.counts and all(map(lacking, trial.counts)):
        yield Reason(code=ReasonCode.NOTHING_JUDGED)
    for count in trial.counts:
        if left := lost(count):
            yield Reason(code=ReasonCode.JUDGED_IN_PART, what=count.threshold.label, count=left)
    if trial.unjudged:
        yield Reason(code=ReasonCode.JUDGED_IN_PART, count=trial.unjudged)
    if trial.rules_changed_at is not None:
        yield Reason(code=ReasonCode.RULES_CHANGED)


def _unproved(trial: Trial, policy: ReleasePolicy, span: Usec) -> Iterator[Reason]:
    runs, expect = trial.runs, policy.expect
    if _no_run(trial):
        old = sum(count for _, count in trial.old_matches) + sum(isinstance(one, Match) for one in trial.unclear)
        ended = runs.old_succeeded + runs.old_failed + runs.old_stopped
        yield Reason(code=ReasonCode.NO_RUN, count=old, total=ended, span=span)
    elif not trial.heard and not runs.any_seen:
        yield Reason(code=ReasonCode.SILENT, span=span)
    elif runs.any_seen and not runs.is_alive and not runs.succeeded:
        yield Reason(code=ReasonCode.NO_SUCCESS, count=runs.failed, total=runs.failed + runs.stopped)
    if runs.succeeded < expect.successful_runs:
        yield Reason(
            code=ReasonCode.EXPECTED_RUNS,
            count=runs.succeeded,
            limit=expect.successful_runs,
            total=runs.succeeded + runs.failed,
        )
    if expect.line and not trial.expected:
        yield Reason(code=ReasonCode.EXPECTED_LINE, what=policy.expected)


def _while_settling(trial: Trial) -> Iterator[Reason]:
    """Why there is no evidence of success, perhaps: what went wrong while nothing was held against the release."""
    failed, start, settles_at = trial.runs.settling, trial.start, trial.settles_at
    if (failed or trial.settling) and start is not None and settles_at is not None:
        span = Usec(settles_at - start)
        yield Reason(code=ReasonCode.FAILED_SETTLING, count=failed, seen=trial.settling, span=span)


def _no_run(trial: Trial) -> bool:
    """No invocation of the release was seen where there must have been one, or no run ended where runs are waited for.

    Where older invocations count as well, a service that was there before may be all that there is.
    """
    runs = trial.runs
    if trial.runs_wanted is not None:
        return not runs.succeeded and not runs.failed
    return trial.must_run and not runs.any_seen
