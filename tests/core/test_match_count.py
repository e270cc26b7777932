"""Which matches count towards a threshold, and when it is crossed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events import ERROR, HELLO, ODD, PANIC, match, span
from watcher.core.duration import HOUR, MINUTE, Usec
from watcher.core.found import Match
from watcher.core.match_count import EARLIER_KEPT, LATE, MatchCount, counts_for, crossed, with_match
from watcher.core.names import RuleName
from watcher.core.policy import MatchThreshold
from watcher.core.reason import Reason, ReasonCode
from watcher.core.severity import Severity

TWO_IN_TWO_MINUTES = MatchThreshold(count=2, within=Usec(2 * MINUTE), severity=Severity.ERROR)


def count_in(threshold: MatchThreshold, counted: tuple[Usec, ...], at: Usec) -> tuple[Usec, ...]:
    """The instants that count after a further match at `at`, on which every rule fires."""
    count = MatchCount(threshold=threshold, instants=counted)
    return with_match(count, match(at, PANIC, ERROR, ODD, HELLO)).instants


def crossed_by(threshold: MatchThreshold, counted: tuple[Usec, ...]) -> Reason | None:
    """The reason, if these instants cross the threshold."""
    return crossed(MatchCount(threshold=threshold, instants=counted))


@pytest.mark.parametrize(
    ("rules", "limit", "counts"),
    [
        ((PANIC,), Severity.ERROR, True),
        ((ERROR,), Severity.ERROR, True),
        ((ODD,), Severity.ERROR, False),
        ((HELLO, ERROR), Severity.ERROR, True),
        ((HELLO,), Severity.INFO, True),
        ((ERROR,), Severity.CRITICAL, False),
    ],
)
def test_a_severity_takes_what_is_as_bad_or_worse(rules: tuple[RuleName, ...], limit: Severity, counts: bool) -> None:  # noqa: FBT001
    """The worst rule of the entry decides."""
    assert counts is counts_for(MatchThreshold(count=1, severity=limit), match("0s", *rules))


def test_a_rule_takes_its_own_matches_only() -> None:
    """Also where another rule fired on the same entry, and whatever the severity."""
    on_odd = MatchThreshold(count=1, rule=ODD)
    assert counts_for(on_odd, match("0s", PANIC, ODD))
    assert not counts_for(on_odd, match("0s", PANIC))


def test_the_span_is_half_open() -> None:
    """Matches exactly `within` apart do not lie in it together; a microsecond less and they do."""
    first, apart = (Usec(0),), Usec(2 * MINUTE)
    assert (apart,) == count_in(TWO_IN_TWO_MINUTES, first, apart)
    assert (Usec(0), Usec(apart - 1)) == count_in(TWO_IN_TWO_MINUTES, first, Usec(apart - 1))


def test_without_a_span_nothing_is_too_old() -> None:
    """The first match of a long window still counts."""
    whole = MatchThreshold(count=2, severity=Severity.ERROR)
    assert (Usec(0), span("90d")) == count_in(whole, (Usec(0),), span("90d"))


def test_a_match_from_the_past_counts_now() -> None:
    """After the clock was set back, a match counts at the latest instant that was seen."""
    assert (Usec(90), Usec(90)) == count_in(TWO_IN_TWO_MINUTES, (Usec(90),), Usec(10))


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(1, 5), st.integers(1, 100))
def test_it_agrees_with_counting_by_hand(ats: list[int], limit: int, within: int) -> None:
    """With a clock that never steps back, it is crossed exactly where some `limit` matches lie within the span."""
    threshold = MatchThreshold(count=limit, within=Usec(within), severity=Severity.ERROR)
    ats.sort()
    counted: tuple[Usec, ...] = ()
    for place, at in enumerate(ats):
        counted = count_in(threshold, counted, Usec(at))
        by_hand = [one for one in ats[: place + 1] if at - one < within]
        assert (len(by_hand) >= limit) is (crossed_by(threshold, counted) is not None)


def told(host: str, at: int) -> Match:
    """A match of a host, by the boot that its cursor names."""
    return replace(match(Usec(at), ERROR), cursor=f"s=1;i=1;b={host};m=1;t={at:x};x=1")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 400)), max_size=40), st.integers(1, 5))
def test_hosts_that_come_late_are_counted_by_hand(seen: list[tuple[str, int]], limit: int) -> None:
    """Each host in its own order and the one later than the other: crossed where so many lie within one span."""
    threshold = MatchThreshold(count=limit, within=Usec(50), severity=Severity.ERROR)
    clocks = {"a": 0, "b": 0}
    count, ats = MatchCount(threshold=threshold), list[int]()
    for host, at in seen:
        clocks[host] = max(clocks[host], at)
        count = with_match(count, told(host, clocks[host]))
        ats.append(clocks[host])
        by_hand = max(sum(0 <= one - first < 50 for one in ats) for first in ats)
        assert (by_hand >= limit) is (crossed(count) is not None)
        assert len(count.instants) <= limit
        if by_hand >= limit:
            return
        assert by_hand == count.peak


def test_a_late_match_is_not_held_against_what_came_since() -> None:
    """Ten minutes apart are ten minutes apart, whenever the one was told."""
    count = with_match(MatchCount(threshold=TWO_IN_TWO_MINUTES), told("a", 10 * MINUTE))
    late = with_match(count, told("b", 0))
    assert (None, 1) == (crossed(late), late.peak)
    reason = crossed(with_match(late, told("b", MINUTE)))
    assert reason is not None
    assert (2, MINUTE) == (reason.count, reason.span)


def test_a_clock_that_was_set_back_by_a_reboot() -> None:
    """What comes after it is a boot of its own, hours before what was counted, and still adds up."""
    count = with_match(MatchCount(threshold=TWO_IN_TWO_MINUTES), told("a", 2 * HOUR))
    again = with_match(count, told("b", HOUR))
    assert crossed(again) is None
    reason = crossed(with_match(again, told("b", HOUR + MINUTE)))
    assert reason is not None
    assert (2, MINUTE) == (reason.count, reason.span)


def test_a_late_match_without_a_span() -> None:
    """It counts like any other."""
    whole = MatchThreshold(count=2, severity=Severity.ERROR)
    reason = crossed(with_match(with_match(MatchCount(threshold=whole), told("a", HOUR)), told("b", MINUTE)))
    assert reason is not None
    assert (2, HOUR - MINUTE) == (reason.count, reason.span)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2 * HOUR)), max_size=60))
def test_what_is_kept_for_late_ones_is_bounded(seen: list[tuple[str, int]]) -> None:
    """No older than that before the last one told, in order, whatever comes."""
    count = MatchCount(threshold=MatchThreshold(count=3, within=Usec(50), severity=Severity.ERROR))
    for host, at in seen:
        count = with_match(count, told(host, at))
        if crossed(count) is not None:
            return
        known = (*count.earlier, *count.instants)
        assert all(earlier <= later for earlier, later in pairwise(known))
        assert all(at - one < LATE for one in count.earlier)
        assert len(count.earlier) <= EARLIER_KEPT


@given(st.lists(st.integers(0, 1_000).map(Usec)), st.integers(1, 5))
def test_what_it_remembers_is_bounded_and_never_falls(ats: list[Usec], limit: int) -> None:
    """At most as many instants as the limit, in order, whatever comes."""
    threshold = MatchThreshold(count=limit, within=Usec(50), severity=Severity.ERROR)
    counted: tuple[Usec, ...] = ()
    for at in ats:
        counted = count_in(threshold, counted, at)
        assert len(counted) <= limit
        assert all(earlier <= later for earlier, later in pairwise(counted))


def test_it_is_crossed_at_the_limit() -> None:
    """One less is no reason; at the limit the reason has number, limit and the span that they took."""
    assert crossed_by(TWO_IN_TWO_MINUTES, (Usec(5),)) is None
    reason = Reason(
        code=ReasonCode.MATCHES, what="error", count=2, limit=2, span=Usec(37), within=TWO_IN_TWO_MINUTES.within
    )
    assert reason == crossed_by(TWO_IN_TWO_MINUTES, (Usec(5), Usec(42)))


def test_the_reason_of_a_rule_names_the_rule() -> None:
    """So that a reader finds the rule, not a severity."""
    reason = crossed_by(MatchThreshold(count=1, rule=ODD), (Usec(5),))
    assert reason is not None
    assert (ODD, None) == (reason.what, reason.within)


@pytest.mark.parametrize(
    ("threshold", "label"),
    [
        (MatchThreshold(count=5, severity=Severity.ERROR, within=span("2m")), "5 error matches in 2m"),
        (MatchThreshold(count=1, rule=ODD), "1 odd match"),
    ],
)
def test_the_label_is_made_of_configuration(threshold: MatchThreshold, label: str) -> None:
    """Metrics and notes name a threshold by its limit."""
    assert label == threshold.label
