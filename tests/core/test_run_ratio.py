"""The share of failed runs."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events import run
from watcher.core.policy import FailedRatio
from watcher.core.reason_words import say
from watcher.core.run_ratio import RatioCount, crossed, standing, with_run

FIFTH = FailedRatio(ratio=0.2, min_runs=5)


def counted(outcomes: str, threshold: FailedRatio = FIFTH) -> RatioCount:
    """The count after runs that ended so: `S` succeeded, `F` failed."""
    return reduce(with_run, (run("1s", failed=one == "F") for one in outcomes), RatioCount(threshold=threshold))


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ("FFFF", None),
        ("FSSSS", "1 of 5 runs failed: 0.2, limit 0.2 from 5 runs on"),
        ("FSSSSS", None),
        ("SSSSSSFF", "2 of 8 runs failed: 0.25, limit 0.2 from 5 runs on"),
    ],
)
def test_one_in_five(outcomes: str, said: str | None) -> None:
    """Judged from the least number of runs on, crossed at the limit."""
    reason = crossed(counted(outcomes))
    assert said == (None if reason is None else say(reason))


def test_the_greatest_share_is_kept_with_its_arithmetic() -> None:
    """Before enough runs have ended it is 0; later it is the greatest that it ever was."""
    assert 0 == standing(counted("FFFF"), at_end=True).ratio
    most = standing(counted("SSSSSFSSSS", FailedRatio(ratio=0.5, min_runs=5)), at_end=True)
    assert ("1 of 6 runs failed: 1 / 6 = 0.167", 333) == (most.detail, int(most.ratio * 1000))


@given(st.text("SF", max_size=12), st.integers(1, 6), st.integers(0, 11))
def test_a_worse_run_never_mends_anything(outcomes: str, least: int, place: int) -> None:
    """A success made a failure never lowers the standing; it is 1 exactly where the threshold was crossed once."""
    threshold = FailedRatio(ratio=0.4, min_runs=least)
    worse = outcomes[:place] + "F" + outcomes[place + 1 :] if place < len(outcomes) else outcomes
    before, after = (
        standing(counted(outcomes, threshold), at_end=True),
        standing(counted(worse, threshold), at_end=True),
    )
    assert before.ratio <= after.ratio
    ever = any(crossed(counted(outcomes[:end], threshold)) for end in range(len(outcomes) + 1))
    assert ever is (before.ratio >= 1 - 1e-12)
