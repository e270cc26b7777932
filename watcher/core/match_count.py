"""Thresholds on matches: which instants count towards one now, and whether they cross it.

`within` is a half-open span: matches at 0 s and at 120 s do not lie within 2 m, those at 0 s and 119.9 s do.
A threshold remembers at most `count` instants, and some more for what another host tells late, so its state is bounded
whatever is logged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watcher.core.duration import MINUTE, Usec
from watcher.core.found import Match
from watcher.core.policy import MatchThreshold
from watcher.core.reason import Reason, ReasonCode
from watcher.core.standing import Standing

LATE = Usec(15 * MINUTE)
"""How much older than the last match one of another host may be and still find those that came at its time."""
EARLIER_KEPT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchCount:
    """A threshold with the instants that count towards it now (at most its `count`), and the most that ever did.

    `earlier` are those that counted before, for as long as LATE before the last one told; `boot` is that of the last
    match which was not late.
    """

    threshold: MatchThreshold
    instants: tuple[Usec, ...] = ()
    peak: int = 0
    earlier: tuple[Usec, ...] = ()
    boot: str = ""


def counts_for(threshold: MatchThreshold, match: Match) -> bool:
    """Whether the match counts towards the threshold; an entry counts once, however many rules fired on it."""
    if threshold.rule is not None:
        return threshold.rule in match.rules
    return threshold.severity is not None and match.severity.at_least(threshold.severity)


def with_match(count: MatchCount, match: Match) -> MatchCount:
    """The count once the match has come: the instants that still lie within the span, and its own.

    It may be earlier than the last one. In the same boot the clock was set back: then it counts at the last one's
    instant. In another one it is another host's and came late: then it counts at its own. The instants never fall.
    """
    threshold, counted = count.threshold, count.instants
    if not counts_for(threshold, match):
        return count
    boot = _boot_of(match)
    if counted and match.at < counted[-1] and boot != count.boot:
        return _with_late(count, match.at)
    now = max(match.at, counted[-1]) if counted else match.at
    kept = counted if threshold.within is None else tuple(one for one in counted if now - one < threshold.within)
    instants = (*kept, now)[-threshold.count :]
    earlier = _remembered((*count.earlier, *counted[: len(counted) - len(kept)]), now)
    return replace(count, instants=instants, peak=max(count.peak, len(instants)), earlier=earlier, boot=boot)


def stepped(count: MatchCount, step: int) -> MatchCount:
    """The count by a wall clock that was set by `step` microseconds."""
    instants, earlier = (tuple(Usec(at + step) for at in known) for known in (count.instants, count.earlier))
    return replace(count, instants=instants, earlier=earlier)


def _boot_of(match: Match) -> str:
    return match.cursor.partition(";b=")[2].partition(";")[0]


def _remembered(earlier: tuple[Usec, ...], now: Usec) -> tuple[Usec, ...]:
    return tuple(one for one in earlier[-EARLIER_KEPT:] if now - one < LATE)


def _with_late(count: MatchCount, at: Usec) -> MatchCount:
    """The count with a match among those that have come; its span may lie in the past."""
    threshold, within, latest = count.threshold, count.threshold.within, count.instants[-1]
    known = sorted((*count.earlier, *count.instants, at))
    if within is None:
        instants = tuple(known[-threshold.count :])
        return replace(count, instants=instants, peak=max(count.peak, len(instants)))
    spans = [[one for one in known if 0 <= one - first < within] for first in known if 0 <= at - first < within]
    fullest = max(spans, key=len)
    if len(fullest) >= threshold.count:
        return replace(count, instants=tuple(fullest[: threshold.count]), peak=threshold.count)
    instants = tuple(one for one in known if latest - one < within)
    # as long as this one needs it: after a reboot with another clock all that comes lies hours before the latest
    earlier = _remembered(tuple(known[: len(known) - len(instants)]), at)
    return replace(count, instants=instants, peak=max(count.peak, len(fullest)), earlier=earlier)


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
