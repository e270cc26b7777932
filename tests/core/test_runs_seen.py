"""The runs of a trial, counted."""

from __future__ import annotations

from tests.events import run
from watcher.core.found import RunOutcome
from watcher.core.runs_seen import NO_RUNS


def test_each_end_counts_where_it_belongs() -> None:
    """Outcomes in the window, failures before it had settled apart, and what thresholds may count."""
    seen = NO_RUNS.began().began().began().began()
    seen = seen.ended(run("1s", failed=True), inside=True, settled=False, begun=True)
    seen = seen.ended(run("9s"), inside=True, settled=True, begun=True)
    seen = seen.ended(run("9s", outcome=RunOutcome.STOPPED), inside=True, settled=True, begun=True)
    assert (4, 3, 1, 1, 1) == (seen.begun, seen.over, seen.succeeded, seen.failed, seen.stopped)
    assert (1, 1, True) == (seen.settling, seen.finished, seen.is_alive)


def test_a_run_that_a_condition_skipped_never_was() -> None:
    """It is no evidence that anything ran."""
    seen = NO_RUNS.began().ended(run("1s", outcome=RunOutcome.SKIPPED), inside=True, settled=True, begun=True)
    assert NO_RUNS == seen
    assert not seen.any_seen


def test_a_skipped_run_whose_begin_was_not_counted() -> None:
    """It was read before the release was registered, as the clock was set back since: there are no less than none."""
    seen = NO_RUNS.ended(run("1s", outcome=RunOutcome.SKIPPED), inside=True, settled=True, begun=True)
    assert NO_RUNS == seen


def test_what_ended_before_the_window_is_over_and_nothing_else() -> None:
    """It is no outcome of the window."""
    seen = NO_RUNS.began().ended(run("1s"), inside=False, settled=False, begun=True)
    assert (0, 0, False) == (seen.succeeded, seen.finished, seen.is_alive)


def test_older_runs_are_told_apart() -> None:
    """They count for nothing of the release."""
    seen = NO_RUNS.old_ended(run("1s", failed=True)).old_ended(run("2s", outcome=RunOutcome.STOPPED))
    assert (1, 1, 0, 0) == (seen.old_failed, seen.old_stopped, seen.failed, seen.finished)
