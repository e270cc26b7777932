"""Thresholds on matches: which instants count towards one now, and whether they cross it.

`within` is a half-open span: matches at 0 s and at 120 s do not lie within 2 m, those at 0 s and 119.9 s do.
A threshold remembers at most `count` instants, so its state is bounded whatever is logged.
"""

from __future__ import annotations

from watcher.core.duration import Usec
from watcher.core.messages import Match
from watcher.core.policy import MatchThreshold
from watcher.core.release import Reason, ReasonCode


def counts_for(threshold: MatchThreshold, match: Match) -> bool:
    """Whether the match counts towards the threshold; an entry counts once, however many rules fired on it."""
    if threshold.rule is not None:
        return threshold.rule in match.rules
    return threshold.severity is not None and match.severity.at_least(threshold.severity)


def count_in(threshold: MatchThreshold, counted: tuple[Usec, ...], at: Usec) -> tuple[Usec, ...]:
    """The instants that count once a match at `at` has come: those that still lie within the span, and `at`.

    `at` may be earlier than the last one (the clock was set back): such a match counts at the last one's instant,
    so the instants never fall.
    """
    now = max(at, counted[-1]) if counted else at
    kept = counted if threshold.within is None else tuple(one for one in counted if now - one < threshold.within)
    return (*kept, now)[-threshold.count :]


def crossed(threshold: MatchThreshold, counted: tuple[Usec, ...]) -> Reason | None:
    """The reason to fail the release, when as many matches as the limit lie within the span."""
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
