"""More failures than before: crossed, nearly crossed, not applicable; and all of it however the past comes in."""

from __future__ import annotations

import pytest

from tests.events import (
    ODD,
    RELEASE,
    baseline,
    baseline_read,
    batch,
    configured,
    gap,
    instant,
    match,
    policy,
    release,
    run,
    span,
    watching,
)
from tests.playbook import play
from watcher.core.above_baseline import PENDING_KEPT
from watcher.core.coverage import GapReason
from watcher.core.duration import MINUTE, SECOND, Usec
from watcher.core.engine import decide
from watcher.core.messages import Event, ReadBaseline
from watcher.core.policy import AboveBaseline, Threshold
from watcher.core.reason import ReasonCode
from watcher.core.reason_words import say
from watcher.core.release import Phase, Release, Verdict
from watcher.core.severity import Severity
from watcher.core.state import State
from watcher.core.thresholds import standing

THRICE = AboveBaseline(severity=Severity.ERROR, factor=3.0, confidence=0.999, lookback=span("14d"))


def open_window(threshold: Threshold = THRICE, window: str = "1h") -> State:
    return watching(thresholds=(threshold,), window=window)


def after(state: State, *events: Event) -> Release:
    """The release once all of this has happened."""
    for event in events:
        state = decide(state, event).state
    return state.releases[RELEASE]


def every_minute(count: int, *, first: int = 0) -> list[Event]:
    """A batch with an error in each of so many minutes."""
    return [batch(match(f"{minute}m5s"), at=f"{minute}m6s") for minute in range(first, first + count)]


def test_registration_has_the_past_read() -> None:
    """The answer comes at once; the command to read goes out with it."""
    registered = decide(configured(policy(thresholds=(THRICE,))), release())
    assert (ReadBaseline(RELEASE),) == registered.commands


def test_errors_in_every_minute_of_a_job_that_had_few() -> None:
    """The third minute with an error in a row fails the release, and the reason says its arithmetic."""
    ended = after(open_window(), baseline_read(baseline(error_minutes=20)), *every_minute(10))
    assert (Phase.FAILED, instant("2m5s")) == (ended.phase, ended.ended_at)
    assert (
        "3 of 3 minutes had a match of severity error or worse, 20 of 20160 before: "
        "more than 3 times as often, confidence 0.999"
    ) == "; ".join(map(say, ended.reasons))


def test_two_minutes_are_too_few() -> None:
    """Nearly crossed: the release passes, and what it came to is said."""
    events = [*every_minute(2), batch(at="1h", entries=1)]
    ended = after(open_window(), baseline_read(baseline(error_minutes=20)), *events)
    assert Verdict.PASSED is ended.verdict
    (count,) = ended.trial.counts
    assert (2, 3) == (standing(count).count, standing(count).limit)
    assert standing(count).ratio < 1


def test_how_near_it_came_can_be_checked_by_hand() -> None:
    """As a share of the failures that would have been enough, as for any other limit, and when it came nearest."""
    two = after(open_window(), baseline_read(baseline(error_minutes=20)), *every_minute(2))
    assert 2 / 3 == standing(two.trial.counts[0]).ratio
    spread = [batch(match(f"{minute}m"), at=f"{minute}m") for minute in (1, 5, 9, 50)]
    (count,) = after(open_window(), baseline_read(baseline(error_minutes=500)), *spread).trial.counts
    nearest = standing(count)
    assert (3, 7, 3 / 7) == (nearest.count, nearest.limit, nearest.ratio)
    assert "3 of 10 minutes had a match of severity error or worse, 500 of 20160 before" == nearest.detail
    assert 4 == standing(count, instant("50m")).count


def test_as_many_as_before_pass() -> None:
    """A job that had errors in half of its minutes may go on having them."""
    events = [
        *(event for minute in range(0, 60, 2) for event in every_minute(1, first=minute)),
        batch(at="1h", entries=1),
    ]
    ended = after(open_window(), baseline_read(baseline(error_minutes=5000)), *events)
    assert Verdict.PASSED is ended.verdict


def test_many_lines_in_a_minute_count_once() -> None:
    """Raw lines are never judged: a stack of them is one minute."""
    events = [batch(match("5s"), match("6s"), match("7s"), match("50s"), at="51s"), batch(at="1h", entries=1)]
    assert Verdict.PASSED is after(open_window(), baseline_read(baseline()), *events).verdict


def test_milder_matches_do_not_count() -> None:
    """Only matches of the severity and worse make an error minute."""
    events = [batch(match(f"{minute}m", ODD), at=f"{minute}m1s") for minute in range(30)]
    assert Verdict.PASSED is after(open_window(), baseline_read(), *events, batch(at="1h", entries=1)).verdict


def test_bursts_before_make_bursts_since_less_strange() -> None:
    """A job whose errors always came in rows of minutes isn't failed by the start of another one."""
    quiet = after(open_window(), baseline_read(baseline(error_minutes=200, bursts=20)), *every_minute(5))
    alone = after(open_window(), baseline_read(baseline(error_minutes=200)), *every_minute(5))
    assert (Phase.WATCHING, Phase.FAILED) == (quiet.phase, alone.phase)


@pytest.mark.parametrize("when", range(12))
def test_the_past_may_come_late(when: int) -> None:
    """What happened while the past was being read is judged at its own instants: the same verdict, reason, instant."""
    events: list[Event] = every_minute(12)
    at_once = after(open_window(), baseline_read(baseline(error_minutes=100)), *events)
    late = after(
        open_window(),
        *events[:when],
        baseline_read(baseline(error_minutes=100), at=Usec(instant("0s") + when * MINUTE)),
        *events[when:],
    )
    assert Phase.FAILED is late.phase
    assert (at_once.ended_at, at_once.reasons) == (late.ended_at, late.reasons)


def test_a_burst_hides_no_later_minute_from_the_past() -> None:
    """A minute is kept once while the past is being read, however many errors it has."""
    burst = batch(match("5s"), errors=2 * PENDING_KEPT, at="6s")
    ended = after(open_window(), burst, *every_minute(9, first=1), baseline_read(baseline(error_minutes=20), at="9m"))
    assert (Phase.FAILED, instant("2m5s")) == (ended.phase, ended.ended_at)


def test_more_runs_than_can_wait_for_the_past() -> None:
    """What found no room was not judged: a release that nothing failed can't pass, and says so."""
    runs = batch(*(run("1m", number) for number in range(PENDING_KEPT + 1)), at="2m")
    ended = after(open_window(), runs, baseline_read(baseline(), at="9m"), batch(at="1h", entries=1))
    assert (Verdict.INCONCLUSIVE, [ReasonCode.JUDGED_IN_PART]) == (
        ended.verdict,
        [reason.code for reason in ended.reasons],
    )
    assert 1 == ended.reasons[0].count


def test_a_window_waits_for_the_past() -> None:
    """It doesn't end before the past is read, and then at the instant of its end."""
    state = open_window()
    waiting = after(state, batch(at="1h", entries=1), batch(at="2h", entries=1))
    assert Phase.WATCHING is waiting.phase
    assert waiting.trial.waits
    ended = after(
        state, batch(at="1s", entries=1), batch(at="2h", entries=1), baseline_read(at=Usec(instant("2h") + SECOND))
    )
    assert (Verdict.PASSED, instant("1h")) == (ended.verdict, ended.ended_at)


def test_a_past_that_can_not_be_read() -> None:
    """The condition was not judged, so the release can't pass: it is inconclusive and says why."""
    problem = baseline(problem="journal directory /x: no such directory")
    ended = after(open_window(), *every_minute(30), baseline_read(problem, at="31m"), batch(at="1h", entries=1))
    assert Verdict.INCONCLUSIVE is ended.verdict
    assert ["the baseline could not be read: journal directory /x: no such directory"] == [
        say(reason) for reason in ended.reasons
    ]


def test_a_past_that_says_too_little() -> None:
    """With no other condition there is no verdict; nothing ever fails for it."""
    ended = after(open_window(), baseline_read(baseline(minutes=10)), *every_minute(30), batch(at="1h", entries=1))
    assert Verdict.INCONCLUSIVE is ended.verdict
    assert "none of the configured conditions could be judged" == say(ended.reasons[0])
    assert say(ended.reasons[1]).startswith("not applicable: error above 3 times the baseline (confidence 0.999): ")


def test_a_second_answer_changes_nothing() -> None:
    """The first baseline stays."""
    state = open_window()
    for event in (baseline_read(baseline(error_minutes=20)), baseline_read(baseline(error_minutes=5000), at="1s")):
        state = decide(state, event).state
    assert 20 == state.releases[RELEASE].trial.baseline.of_minutes(Severity.ERROR)[0].failed  # type: ignore[union-attr]


def test_a_hole_starts_no_failure() -> None:
    """Minutes in a hole count as clean ones since the release."""
    events = [
        batch(match("5s"), match("1m5s"), at="1m6s"),
        batch(at="30m", gaps=(gap("2m", "29m", reason=GapReason.MISSING),)),
        batch(match("30m5s"), at="30m6s"),
    ]
    holed = after(open_window(), baseline_read(baseline(error_minutes=400)), *events)
    assert Phase.WATCHING is holed.phase


def test_the_story_as_it_is_played() -> None:
    """A release of a job that breaks is rolled back once."""
    story = play(open_window(), baseline_read(baseline(error_minutes=20)), *every_minute(10))
    assert 1 == sum(type(one).__name__ == "QueueRollback" for step in story.commands for one in step)


TWICE = AboveBaseline(severity=Severity.ERROR, factor=2.0, confidence=0.95, lookback=span("14d"))


def runs(*failed: bool) -> list[Event]:
    """A run each minute, failed or not."""
    return [
        batch(run(f"{number}m", number, failed=one), at=f"{number}m1s") for number, one in enumerate(failed, start=1)
    ]


def test_a_job_that_runs_is_judged_by_its_runs() -> None:
    """Four of five fail after one in five did before: the reason says both."""
    state = open_window(TWICE)
    often = [number % 5 != 0 for number in range(1, 60)]
    ended = after(state, baseline_read(baseline(runs=(60, 300))), *runs(*often))
    assert Phase.FAILED is ended.phase
    (reason,) = ended.reasons
    assert reason.count / reason.seen >= 0.8
    assert say(reason).endswith(" runs failed, 60 of 300 before: more than 2 times as often, confidence 0.95")


def test_as_many_failed_runs_as_before() -> None:
    """One in five goes on failing: the release does not fail for it."""
    seldom = [number % 5 == 0 for number in range(1, 60)]
    ended = after(open_window(TWICE), baseline_read(baseline(runs=(60, 300))), *runs(*seldom))
    assert Phase.WATCHING is ended.phase


def test_error_lines_of_a_job_that_runs() -> None:
    """They are no trials of it: each run is one, however it logs."""
    ended = after(open_window(TWICE), baseline_read(baseline(runs=(0, 300))), *every_minute(30))
    assert Phase.WATCHING is ended.phase


def test_a_service_that_hardly_ever_ends() -> None:
    """A few runs before don't make a job one that runs: its minutes are judged."""
    ended = after(open_window(TWICE), baseline_read(baseline(runs=(1, 9))), *every_minute(10))
    assert Phase.FAILED is ended.phase


@pytest.mark.parametrize("when", range(0, 40, 7))
def test_runs_wait_for_the_past_as_well(when: int) -> None:
    """The same verdict, reason and instant as if it had been there at once."""
    events = runs(*[number % 5 != 0 for number in range(1, 40)])
    known = baseline_read(baseline(runs=(60, 300)))
    at_once = after(open_window(TWICE), known, *events)
    late = after(open_window(TWICE), *events[:when], known, *events[when:])
    assert (at_once.phase, at_once.ended_at, at_once.reasons) == (late.phase, late.ended_at, late.reasons)
