"""The one way from a window's end to a verdict.

The invariant: `failed` needs a crossing or a person; `passed` needs that everything was seen, judged and alive.
Whatever stands between makes the release `inconclusive`.
"""

from __future__ import annotations

from watcher.core.doubts import doubts
from watcher.core.duration import Usec
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release, Verdict
from watcher.core.thresholds import lacking


def verdict_at_end(release: Release, end: Usec | None = None) -> tuple[Verdict, tuple[Reason, ...]]:
    """The verdict on a window that ended without a crossed threshold, with all that stands against `passed`.

    `end` is when it ended, if before its planned end.
    """
    start = release.started_at
    span = release.window if start is None or end is None else Usec(end - start)
    against = doubts(release, span)
    if against:
        return Verdict.INCONCLUSIVE, (*against, *_not_applicable(release))
    runs = release.trial.runs
    matches = sum(count for _, count in release.trial.matches)
    seen = Reason(code=ReasonCode.WINDOW_OVER, span=span, count=matches, total=runs.succeeded + runs.failed)
    return Verdict.PASSED, (seen, *_not_applicable(release))


def _not_applicable(release: Release) -> tuple[Reason, ...]:
    """What says too little about the past keeps no release from passing, but it is said."""
    baseline = release.trial.baseline
    if baseline is None or baseline.problem:
        return ()
    judged = [(count.threshold.label, lacking(count)) for count in release.trial.counts]
    return tuple(Reason(code=ReasonCode.NOT_APPLICABLE, what=f"{label}: {why}") for label, why in judged if why)
