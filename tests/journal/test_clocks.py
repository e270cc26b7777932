"""Steps of the wall clock, seen between batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journal.written import BOOT, JOB, STEP, T0, Line, lines, write
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import HOUR, SECOND, Usec
from watcher.journal.clocks import step_between
from watcher.journal.follow import Follower
from watcher.journal.source import Source


def cursor(realtime: int, monotonic: int, boot: str = BOOT) -> str:
    return f"s={'1' * 32};i=1;b={boot};m={monotonic:x};t={realtime:x};x=5"


@pytest.mark.parametrize(
    ("realtime", "monotonic", "stepped"),
    [
        (T0 + HOUR, HOUR, False),
        (T0 + HOUR + SECOND - 1, HOUR, False),
        (T0 + HOUR + SECOND, HOUR, True),
        (T0 - HOUR, 5, True),
        (T0 + HOUR, 5, True),
    ],
)
def test_both_clocks_must_have_gone_on_alike(realtime: int, monotonic: int, *, stepped: bool) -> None:
    """A second more or less is a step, whichever way; a slewed clock is none."""
    gap = step_between(cursor(T0, 0), cursor(realtime, monotonic))
    assert stepped is (gap is not None)
    if gap is not None:
        assert (GapReason.CLOCK, min(T0, realtime), max(T0, realtime)) == (gap.reason, gap.since, gap.until)


def test_a_reboot_is_no_step() -> None:
    """Each boot's clock begins anew; and a place that is no entry has no clock."""
    assert None is step_between(cursor(T0, HOUR), cursor(T0 + 1, 1, boot="b" * 32))
    assert None is step_between("", cursor(T0 + HOUR, 5))


def test_a_clock_that_is_set_is_told_with_its_span(tmp_path: Path) -> None:
    """By the entries on both sides of it, wherever a batch ends."""
    write(tmp_path, "system", lines(5))
    follower = Follower(Source(directory=str(tmp_path)), [JOB], since=Usec(T0))
    assert [] == [gap for _ in range(3) for gap in follower.step().gaps]
    late = T0 + HOUR
    write(tmp_path, "system", [Line(at=late, message="fine", monotonic_at=T0 + 6 * STEP)])
    gaps: list[Gap] = []
    for _ in range(5):
        gaps += follower.step().gaps
    follower.close()
    assert [(GapReason.CLOCK, T0 + 4 * STEP, late)] == [(gap.reason, gap.since, gap.until) for gap in gaps]
