"""The span in which a job is judged."""

from __future__ import annotations

import pytest

from tests.events import instant, policy, span
from watcher.core.trial import new_trial

NEW = new_trial(policy().release.thresholds)


@pytest.mark.parametrize(("at", "covered"), [("-1s", False), ("0s", True), ("59s", True), ("60s", False)])
def test_the_span_is_half_open(at: str, *, covered: bool) -> None:
    """Its first instant lies in it, its end does not."""
    trial = NEW.started(instant("0s"), length=span("1m"), settle=span("5s"))
    assert covered is trial.covers(instant(at))
    assert (instant("5s"), instant("60s")) == (trial.settles_at, trial.end)


def test_nothing_lies_in_it_before_its_clock_starts() -> None:
    """A trial that is being prepared sees nothing."""
    assert not NEW.covers(instant("0s"))
    assert None is NEW.start
