"""Thresholds on matches: which instants count towards one now, and whether they cross it.

`within` is a half-open span: matches at 0 s and at 120 s do not lie within 2 m, those at 0 s and 119.9 s do.
A threshold remembers at most `count` instants, so its state is bounded whatever is logged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watcher.core.duration import Usec
from watcher.core.found import Match
from watcher.core.policy import MatchThreshold
from watcher.core.reason import Reason, ReasonCode
from watcher.core.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchCount:
    """A threshold with the instants that count towards it now (at most its `count`), and the most that ever did."""

    threshold: MatchThreshold
    instants: tuple[Usec, ...] = ()
    peak: int = 0


def counts_for(threshold: MatchThreshold, match: Match) -> bool:
    """Whether the match counts towards the threshold; an entry counts once, however many rules fired on it."""
    if threshold.rule is not None:
        return threshold.rule in match.rules
    return threshold.severity is not None and match.severity.at_least(threshold.severity)


def with_match(count: MatchCount, match: Match) -> MatchCount:
    """The count once the match has come: the instants that still lie within the span, and its own.

    It may be earlier than the last one (the clock was set back): then it counts at the last one's instant, so the
    instants never fall.
    """
    threshold, counted = count.threshold, count.instants
    if not counts_for(threshold, match):
        return count
    now = max(match.at, counted[-1]) if counted else match.at
    kept = counted if threshold.within is None else tuple(one for one in counted if now - one < threshold.within)
    instants = (*kept, now)[-threshold.count :]
    return replace(count, instants=instants, peak=max(count.peak, len(instants)))


def crossed(count: MatchCount) -> Reason | None:
    """The reason to fail the release, when as many matches as the limit lie within the span."""
    threshold, counted = count.threshold, count.instants
    if len(counted) < threshold.count:
        return None
    return Reason(
        code=ReasonCode.MATCHES,
        what=str(threshold.rule if threshold.rule is not None else threshold.severity),
        count=len(counted),
        limit=threshold.count,
        span=Usec(counted[-1] - counted[0]),
        within=threshold.within,
    )


def standing(count: MatchCount, at: Usec | None) -> Standing:
    """How many matches count at the instant `at`, or (None) the most that ever did."""
    threshold = count.threshold
    matches = count.peak if at is None else _still_counted(count, at)
    return Standing(
        label=threshold.label,
        count=matches,
        limit=threshold.count,
        ratio=matches / threshold.count,
        within=threshold.within,
    )


def _still_counted(count: MatchCount, at: Usec) -> int:
    within = count.threshold.within
    return len(count.instants) if within is None else sum(1 for one in count.instants if at - one < within)
