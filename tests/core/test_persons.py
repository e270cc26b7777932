"""What a person may decide, in every phase of a release."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    JOB,
    NEXT,
    OTHER_JOB,
    PERSON,
    RELEASE,
    batch,
    configured,
    gap,
    instant,
    observed,
    pause,
    person,
    policy,
    release,
    request,
    resume,
    run,
    span,
    watching,
)
from tests.playbook import Story, expect, play
from watcher.core.messages import Accepted, Judgement, QueueRollback, RefusalCode, Refused, WriteNote
from watcher.core.policy import Mode, NewErrors
from watcher.core.release import Phase, RollbackState
from watcher.core.state import State

WATCHING = watching(limit=1)
CRASHED = play(WATCHING, batch(errors=1, at="1s")).state
SITUATIONS: dict[str, State] = {
    "preparing": play(configured(policy()), release(prepare=True)).state,
    "watching": WATCHING,
    "watching, observe": watching(mode=Mode.OBSERVE),
    "watching, no command": watching(mode=Mode.OBSERVE, command=()),
    "passed": play(WATCHING, batch(entries=1, at="1m"), batch(at="15m")).state,
    "inconclusive": play(WATCHING, batch(entries=1, gaps=(gap("1s", "2s"),), at="1m"), batch(at="15m")).state,
    "cancelled": play(WATCHING, person(Judgement.CANCEL, at="1m")).state,
    "failed, held": play(watching(limit=1, mode=Mode.ASK), batch(errors=1, at="1s")).state,
    "failed, none": play(watching(limit=1, mode=Mode.OBSERVE), batch(errors=1, at="1s")).state,
    "failed, queued": CRASHED,
    "failed, running": play(CRASHED, observed(RollbackState.RUNNING, at="2s")).state,
    "failed, succeeded": play(CRASHED, observed(RollbackState.SUCCEEDED, at="2s")).state,
    "failed, failed": play(CRASHED, observed(RollbackState.FAILED, at="2s")).state,
    "failed, unknown": play(CRASHED, observed(RollbackState.UNKNOWN, at="2s")).state,
}
NOW = "5m"
WRONG, BAD = "wrong-phase", "bad-request"
SAME = "nothing"
"""Accepted, and nothing changes."""

# For each situation what pass, fail, extend, cancel and rollback do: the phase and the rollback that follow, nothing
# at all, or a refusal.
TABLE: dict[str, tuple[str, str, str, str, str]] = {
    "preparing": (WRONG, WRONG, WRONG, "cancelled none", WRONG),
    "watching": ("passed none", "failed queued", "watching none", "cancelled none", "failed queued"),
    "watching, observe": ("passed none", "failed none", "watching none", "cancelled none", "failed queued"),
    "watching, no command": ("passed none", "failed none", "watching none", "cancelled none", WRONG),
    "passed": ("passed none", "passed none", WRONG, WRONG, "passed queued"),
    "inconclusive": ("inconclusive none", "inconclusive none", WRONG, WRONG, "inconclusive queued"),
    "cancelled": (WRONG, WRONG, WRONG, SAME, WRONG),
    "failed, held": ("failed none", "failed held", WRONG, "failed none", "failed queued"),
    "failed, none": ("failed none", "failed none", WRONG, WRONG, "failed queued"),
    "failed, queued": ("failed queued", "failed queued", WRONG, WRONG, "failed queued"),
    "failed, running": ("failed running", "failed running", WRONG, WRONG, SAME),
    "failed, succeeded": ("failed succeeded", "failed succeeded", WRONG, WRONG, SAME),
    "failed, failed": ("failed failed", "failed failed", WRONG, WRONG, WRONG),
    "failed, unknown": ("failed unknown", "failed unknown", WRONG, WRONG, WRONG),
}
CASES = [
    (situation, judgement, outcome)
    for situation, row in TABLE.items()
    for judgement, outcome in zip(Judgement, row, strict=True)
]


def _decide(begin: State, judgement: Judgement, **changes: str) -> Story:
    by = "10m" if judgement is Judgement.EXTEND else None
    return play(begin, replace(person(judgement, at=NOW, by=by), **changes))  # type: ignore[arg-type]  # texts by name


def _refused(story: Story) -> Refused:
    assert isinstance(story.answer, Refused)
    return story.answer


@pytest.mark.parametrize(("situation", "judgement", "outcome"), CASES)
def test_a_decision_in_every_situation(situation: str, judgement: Judgement, outcome: str) -> None:
    """The table above, cell by cell: what was refused or already so changes nothing."""
    begin = SITUATIONS[situation]
    story = _decide(begin, judgement)
    if outcome == WRONG:
        assert RefusalCode.WRONG_PHASE is _refused(story).code
    else:
        known = begin.releases[RELEASE] if outcome == SAME else story.last.record
        assert Accepted(known) == story.answer
    if outcome in (WRONG, SAME):
        assert story.state is begin
        assert not story.decisions[0].is_durable
        assert [[]] == story.commands
    else:
        assert outcome == f"{story.last.phase} {story.last.rollback}"


@pytest.mark.parametrize(("situation", "judgement", "outcome"), CASES)
def test_only_a_handed_over_rollback_is_queued(situation: str, judgement: Judgement, outcome: str) -> None:
    """The command goes out if and only if the decision moved the rollback to `queued`, or made it a person's order."""
    story = _decide(SITUATIONS[situation], judgement)
    moved = outcome.endswith("queued") and (situation != "failed, queued" or judgement is Judgement.ROLLBACK)
    expected = [QueueRollback(RELEASE)] if moved else []
    assert expected == [one for one in story.commands[0] if isinstance(one, QueueRollback)]


def test_the_table_knows_every_judgement_of_every_situation() -> None:
    """No cell is left out."""
    assert SITUATIONS.keys() == TABLE.keys()
    assert len(SITUATIONS) * len(Judgement) == len(CASES)


@pytest.mark.parametrize("judgement", Judgement)
def test_a_decision_needs_a_reason(judgement: Judgement) -> None:
    """Whoever reads the note later wants to know why."""
    story = _decide(WATCHING, judgement, reason=" ")
    assert (RefusalCode.BAD_REQUEST, "a decision needs a reason") == (_refused(story).code, _refused(story).message)
    assert story.state is WATCHING


@pytest.mark.parametrize("judgement", Judgement)
def test_an_unknown_release_is_refused(judgement: Judgement) -> None:
    """With its id."""
    story = _decide(WATCHING, judgement, release="import-9")
    assert (RefusalCode.UNKNOWN_RELEASE, "import-9: no such release") == (_refused(story).code, _refused(story).message)


def test_a_decision_has_its_author_and_the_persons_words() -> None:
    """They stand in the transitions and in the reason."""
    story = play(WATCHING, person(Judgement.FAIL, at="1m", reason="customers call"))
    assert [(PERSON,), (PERSON,)] == [(one.author,) for one in story.transitions]
    assert ["decided by a person: customers call"] == story.last.reasons
    expect(
        story,
        "60s import-1 phase watching -> failed: decided by a person: customers call",
        "60s import-1 rollback none -> queued: a person said that the release failed: customers call",
        "WriteNote import-1",
        "QueueRollback import-1",
    )


def test_failing_by_hand_follows_the_mode() -> None:
    """`fail` is a verdict, not an order: in mode ask its rollback is held as any other."""
    story = _decide(watching(mode=Mode.ASK), Judgement.FAIL)
    assert RollbackState.HELD is story.last.rollback


def test_failing_by_hand_is_held_by_a_pause() -> None:
    """A pause holds whatever nobody ordered."""
    begin = play(WATCHING, pause(at="1s")).state
    assert RollbackState.HELD is _decide(begin, Judgement.FAIL).last.rollback


@pytest.mark.parametrize("situation", ["watching", "watching, observe", "failed, held", "failed, none", "passed"])
def test_an_ordered_rollback_is_not_held_by_a_pause(situation: str) -> None:
    """A pause holds automatic rollbacks; a person who orders one has decided."""
    begin = play(SITUATIONS[situation], pause(at="2m")).state
    story = _decide(begin, Judgement.ROLLBACK)
    assert [[QueueRollback(RELEASE)]] == [
        [one for one in step if isinstance(one, QueueRollback)] for step in story.commands
    ]


def test_an_ordered_rollback_is_never_too_late() -> None:
    """Days after the failure, a person may still release what was held."""
    story = play(SITUATIONS["failed, held"], person(Judgement.ROLLBACK, at="5d"))
    assert RollbackState.QUEUED is story.last.rollback
    assert "decided by a person: seen the graphs" == story.last.rollback_reason


def test_a_rollback_under_a_newer_release_is_refused() -> None:
    """It would undo the newer one."""
    story = play(SITUATIONS["failed, none"], release(request(), fresh_id=NEXT, at="2m"))
    old = play(story.state.with_release(story.last.record), person(Judgement.ROLLBACK, at=NOW))
    assert (RefusalCode.CONFLICT, "release import-1: a newer release of job import is registered") == (
        _refused(old).code,
        _refused(old).message,
    )
    assert "`watcher release show import-2` shows it" == _refused(old).hint


def test_without_a_command_a_rollback_is_refused_with_advice() -> None:
    """There is nothing that could be run."""
    refused = _refused(_decide(SITUATIONS["watching, no command"], Judgement.ROLLBACK))
    assert "release import-1: its job had no rollback command when it was registered" == refused.message


def test_dropping_a_held_rollback_keeps_the_verdict() -> None:
    """`cancel` on a failed release is about its rollback, and is written down."""
    expect(
        _decide(SITUATIONS["failed, held"], Judgement.CANCEL),
        "300s import-1 opinion disagreed",
        "300s import-1 rollback held -> none: decided by a person: seen the graphs",
        "WriteNote import-1",
    )


def test_a_longer_window_ends_later() -> None:
    """The old end closes nothing any more, and what comes after it still counts."""
    longer = play(watching(limit=2), batch(errors=1, at="14m"), person(Judgement.EXTEND, at="14m", by="10m"))
    expect(longer, "840s import-1 window 15m -> 25m")
    assert (instant("25m"), "seen the graphs") == (longer.last.record.ends_at, longer.transitions[0].text)
    assert Phase.WATCHING is play(longer.state, batch(at="24m59s")).last.phase
    assert Phase.PASSED is play(longer.state, batch(at="25m")).last.phase
    assert "843s" == play(longer.state, batch(errors=1, at="14m3s")).last.ended_at
    late = play(longer.state, batch(errors=2, at="20m"))
    assert (Phase.FAILED, "1200s") == (late.last.phase, late.last.ended_at)


def test_a_window_can_be_extended_as_long_as_its_end_is_not_read() -> None:
    """The clock is past it, the journal is not: nothing was decided yet."""
    story = play(WATCHING, batch(entries=1, at="14m59s"), person(Judgement.EXTEND, at="16m", by="5m"), batch(at="16m"))
    assert Phase.WATCHING is story.last.phase


def test_a_window_whose_end_was_read_is_not_extended() -> None:
    """It waits for its baseline; what came after its end was read unjudged, and a longer window would pass over it."""
    waits = watching(window="2m", thresholds=(NewErrors(count=3, lookback=span("14d")),))
    refused = _refused(play(waits, batch(errors=9, at="3m"), person(Judgement.EXTEND, at="4m", by="5m")))
    assert (RefusalCode.WRONG_PHASE, "release import-1: its window is over, and was read to its end") == (
        refused.code,
        refused.message,
    )


def test_a_window_behind_which_entries_were_read_is_not_extended() -> None:
    """A second look may be due before the window can close, while what comes after its end is read already."""
    beyond = play(WATCHING, batch(errors=4, at="16m", read_until="14m"), person(Judgement.EXTEND, at="16m", by="5m"))
    assert RefusalCode.WRONG_PHASE is _refused(beyond).code


def test_a_window_behind_which_an_earlier_daemon_read_is_not_extended() -> None:
    """The record of the release tells it; the new daemon itself has only heard that the reader is not there yet."""
    beyond = play(WATCHING, batch(errors=4, at="16m", read_until="14m"))
    started = replace(beyond.state, read_until=None, last_entry_at=None)
    asked = play(started, batch(at="16m", read_until="14m"), person(Judgement.EXTEND, at="16m", by="5m"))
    assert RefusalCode.WRONG_PHASE is _refused(asked).code


def test_after_a_start_a_window_can_be_extended_as_long_as_it_is_not_over() -> None:
    """Until something was read nobody knows how far an earlier daemon had read."""
    begun = replace(WATCHING, read_until=None, last_entry_at=None)
    assert RefusalCode.WRONG_PHASE is _refused(play(begun, person(Judgement.EXTEND, at="15m", by="5m"))).code
    extended = play(begun, person(Judgement.EXTEND, at="14m59s", by="5m"), batch(at="16m"))
    assert Phase.WATCHING is extended.last.phase


def test_a_window_whose_last_run_has_ended_is_not_extended() -> None:
    """It ends with that run, however long it might have lasted."""
    ended = play(watching(window_runs=1), batch(run("9s"), at="10s", read_until="8s"))
    assert RefusalCode.WRONG_PHASE is _refused(play(ended.state, person(Judgement.EXTEND, at="11s", by="5m"))).code


@pytest.mark.parametrize("by", [None, "0s"])
def test_extending_needs_a_span(by: str | None) -> None:
    """By nothing is a mistake, not a decision."""
    refused = _refused(play(WATCHING, person(Judgement.EXTEND, at=NOW, by=by)))
    assert (RefusalCode.BAD_REQUEST, "extend needs a span") == (refused.code, refused.message)


# ------------------------------------------------------------------------------------------------ pause and resume

TWO_JOBS = configured(policy(), policy(job=OTHER_JOB))


def _held(story: Story, at: str = "1h") -> list[str]:
    return [job for job in (JOB, OTHER_JOB) if story.state.pause_of(job, instant(at)) is not None]


@pytest.mark.parametrize(
    ("events", "held"),
    [
        ((pause(at="1s"),), [JOB, OTHER_JOB]),
        ((pause(JOB, at="1s"),), [JOB]),
        ((pause(at="1s"), resume(at="2s")), []),
        ((pause(JOB, at="1s"), resume(JOB, at="2s")), []),
        ((pause(JOB, at="1s"), pause(OTHER_JOB, at="2s"), resume(JOB, at="3s")), [OTHER_JOB]),
        ((pause(JOB, at="1s"), pause(at="2s"), resume(at="3s")), [JOB]),
        ((pause(JOB, at="1s"), pause(at="2s"), resume(JOB, at="3s")), [JOB, OTHER_JOB]),
        ((pause(at="1s", until="10m"),), []),
        ((pause(JOB, at="1s", until="10m"), pause(JOB, at="2s")), [JOB]),
        ((pause(JOB, at="1s"), pause(JOB, at="2s", until="10m")), []),
    ],
)
def test_pauses_of_jobs_and_of_all(events: tuple[object, ...], held: list[str]) -> None:
    """A pause of the same job, or of all, replaces the one before; the two kinds do not touch each other."""
    assert held == _held(play(TWO_JOBS, *events))  # type: ignore[arg-type]  # pauses and resumes


def test_a_lost_state_pauses_until_somebody_resumes() -> None:
    """A pause that ends by itself, or has ended, is not the word that was asked for."""
    lost = replace(pause(at="1s"), stays=True)
    shorter = (lost, lost, pause(at="2s"), pause(at="3s", until="10m"))
    story = play(TWO_JOBS, *shorter)
    assert [JOB, OTHER_JOB] == _held(story)
    assert [True, False] == [one.stays for one in story.state.pauses]
    assert [] == _held(play(story.state, resume(at="4s")))


def test_a_pause_is_stored_with_its_author_and_reason() -> None:
    """And told as a change; what was expired by then is not stored again."""
    story = play(TWO_JOBS, pause(JOB, at="1s", until="2s"), pause(at="1m"))
    stored = story.decisions[-1].pauses
    assert stored is not None
    assert [(None, "big sale", PERSON, instant("1m"))] == [
        (one.job, one.reason, one.author, one.since) for one in stored
    ]
    assert [("running", "paused", PERSON, "big sale")] * 2 == [
        (one.before, one.after, one.author, one.text) for one in story.transitions
    ]


def test_a_pause_of_an_unknown_job_is_refused() -> None:
    """A misspelt job would hold nothing, and nobody would know."""
    refused = _refused(play(WATCHING, pause(OTHER_JOB, at="1s")))
    assert (RefusalCode.UNKNOWN_JOB, "export: no such job in the configuration") == (refused.code, refused.message)


@pytest.mark.parametrize("job", [None, JOB])
def test_resuming_what_was_not_held_changes_nothing(job: str | None) -> None:
    """It is accepted: nothing is held, as was asked for."""
    story = play(TWO_JOBS, resume(None if job is None else JOB, at="1s"))
    assert Accepted(None) == story.answer
    assert story.state is TWO_JOBS


def test_a_job_cannot_be_resumed_out_of_the_pause_of_all() -> None:
    """The answer says what holds it and how that is lifted."""
    refused = _refused(play(TWO_JOBS, pause(at="1s"), resume(JOB, at="2s")))
    assert "import: held by the pause of all jobs (big sale)" == refused.message
    assert RefusalCode.CONFLICT is refused.code


def test_an_expired_pause_of_another_job_is_not_taken_for_this_jobs() -> None:
    """Resuming a job says that the pause of all holds it, also where another job's pause has just expired."""
    story = play(TWO_JOBS, pause(OTHER_JOB, at="1s", until="2s"), pause(at="1s"), resume(JOB, at="3s"))
    assert isinstance(story.answer, Refused)


def test_a_pause_writes_no_note() -> None:
    """Notes are about releases."""
    story = play(CRASHED, pause(at="2s"), resume(at="3s"))
    assert [[], []] == story.commands
    assert WriteNote(RELEASE) not in [one for step in story.commands for one in step]
