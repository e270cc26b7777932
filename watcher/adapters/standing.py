"""How near a release is to each of its thresholds, for people and for `watcher_release_threshold_ratio`."""

from __future__ import annotations

from watcher.core.duration import Usec
from watcher.core.release import Release
from watcher.core.standing import Standing
from watcher.core.state import OPEN_PHASES
from watcher.core.thresholds import standing


def standings(release: Release, at: Usec) -> tuple[Standing, ...]:
    """Each threshold of the release: while it is open as it stands at `at`, later the most that it came to.

    So a release that failed keeps its 1 until the next one of its job begins.
    """
    when = at if release.phase in OPEN_PHASES else None
    return tuple(standing(count, when) for count in release.trial.counts)
