"""The table of thresholds: what each kind does with what was found. One module beside this one knows each kind.

A count is a threshold with all that counts towards it: frozen, bounded, stored with its trial. A new kind is a
threshold in `policy.Threshold`, a count in `Count`, and an arm in each function here.
"""

from __future__ import annotations

from typing import assert_never

from watcher.core import match_count
from watcher.core.duration import Usec
from watcher.core.found import Found
from watcher.core.match_count import MatchCount
from watcher.core.policy import MatchThreshold, Threshold
from watcher.core.reason import Reason
from watcher.core.standing import Standing

Count = MatchCount


def begun(thresholds: tuple[Threshold, ...]) -> tuple[Count, ...]:
    """The counts of a trial that has seen nothing yet, in the order of the thresholds."""
    return tuple(map(_begun, thresholds))


def with_found(count: Count, found: Found) -> Count:
    """The count once this was found; the same one if it is no concern of it."""
    match count:
        case MatchCount():
            return match_count.with_match(count, found)
    assert_never(count)


def crossed(count: Count) -> Reason | None:
    """The reason to fail the release, if the threshold is crossed."""
    match count:
        case MatchCount():
            return match_count.crossed(count)
    assert_never(count)


def standing(count: Count, at: Usec | None = None) -> Standing:
    """How near the threshold is to being crossed at the instant `at`, or (None) how near it ever came."""
    match count:
        case MatchCount():
            return match_count.standing(count, at)
    assert_never(count)


def _begun(threshold: Threshold) -> Count:
    match threshold:
        case MatchThreshold():
            return MatchCount(threshold=threshold)
    assert_never(threshold)
