"""How near a release is to each of its thresholds: a number and its limit.

For people and for the metric `watcher_release_threshold_ratio`; nothing is decided here (`core/thresholds.py` does).
"""

from __future__ import annotations

from dataclasses import dataclass

from watcher.core.duration import Usec
from watcher.core.policy import MatchThreshold
from watcher.core.release import Release
from watcher.core.state import OPEN_PHASES


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`count` matches of the `limit` that fails the release; `label` names the threshold."""

    label: str
    count: int
    limit: int

    @property
    def ratio(self) -> float:
        """1 when the threshold is crossed."""
        return self.count / self.limit


def standings(release: Release, at: Usec) -> tuple[Standing, ...]:
    """Each threshold of the release: while it is open as it stands at `at`, later the most that it came to.

    So a release that failed keeps its 1 until the next one of its job begins.
    """
    thresholds = release.policy.release.thresholds
    if release.phase not in OPEN_PHASES:
        return tuple(_standing(threshold, peak) for threshold, peak in zip(thresholds, release.peak, strict=True))
    return tuple(
        _standing(threshold, _still_counted(threshold, counted, at))
        for threshold, counted in zip(thresholds, release.counted, strict=True)
    )


def _standing(threshold: MatchThreshold, count: int) -> Standing:
    return Standing(label=threshold.label, count=count, limit=threshold.count)


def _still_counted(threshold: MatchThreshold, counted: tuple[Usec, ...], at: Usec) -> int:
    if threshold.within is None:
        return len(counted)
    return sum(1 for one in counted if at - one < threshold.within)
