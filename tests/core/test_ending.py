"""How a release ends, and what becomes of its rollback then."""

from __future__ import annotations

import pytest

from tests.events import (
    JOB,
    NEXT,
    OTHER_JOB,
    RELEASE,
    Terms,
    batch,
    configured,
    instant,
    pause,
    person,
    policy,
    release,
    request,
    resume,
    reviewed,
    span,
    watching,
)
from tests.playbook import expect, play
from watcher.core import counters
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import Usec
from watcher.core.ending import ROLLBACK_DEADLINE
from watcher.core.messages import Judgement, QueueRollback, WriteNote
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import Mode, SharedCause
from watcher.core.release import Phase, RollbackState
from watcher.core.state import State

CRASH = batch(errors=1, at="10s")


@pytest.mark.parametrize(
    ("terms", "rollback", "why"),
    [
        (Terms(limit=1, mode=Mode.OBSERVE), RollbackState.NONE, "mode is observe: recorded only"),
        (
            Terms(limit=1, mode=Mode.OBSERVE, command=()),
            RollbackState.NONE,
            "mode is observe: recorded only",
        ),
        (Terms(limit=1, mode=Mode.ASK), RollbackState.HELD, "mode is ask: a person decides about the rollback"),
        (Terms(limit=1, mode=Mode.ROLLBACK), RollbackState.QUEUED, "1 error match in 0ms, limit 1 in 2m"),
    ],
)
def test_the_mode_decides_how_far_the_daemon_goes(terms: Terms, rollback: RollbackState, why: str) -> None:
    """Observe records, ask holds, rollback queues; the record says why."""
    story = play(watching(**terms), CRASH)
    assert (Phase.FAILED, rollback, why) == (story.last.phase, story.last.rollback, story.last.rollback_reason)
    queued = [QueueRollback(RELEASE)] if rollback is RollbackState.QUEUED else []
    assert [[WriteNote(RELEASE), *queued]] == story.commands


@pytest.mark.parametrize("job", [None, JOB])
def test_a_pause_holds_the_rollback_and_not_the_verdict(job: str | None) -> None:
    """Judging goes on; the rollback waits for a person."""
    held = pause(None if job is None else JOB, at="5s")
    expect(
        play(watching(limit=1), held, CRASH),
        f"5s {job or 'all jobs'} pause running -> paused",
        "10s import-1 phase watching -> failed: 1 error match in 0ms, limit 1 in 2m",
        "10s import-1 rollback none -> held: automatic rollbacks are paused: big sale",
        "WriteNote import-1",
    )


@pytest.mark.parametrize(
    "events",
    [
        (pause(OTHER_JOB, at="5s"),),
        (pause(at="1s", until="10s"),),
        (pause(at="1s"), resume(at="5s")),
        (pause(JOB, at="1s"), resume(JOB, at="5s")),
    ],
)
def test_a_pause_of_others_or_one_that_is_over_holds_nothing(events: tuple[object, ...]) -> None:
    """Another job's pause, an expired one, a lifted one."""
    begin = play(configured(policy(limit=1), policy(job=OTHER_JOB)), release()).state
    story = play(begin, *events, CRASH)  # type: ignore[arg-type]  # events of two kinds
    assert RollbackState.QUEUED is story.last.rollback


def test_resuming_does_not_start_what_was_held() -> None:
    """Held rollbacks stay held: the world has moved on while they waited."""
    story = play(watching(limit=1), pause(at="1s"), CRASH, resume(at="20s"), batch(errors=5, at="30s"))
    assert RollbackState.HELD is story.last.rollback
    assert [] == [one for step in story.commands for one in step if isinstance(one, QueueRollback)]


@pytest.mark.parametrize(
    ("late", "rollback"),
    [(ROLLBACK_DEADLINE, RollbackState.QUEUED), (Usec(ROLLBACK_DEADLINE + 1), RollbackState.HELD)],
)
def test_a_failure_found_in_a_backlog_is_left_to_a_person(late: Usec, rollback: RollbackState) -> None:
    """Up to the deadline a rollback runs by itself; later nobody knows what the system looks like by now."""
    story = play(watching(limit=1), batch(errors=1, at="10s", taken=Usec(instant("10s") + late)))
    assert (Phase.FAILED, "10s", rollback) == (story.last.phase, story.last.ended_at, story.last.rollback)


def test_the_reason_of_a_stale_rollback_has_age_and_limit() -> None:
    """With the number and its limit, as every reason."""
    story = play(watching(limit=1), batch(errors=1, at="10s", taken="3h10s"))
    assert "decided 3h after the failure, limit 1h: a person decides" == story.last.rollback_reason


def test_a_release_that_ends_has_a_note_and_a_counted_verdict() -> None:
    """Every verdict is counted once; a release that was not judged has a note and no verdict."""
    passed = play(watching(), batch(entries=1, at="1m"), batch(at="15m"), batch(at="16m"))
    assert [[], [WriteNote(RELEASE)], []] == passed.commands
    assert 1 == passed.counter(counters.VERDICTS, JOB, "passed")
    cancelled = play(watching(), person(Judgement.CANCEL, at="1m"))
    assert [[WriteNote(RELEASE)]] == cancelled.commands
    assert [0, 0, 0] == [
        cancelled.counter(counters.VERDICTS, JOB, word) for word in ("passed", "failed", "inconclusive")
    ]


def test_a_failure_is_counted_once_however_many_errors_follow() -> None:
    """A failed release is no window any more."""
    story = play(watching(limit=1), CRASH, CRASH, CRASH, batch(at="20m"))
    assert 1 == story.counter(counters.VERDICTS, JOB, "failed")
    assert [1, 0, 0, 0] == [len(decision.transitions) // 2 for decision in story.decisions]


def test_the_next_release_of_the_job_is_judged_anew() -> None:
    """A release after a failure has its own window, its own count and its own rollback."""
    story = play(watching(limit=2), batch(errors=2, at="1s"), release(request(version="2.1"), fresh_id=NEXT, at="1m"))
    again = play(story.state, batch(errors=1, at="61s"), batch(errors=1, at="62s"))
    assert [[], [WriteNote(NEXT), QueueRollback(NEXT)]] == again.commands


# ------------------------------------------------------------------------------------------------------- the budget


def _fleet(count: int, *, budget: int) -> tuple[State, list[ReleaseId]]:
    """So many jobs, each with a release that one error fails."""
    names = [JobName(f"job-{number}") for number in range(count)]
    begin = configured(*(policy(job=name, limit=1, shared_cause=SharedCause.IGNORE) for name in names), budget=budget)
    ids = [ReleaseId(f"{name}-1") for name in names]
    story = play(begin, *(release(request(name), fresh_id=one) for name, one in zip(names, ids, strict=True)))
    return story.state, ids


def test_the_host_starts_no_more_rollbacks_an_hour_than_it_may() -> None:
    """The third one is held with the numbers; an hour after the first there is room again."""
    begin, ids = _fleet(4, budget=2)
    failing = [batch(errors=1, at=f"{second}s", job=JobName(f"job-{second}")) for second in (0, 1, 2)]
    story = play(begin, *failing)
    states = [story.of(one).rollback for one in ids[:3]]
    assert [RollbackState.QUEUED, RollbackState.QUEUED, RollbackState.HELD] == states
    limit = "2 rollbacks were started on this host in 1h, limit 2: a person decides"
    assert limit == story.of(ids[2]).rollback_reason
    ordered = play(story.state, person(Judgement.ROLLBACK, ids[2], at="3s"))
    assert RollbackState.QUEUED is ordered.of(ids[2]).rollback
    extended = play(begin, *failing[:1], person(Judgement.EXTEND, ids[3], at="1s", by="2h"))
    later = play(extended.state, batch(errors=1, at="1h1s", job=JobName("job-3")))
    assert RollbackState.QUEUED is later.of(ids[3]).rollback


@pytest.mark.parametrize(("back", "expected"), [("1m", RollbackState.HELD), ("30d", RollbackState.QUEUED)])
def test_the_budget_after_the_clock_was_set_back(back: str, expected: RollbackState) -> None:
    """By a little, the hour goes on; by much, it does not last until the clock has come so far again."""
    begin, ids = _fleet(2, budget=1)
    step = span(back)
    story = play(begin, batch(errors=1, at="10m", job=JobName("job-0")))
    at = Usec(instant("10m1s") - step)
    gap = Gap(reason=GapReason.CLOCK, since=at, until=instant("10m"), step=-step)
    later = play(story.state, batch(errors=1, at=at, job=JobName("job-1"), gaps=(gap,)))
    assert expected is later.of(ids[1]).rollback


def test_what_a_person_ordered_counts_but_is_never_held_by_it() -> None:
    """Somebody is at work already: the daemon joins in less."""
    begin, ids = _fleet(2, budget=1)
    story = play(begin, person(Judgement.ROLLBACK, ids[0], at="1s"), batch(errors=1, at="2s", job=JobName("job-1")))
    assert [RollbackState.QUEUED, RollbackState.HELD] == [story.of(one).rollback for one in ids]


def test_a_rollback_that_is_handed_over_again_counts_once() -> None:
    """A review starts nothing new."""
    begin, ids = _fleet(2, budget=2)
    story = play(
        begin, batch(errors=1, at="1s", job=JobName("job-0")), reviewed(ids[0], at="2s"), reviewed(ids[0], at="3s")
    )
    assert 1 == len(story.state.rollbacks)
