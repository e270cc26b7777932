"""The wall clock is set while a window is open: the window stays as long as it is, by the clock as it goes then."""

from __future__ import annotations

import pytest

from tests.events import (
    OTHER_JOB,
    START,
    batch,
    configured,
    deployed,
    gap,
    instant,
    match,
    observed,
    policy,
    release,
    watching,
)
from tests.playbook import play
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import HOUR, SECOND, Usec
from watcher.core.reason import ReasonCode
from watcher.core.release import Phase, RollbackState

STEPS = [HOUR, -HOUR, 365 * 24 * HOUR, -365 * 24 * HOUR]


def stepped(after: str, step: int) -> Gap:
    """The clock is set right after that instant; the first entry by the new one follows a second later."""
    before = instant(after)
    since, until = sorted((before, Usec(before + SECOND + step)))
    return Gap(reason=GapReason.CLOCK, since=since, until=until, step=step)


def by(step: int, when: str) -> Usec:
    """An instant of the old clock, as the new one shows it."""
    return Usec(instant(when) + step)


@pytest.mark.parametrize("step", STEPS)
def test_a_window_keeps_its_length(step: int) -> None:
    """It ends a window's length after its start, as time really went, and does not pass."""
    state = play(watching(), batch(entries=1, at="1m")).state
    state = play(state, batch(entries=1, at=by(step, "61s"), gaps=(stepped("60s", step),))).state
    early = play(state, batch(entries=1, at=by(step, "14m59s")))
    assert Phase.WATCHING is early.last.phase
    over = play(early.state, batch(entries=1, at=by(step, "15m")))
    assert (Phase.INCONCLUSIVE, by(step, "15m")) == (over.last.phase, over.last.record.ended_at)
    assert ["clock"] == [one.reason for one in over.last.record.trial.gaps]


@pytest.mark.parametrize("step", STEPS)
def test_matches_on_both_sides_of_a_step_lie_as_far_apart_as_they_were(step: int) -> None:
    """A limit within a span is judged by the time that really went by."""
    state = play(watching(limit=2, within="2m"), batch(match("50s"), at="1m")).state
    apart = batch(match(by(step, "2m50s")), at=by(step, "2m50s"), gaps=(stepped("60s", step),))
    assert Phase.WATCHING is play(state, apart).last.phase
    near = batch(match(by(step, "2m49s")), at=by(step, "2m49s"), gaps=(stepped("60s", step),))
    assert ["2 error matches in 1m59s, limit 2 in 2m"] == play(state, near).last.reasons


@pytest.mark.parametrize("step", STEPS)
def test_a_window_that_was_opened_by_the_new_clock_stays_where_it_is(step: int) -> None:
    """Registered after the step and before any entry showed it."""
    state = play(configured(policy()), batch(entries=1, at="0s"), release(at=by(step, "500ms"))).state
    story = play(state, batch(entries=1, at=by(step, "1s"), gaps=(stepped("0s", step),)))
    assert by(step, "500ms") == story.last.record.started_at


def test_a_release_that_is_prepared_knows_what_is_old_by_the_new_clock() -> None:
    """What begins after its registration is of it, however the clock was set meanwhile."""
    state = play(configured(policy()), release(prepare=True)).state
    story = play(state, batch(entries=1, at=by(-HOUR, "61s"), gaps=(stepped("60s", -HOUR),)))
    assert by(-HOUR, "0s") == story.last.record.trial.since
    begun = play(story.state, deployed(at=by(-HOUR, "2m")))
    assert by(-HOUR, "2m") == begun.last.record.started_at


def test_what_was_read_goes_back_with_the_clock() -> None:
    """Else a window that is opened afterwards would be over at once."""
    state = play(configured(policy()), batch(entries=1, at="1h")).state
    story = play(state, batch(entries=1, at=by(-HOUR, "1h1s"), gaps=(stepped("1h", -HOUR),)))
    assert by(-HOUR, "1h1s") == story.state.read_until
    assert START + HOUR == play(state, batch(entries=1, at="1s", gaps=(gap("0s", "1s"),))).state.read_until


def test_the_time_after_a_rollback_keeps_its_length() -> None:
    """Whether the rollback helped is judged as a window is."""
    state = play(
        watching(limit=1, verify="10m"), batch(errors=1, at="1m"), observed(RollbackState.SUCCEEDED, at="2m")
    ).state
    story = play(state, batch(entries=1, at=by(HOUR, "3m1s"), gaps=(stepped("3m", HOUR),)))
    verification = story.last.record.verification
    assert verification is not None
    assert (by(HOUR, "2m"), by(HOUR, "12m")) == (verification.trial.start, verification.trial.end)


@pytest.mark.parametrize("step", STEPS)
def test_a_trouble_of_another_job_goes_on_over_the_step(step: int) -> None:
    """It is as long ago as it was, so a cause that began before the step is shared by a failure after it."""
    state = play(configured(policy(limit=1), policy(job=OTHER_JOB)), release()).state
    before = [match(at, job=OTHER_JOB) for at in ("50s", "51s", "52s")]
    state = play(state, batch(*before, at="1m")).state
    failing = [match(by(step, "63s"), job=OTHER_JOB), match(by(step, "64s"))]
    story = play(state, batch(*failing, at=by(step, "65s"), gaps=(stepped("60s", step),)))
    assert (Phase.FAILED, RollbackState.HELD) == (story.last.phase, story.last.rollback)
    assert ReasonCode.SHARED_CAUSE is story.last.record.reasons[-1].code


def test_a_step_of_unknown_size_moves_nothing() -> None:
    """It keeps the window from passing, as each hole does."""
    state = play(watching(), batch(entries=1, at="1m")).state
    story = play(state, batch(entries=1, at="2m", gaps=(gap("1m", "2m", reason=GapReason.CLOCK),)))
    assert START == story.last.record.started_at
