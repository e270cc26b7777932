"""Holes, and the spans that they touch."""

from __future__ import annotations

import pytest

from tests.events import JOB, OTHER_JOB, gap, instant
from watcher.core.duration import Usec

START, END = instant("10s"), instant("20s")


@pytest.mark.parametrize(
    ("since", "until", "touches"),
    [
        ("0s", "9s", False),
        ("0s", "10s", True),
        ("0s", "15s", True),
        ("0s", "30s", True),
        ("12s", "12s", True),
        ("15s", "30s", True),
        ("20s", "30s", False),
        ("25s", "30s", False),
    ],
)
def test_a_hole_touches_a_span_that_may_have_lost_an_entry(since: str, until: str, *, touches: bool) -> None:
    """The entries around the hole bound it: an entry at the span's start may be lost, one at its end is outside."""
    assert touches is gap(since, until).touches(JOB, START, END)


def test_a_hole_in_front_of_the_start_does_not_touch() -> None:
    """To the microsecond."""
    assert not gap("0s", Usec(START - 1)).touches(JOB, START, END)


def test_a_hole_of_one_job_touches_that_job() -> None:
    """A hole of nobody in particular touches every job."""
    assert gap("12s", "13s", job=JOB).touches(JOB, START, END)
    assert not gap("12s", "13s", job=OTHER_JOB).touches(JOB, START, END)
    assert gap("12s", "13s").touches(OTHER_JOB, START, END)
