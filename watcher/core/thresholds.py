"""The table of thresholds: what each kind does with what was found. One module beside this one knows each kind.

A count is a threshold with all that counts towards it: frozen, bounded, stored with its trial. A new kind is a
threshold in `policy.Threshold`, a count in `Count`, and an arm in each function here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from watcher.core import above_baseline, match_count, new_errors, run_count, run_ratio
from watcher.core.above_baseline import BaselineCount, Trialled
from watcher.core.baseline import Baseline
from watcher.core.duration import Usec
from watcher.core.found import ErrorSeen, Match, RunEnded
from watcher.core.match_count import MatchCount
from watcher.core.new_errors import NewErrorCount
from watcher.core.policy import AboveBaseline, FailedRatio, FailedRuns, MatchThreshold, NewErrors, Threshold
from watcher.core.reason import Reason
from watcher.core.run_count import RunCount
from watcher.core.run_ratio import RatioCount
from watcher.core.standing import Standing

Count = MatchCount | BaselineCount | NewErrorCount | RunCount | RatioCount
Counted = Match | ErrorSeen | RunEnded
"""What thresholds count: matches, errors by their kind, and runs that succeeded or failed."""


def begun(thresholds: tuple[Threshold, ...]) -> tuple[Count, ...]:
    """The counts of a trial that has seen nothing yet, in the order of the thresholds."""
    return tuple(map(_begun, thresholds))


def with_found(count: Count, found: Counted, *, settles_at: Usec, baseline: Baseline | None) -> Count:
    """The count once this was found; the same one if it is no concern of it. `baseline` None: it is being read."""
    match count:
        case MatchCount():
            return match_count.with_match(count, found) if isinstance(found, Match) else count
        case BaselineCount():
            return above_baseline.with_found(count, found, settles_at=settles_at, waiting=baseline is None)
        case NewErrorCount():
            return new_errors.with_found(count, found, baseline)
        case RunCount():
            return run_count.with_run(count, found) if isinstance(found, RunEnded) else count
        case RatioCount():
            return run_ratio.with_run(count, found) if isinstance(found, RunEnded) else count
    assert_never(count)


def with_baseline(count: Count, baseline: Baseline, *, settles_at: Usec, window: Usec) -> tuple[Count, int | None]:
    """The count once the baseline is there, and which of what had waited for it crosses, if any does."""
    match count:
        case MatchCount() | RunCount() | RatioCount():
            return count, None
        case BaselineCount():
            return above_baseline.with_baseline(count, baseline, settles_at=settles_at)
        case NewErrorCount():
            return new_errors.with_baseline(count, baseline, window=window)
    assert_never(count)


def pending(count: Count) -> tuple[ErrorSeen | Trialled, ...]:
    """What waits for the baseline, in the order in which it came."""
    match count:
        case MatchCount() | RunCount() | RatioCount():
            return ()
        case BaselineCount() | NewErrorCount():
            return count.pending
    assert_never(count)


def stepped(count: Count, step: int) -> Count:
    """The count with its instants by a wall clock that was set by `step` microseconds."""
    match count:
        case MatchCount():
            return match_count.stepped(count, step)
        case BaselineCount():
            return replace(count, pending=tuple(replace(one, at=Usec(one.at + step)) for one in count.pending))
        case NewErrorCount():
            return replace(count, pending=tuple(replace(one, at=Usec(one.at + step)) for one in count.pending))
        case RunCount() | RatioCount():
            return count
    assert_never(count)


def lookback(count: Count) -> Usec | None:
    """How much of the past the threshold has to know, None for none."""
    match count:
        case MatchCount() | RunCount() | RatioCount():
            return None
        case BaselineCount() | NewErrorCount():
            return count.threshold.lookback
    assert_never(count)


def lacking(count: Count) -> str:
    """Why the threshold can't be judged, "" where it can."""
    match count:
        case MatchCount() | RunCount() | RatioCount():
            return ""
        case BaselineCount() | NewErrorCount():
            return count.lacking
    assert_never(count)


def lost(count: Count) -> int:
    """How much of what the threshold counts found no room while its baseline was being read."""
    match count:
        case MatchCount() | RunCount() | RatioCount():
            return 0
        case BaselineCount() | NewErrorCount():
            return count.lost
    assert_never(count)


def crossed(count: Count) -> Reason | None:
    """The reason to fail the release, if the threshold is crossed."""
    match count:
        case MatchCount():
            return match_count.crossed(count)
        case BaselineCount():
            return above_baseline.crossed(count)
        case NewErrorCount():
            return new_errors.crossed(count)
        case RunCount():
            return run_count.crossed(count)
        case RatioCount():
            return run_ratio.crossed(count)
    assert_never(count)


def standing(count: Count, at: Usec | None = None) -> Standing:
    """How near the threshold is to being crossed at the instant `at`, or (None) how near it ever came."""
    match count:
        case MatchCount():
            return match_count.standing(count, at)
        case BaselineCount():
            return above_baseline.standing(count, at)
        case NewErrorCount():
            return new_errors.standing(count)
        case RunCount():
            return run_count.standing(count, at_end=at is None)
        case RatioCount():
            return run_ratio.standing(count, at_end=at is None)
    assert_never(count)


def _begun(threshold: Threshold) -> Count:
    match threshold:
        case MatchThreshold():
            return MatchCount(threshold=threshold)
        case AboveBaseline():
            return BaselineCount(threshold=threshold)
        case NewErrors():
            return NewErrorCount(threshold=threshold)
        case FailedRuns():
            return RunCount(threshold=threshold)
        case FailedRatio():
            return RatioCount(threshold=threshold)
    assert_never(threshold)
