"""The table of thresholds, whatever their kind."""

from __future__ import annotations

from tests.events import ERROR, HELLO, instant, match, policy, span
from watcher.core import thresholds
from watcher.core.thresholds import Count, Counted

SETTLED = instant("0s")


def with_found(count: Count, found: Counted) -> Count:
    """The count of a window that has settled, with no baseline to wait for."""
    return thresholds.with_found(count, found, settles_at=SETTLED, baseline=None)


LIMITS = policy(limit=2, within="1m").release.thresholds


def test_counts_stand_in_the_order_of_the_configuration() -> None:
    """One for each threshold, and nothing stands against it yet."""
    counts = thresholds.begun(LIMITS)
    assert list(LIMITS) == [count.threshold for count in counts]
    assert [0] == [thresholds.standing(count).ratio for count in counts]


def test_what_is_no_concern_of_a_count_leaves_it_as_it_is() -> None:
    """So that nothing is asked or stored anew for it."""
    (count,) = thresholds.begun(LIMITS)
    assert count is with_found(count, match("1s", HELLO))


def test_a_standing_now_may_be_lower_than_the_most_that_was() -> None:
    """A count has what stands at an instant, and without one the most that ever stood."""
    (count,) = thresholds.begun(LIMITS)
    count = with_found(count, match("1s", ERROR))
    now, most = thresholds.standing(count, instant("2m")), thresholds.standing(count)
    assert (0, 1) == (now.count, most.count)
    assert (0.5, 2, span("1m"), "2 error matches in 1m") == (most.ratio, most.limit, most.within, most.label)


def test_it_is_crossed_at_its_limit() -> None:
    """The standing is 1 exactly where there is a reason."""
    (count,) = thresholds.begun(LIMITS)
    for second, is_crossed in ((1, False), (2, True)):
        count = with_found(count, match(f"{second}s", ERROR))
        assert is_crossed is (thresholds.crossed(count) is not None)
        assert is_crossed is (thresholds.standing(count).ratio >= 1)
