"""Failed runs against a number."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events import run
from watcher.core.policy import FailedRuns
from watcher.core.reason_words import say
from watcher.core.run_count import RunCount, crossed, standing, with_run


def counted(outcomes: str, *, count: int, consecutive: bool) -> RunCount:
    """The count after runs that ended so: `S` succeeded, `F` failed."""
    runs = (run("1s", failed=outcome == "F") for outcome in outcomes)
    return reduce(with_run, runs, RunCount(threshold=FailedRuns(count=count, consecutive=consecutive)))


@pytest.mark.parametrize(
    ("outcomes", "consecutive", "said"),
    [
        ("F", False, None),
        ("FSF", False, "2 of 3 runs failed, limit 2"),
        ("FSF", True, None),
        ("SFF", True, "2 of 3 runs failed in a row, limit 2"),
        ("SS", False, None),
    ],
)
def test_two_failed_runs(outcomes: str, said: str | None, *, consecutive: bool) -> None:
    """Crossed at the limit; in a row only without a success between them."""
    reason = crossed(counted(outcomes, count=2, consecutive=consecutive))
    assert said == (None if reason is None else say(reason))


def test_the_most_that_ever_stood_is_kept() -> None:
    """After a success nothing stands in a row any more, but the record tells how near it came."""
    count = counted("FFS", count=3, consecutive=True)
    assert (0, 2) == (standing(count, at_end=False).count, standing(count, at_end=True).count)
    assert "3 failed runs in a row" == standing(count, at_end=True).label


@given(st.text("SF", max_size=12), st.integers(1, 4), st.booleans(), st.integers(0, 11))
def test_a_worse_run_never_mends_anything(outcomes: str, count: int, consecutive: bool, place: int) -> None:  # noqa: FBT001
    """A success made a failure crosses whatever was crossed before, and the standing never falls."""
    worse = outcomes[:place] + "F" + outcomes[place + 1 :] if place < len(outcomes) else outcomes
    before, after = (counted(one, count=count, consecutive=consecutive) for one in (outcomes, worse))
    assert standing(before, at_end=True).ratio <= standing(after, at_end=True).ratio
