"""The threshold `above_baseline`: failures that are too many to be what the job had before, and to be chance.

Of a job that runs (RUNS and more succeeded before), each ended run is a trial. Of one that stays, each minute is, from
the end of `settle` on: it fails with its first match of the severity. What comes while the baseline is being read is
kept and judged afterwards, at its own instants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from watcher.core.baseline import Baseline
from watcher.core.duration import MINUTE, Usec
from watcher.core.found import Found, Match, RunEnded, RunOutcome
from watcher.core.policy import AboveBaseline
from watcher.core.reason import Reason, ReasonCode
from watcher.core.standing import Standing
from watcher.core.statistics import LEAST_FAILURES, Share, can_exceed, log_evidence, needed

RUNS = 10
"""So many runs that succeeded before make a job one that is judged by its runs: services end seldom, and then badly."""
PENDING_KEPT = 500
"""Minutes and runs that are kept while the baseline is read; more can't come in the minutes that it may take."""


class Unit(StrEnum):
    """What is a trial."""

    MINUTE = "minute"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trialled:
    """Something that makes a trial: a minute's error, or a run's end."""

    at: Usec
    unit: Unit
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineCount:
    """A threshold with the trials since the release, `failed` of `seen`, and the old ones, `before`.

    `before` is None while the baseline is being read, and where it says too little (`lacking` says why). `thinned` is
    what bursts are counted at. `minute` is the last failed one, counted from 0. `ratio` is how near the evidence is to
    what is needed, now and (`peak`) at most, which was with `peak_failed` of `peak_seen`. `pending` waits for the
    baseline; `lost` trials found no room in there: they were not judged.
    """

    threshold: AboveBaseline
    failed: int = 0
    seen: int = 0
    unit: Unit = Unit.MINUTE
    before: Share | None = None
    thinned: float = 1.0
    lacking: str = ""
    minute: int = -1
    ratio: float = 0.0
    peak: float = 0.0
    peak_failed: int = 0
    peak_seen: int = 0
    pending: tuple[Trialled, ...] = ()
    lost: int = 0


def with_found(count: BaselineCount, found: Found, *, settles_at: Usec, waiting: bool) -> BaselineCount:
    """The count once this was found; `waiting`: the baseline is still being read."""
    trialled = _trialled(count.threshold, found)
    if trialled is None or count.lacking:
        return count
    if waiting:
        return _waiting(count, trialled, settles_at)
    return _with_trial(count, trialled, settles_at)


def with_baseline(count: BaselineCount, baseline: Baseline, *, settles_at: Usec) -> tuple[BaselineCount, int | None]:
    """The count once the baseline is there, and the place in `pending` of what crosses it, if anything does."""
    judged = replace(_measured(count, baseline), pending=())
    if judged.lacking:
        return replace(judged, lost=0), None
    for place, trialled in enumerate(count.pending):
        judged = _with_trial(judged, trialled, settles_at)
        if crossed(judged) is not None:
            return judged, place
    return judged, None


def crossed(count: BaselineCount) -> Reason | None:
    """The reason to fail the release, when the evidence is enough."""
    if count.before is None or count.ratio < 1:
        return None
    threshold = count.threshold
    return Reason(
        code=ReasonCode.ABOVE_BASELINE,
        what=str(threshold.severity) if count.unit is Unit.MINUTE else "",
        count=count.failed,
        seen=count.seen,
        before=(count.before.failed, count.before.seen),
        factor=threshold.factor,
        confidence=threshold.confidence,
    )


def standing(count: BaselineCount, at: Usec | None) -> Standing:
    """How many have failed, and how many of as many would be enough, now or (`at` is None) when it came nearest."""
    since = Share(count.failed, count.seen) if at is not None else Share(count.peak_failed, count.peak_seen)
    limit = 0 if count.before is None else _least(count.threshold, count.before, since.seen, count.thinned)
    return Standing(
        label=count.threshold.label,
        count=since.failed,
        limit=limit,
        ratio=since.failed / limit if limit else 0.0,
        detail=_arithmetic(count, since),
    )


def _trialled(threshold: AboveBaseline, found: Found) -> Trialled | None:
    match found:
        case Match() if found.severity.at_least(threshold.severity):
            return Trialled(at=found.at, unit=Unit.MINUTE, failed=True)
        case RunEnded() if found.is_counted:
            return Trialled(at=found.at, unit=Unit.RUN, failed=found.outcome is RunOutcome.FAILED)
        case _:
            return None


def _measured(count: BaselineCount, baseline: Baseline) -> BaselineCount:
    threshold, runs = count.threshold, baseline.runs
    if baseline.problem:
        return replace(count, lacking=baseline.problem)
    if runs is not None and runs.succeeded >= RUNS:
        unit, before, thinned = Unit.RUN, runs.share, 1.0
    else:
        unit, (before, thinned) = Unit.MINUTE, baseline.of_minutes(threshold.severity)
    if not can_exceed(before.thinned(thinned, up=True), factor=threshold.factor, confidence=threshold.confidence):
        return replace(count, lacking=_too_little(before, unit, baseline))
    return replace(count, unit=unit, before=before, thinned=thinned)


def _too_little(before: Share, unit: Unit, baseline: Baseline) -> str:
    if baseline.heard_from is None and baseline.runs is None:
        return "the job logged nothing before the release"
    seen = f"{before.failed} of {before.seen} {unit}s"
    return f"what was before ({seen}) is too little, or too bad, to be told from worse"


def _with_trial(count: BaselineCount, trialled: Trialled, settles_at: Usec) -> BaselineCount:
    if trialled.unit is not count.unit:
        return count
    if count.unit is Unit.RUN:
        return _weighed(replace(count, seen=count.seen + 1, failed=count.failed + trialled.failed))
    minute = _minute(trialled, settles_at)
    if minute <= count.minute:
        return count
    return _weighed(replace(count, minute=minute, seen=minute + 1, failed=count.failed + 1))


def _waiting(count: BaselineCount, trialled: Trialled, settles_at: Usec) -> BaselineCount:
    if _is_kept(count, trialled, settles_at):
        return count
    if len(count.pending) >= PENDING_KEPT:
        return replace(count, lost=count.lost + 1)
    return replace(count, pending=(*count.pending, trialled))


def _is_kept(count: BaselineCount, trialled: Trialled, settles_at: Usec) -> bool:
    """Whether it is a match of a minute that waits already: a burst must not take the place of what comes later."""
    minutes = (one for one in reversed(count.pending) if one.unit is Unit.MINUTE)
    last = next(minutes, None) if trialled.unit is Unit.MINUTE else None
    return last is not None and _minute(trialled, settles_at) <= _minute(last, settles_at)


def _minute(trialled: Trialled, settles_at: Usec) -> int:
    return (trialled.at - settles_at) // MINUTE


def _weighed(count: BaselineCount) -> BaselineCount:
    ratio = _ratio(count.threshold, count.before, Share(count.failed, count.seen), count.thinned)
    if ratio < count.peak:
        return replace(count, ratio=ratio)
    return replace(count, ratio=ratio, peak=ratio, peak_failed=count.failed, peak_seen=count.seen)


def _ratio(threshold: AboveBaseline, before: Share | None, since: Share, thinned: float) -> float:
    if before is None:
        return 0.0
    evidence = log_evidence(
        before.thinned(thinned, up=True),
        since.thinned(thinned, up=False),
        factor=threshold.factor,
        confidence=threshold.confidence,
    )
    return max(evidence / needed(threshold.confidence), 0.0)


@lru_cache(maxsize=256)
def _least(threshold: AboveBaseline, before: Share, seen: int, thinned: float) -> int:
    """The fewest failures among `seen` trials that are enough; one more than all where not even those are."""
    low, high = LEAST_FAILURES, max(seen, LEAST_FAILURES) + 1
    while low < high:
        middle = (low + high) // 2
        if _ratio(threshold, before, Share(middle, max(seen, middle)), thinned) >= 1:
            high = middle
        else:
            low = middle + 1
    return low


def _arithmetic(count: BaselineCount, since: Share) -> str:
    if count.lacking:
        return f"not applicable: {count.lacking}"
    if count.before is None:
        return "the baseline is being read"
    before = count.before
    what = (
        "runs failed"
        if count.unit is Unit.RUN
        else f"minutes had a match of severity {count.threshold.severity} or worse"
    )
    thinned = "" if count.thinned <= 1 else f"; they came in bursts, so {count.thinned:.1f} count as one"
    return f"{since.failed} of {since.seen} {what}, {before.failed} of {before.seen} before{thinned}"
