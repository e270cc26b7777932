"""Steps of the wall clock, told by two cursors."""

from __future__ import annotations

import pytest

from tests.journal.written import BOOT, T0
from watcher.core.coverage import GapReason
from watcher.core.duration import HOUR, SECOND
from watcher.journal.clocks import step_between


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
