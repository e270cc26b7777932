"""The one decision: settings, the reader, the rollback's way, and the review of the queue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    ERROR,
    JOB,
    NEXT,
    OTHER_JOB,
    RELEASE,
    RULES,
    batch,
    configured,
    deployed,
    instant,
    observed,
    pause,
    person,
    policy,
    release,
    request,
    reviewed,
    settings,
    watching,
)
from tests.playbook import Story, expect, play
from watcher.core import counters
from watcher.core.duration import Usec
from watcher.core.ending import ROLLBACK_DEADLINE
from watcher.core.engine import decide
from watcher.core.messages import (
    Judgement,
    QueueRollback,
    ReaderRestarted,
    RefusalCode,
    Refused,
    ReleaseDeployed,
    RollbackObserved,
    WriteNote,
)
from watcher.core.names import RuleName
from watcher.core.policy import Mode
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, RollbackState
from watcher.core.severity import Severity
from watcher.core.state import State

QUEUED = play(watching(limit=1), batch(errors=1, at="10s")).state
RUNNING = play(QUEUED, observed(RollbackState.RUNNING, at="11s", started="11s")).state
ENDS = (RollbackState.SUCCEEDED, RollbackState.FAILED, RollbackState.UNKNOWN)


def _rollbacks(story: Story) -> tuple[int | None, int | None]:
    return story.counter(counters.ROLLBACKS, JOB), story.counter(counters.ROLLBACK_FAILURES, JOB)


# ---------------------------------------------------------------------------------------------- settings and reader


def test_every_series_exists_from_the_start() -> None:
    """A dashboard sees 0, not nothing; what the store held goes on."""
    begin = State(counters={(counters.ENTRIES, JOB): 41})
    story = play(begin, settings(policy()))
    assert 41 == story.counter(counters.ENTRIES, JOB)
    assert 0 == story.counter(counters.MATCHES, JOB, ERROR, "error")
    assert {} == story.decisions[0].counted


def test_a_reload_keeps_what_was_counted() -> None:
    """Counters of jobs and rules that are still there go on, new ones begin at 0."""
    new = RuleName("new")
    reloaded = replace(policy(), rules={**RULES, new: Severity.ERROR})
    story = play(
        configured(policy()),
        batch(errors=3, at="1s"),
        settings(reloaded, policy(job=OTHER_JOB), at="2s"),
        batch(errors=1, at="3s"),
    )
    assert 4 == story.counter(counters.MATCHES, JOB, ERROR, "error")
    assert 0 == story.counter(counters.MATCHES, JOB, new, "error")
    assert 0 == story.counter(counters.ENTRIES, OTHER_JOB)


def test_a_window_is_judged_by_the_policy_it_was_opened_with() -> None:
    """A reload with other limits changes the next release, not the open one."""
    stricter = settings(policy(limit=1, mode=Mode.OBSERVE), at="1m")
    story = play(watching(limit=2), stricter, batch(errors=1, at="2m"), batch(errors=1, at="121s"))
    assert ["2 error matches in 1s, limit 2 in 2m"] == story.last.reasons
    assert RollbackState.QUEUED is story.last.rollback
    following = play(story.state, release(request(version="2.1"), fresh_id=NEXT, at="5m"), batch(errors=1, at="6m"))
    assert (Phase.FAILED, RollbackState.NONE) == (following.of(NEXT).phase, following.of(NEXT).rollback)


def test_changed_rules_keep_the_release_from_passing() -> None:
    """What was read before and after is not the same thing: inconclusive, told at the end of the window."""
    changed = settings(policy(rules_hash="rules-2"), at="1m")
    story = play(watching(), batch(entries=1, at="30s"), changed, batch(entries=1, at="2m"), batch(at="15m"))
    assert (Phase.INCONCLUSIVE, "900s") == (story.last.phase, story.last.ended_at)
    assert ["the job's rules were changed after the release was registered"] == story.last.reasons
    assert instant("1m") == story.last.record.trial.rules_changed_at


def test_a_rollback_is_held_when_rules_were_changed_in_the_window() -> None:
    """New rules may have found what the release did not bring: it failed, and a person decides about the rollback."""
    changed = settings(policy(rules_hash="rules-2"), at="1m")
    story = play(watching(limit=2), changed, batch(errors=2, at="2m"))
    assert (Phase.FAILED, RollbackState.HELD) == (story.last.phase, story.last.rollback)
    assert "the job's rules were changed after the release was registered" == story.last.rollback_reason
    judged = play(watching(), changed, person(Judgement.FAIL, at="2m"))
    assert RollbackState.QUEUED is judged.last.rollback


def test_rules_changed_and_changed_back_have_changed() -> None:
    """The first change is the one that is kept; another reload is not another change."""
    story = play(
        watching(),
        settings(policy(rules_hash="rules-2"), at="1m"),
        settings(policy(), at="2m"),
        settings(policy(rules_hash="rules-3"), at="3m"),
    )
    assert instant("1m") == story.last.record.trial.rules_changed_at
    assert [1, 0, 0] == [len(decision.changed) for decision in story.decisions]


def test_changed_rules_do_not_save_a_release_that_fails() -> None:
    """What is seen is enough to fail."""
    story = play(watching(limit=1), settings(policy(rules_hash="rules-2"), at="1m"), batch(errors=1, at="2m"))
    assert Phase.FAILED is story.last.phase


def test_a_reload_of_the_same_rules_changes_no_record() -> None:
    """A reload for another job's sake leaves this one alone."""
    story = play(watching(), settings(policy(), policy(job=OTHER_JOB), at="1m"))
    assert () == story.decisions[0].changed


def test_a_removed_job_ends_its_window() -> None:
    """Nothing of it is read any more: inconclusive at once, with a note."""
    expect(
        play(watching(), settings(policy(job=OTHER_JOB), at="1m"), batch(errors=9, job=OTHER_JOB, at="2m")),
        "60s import-1 phase watching -> inconclusive:"
        " the job was removed from the configuration after the release was registered",
        "WriteNote import-1",
    )


def test_a_removed_job_ends_a_prepared_release() -> None:
    """Its clock can't start any more."""
    begin = play(configured(policy()), release(prepare=True)).state
    story = play(begin, settings(at="1m"), deployed(at="2m"))
    assert Phase.INCONCLUSIVE is story.last.phase
    assert 1 == story.counter(counters.VERDICTS, JOB, "inconclusive")


def test_a_removed_job_leaves_a_rollback_on_its_way() -> None:
    """What was decided before is carried out and followed to its end."""
    story = play(QUEUED, settings(at="1m"), reviewed(at="2m"), observed(RollbackState.SUCCEEDED, at="3m"))
    assert RollbackState.SUCCEEDED is story.last.rollback
    assert [[], [QueueRollback(RELEASE)], [WriteNote(RELEASE)]] == story.commands


def test_what_the_old_reader_sent_of_a_removed_job_is_counted() -> None:
    """The last batch read with the old settings may come after the new ones."""
    story = play(configured(policy()), settings(at="1m"), batch(errors=2, at="1m"))
    assert 2 == story.counter(counters.MATCHES, JOB, ERROR, "error")


@pytest.mark.parametrize("reason", counters.RESTART_REASONS)
def test_a_restarted_reader_is_counted_by_its_reason(reason: str) -> None:
    """And nothing else: it goes on from the last committed position."""
    story = play(
        watching(), ReaderRestarted(at=instant("1s"), reason=reason), ReaderRestarted(at=instant("2s"), reason=reason)
    )
    assert 2 == story.counter(counters.RESTARTS, reason)
    assert story.state.releases == story.begin.releases
    assert [[], []] == story.commands


# --------------------------------------------------------------------------------------------- the rollback's way


def test_a_rollback_is_followed_from_the_queue_to_its_end() -> None:
    """Each step is told once and the note written anew; the end has exit code and times."""
    story = play(
        QUEUED,
        observed(RollbackState.RUNNING, at="11s", started="11s"),
        observed(RollbackState.RUNNING, at="12s", started="11s"),
        observed(RollbackState.SUCCEEDED, at="20s", exit_code=0, started="11s", finished="19s"),
        observed(RollbackState.SUCCEEDED, at="21s", exit_code=0, started="11s", finished="19s"),
    )
    why = "1 error match in 0ms, limit 1 in 2m"
    expect(
        story,
        f"11s import-1 rollback queued -> running: {why}",
        "WriteNote import-1",
        f"20s import-1 rollback running -> succeeded: {why}",
        "WriteNote import-1",
    )
    rollback = story.last.record.rollback
    assert (0, instant("11s"), instant("19s")) == (rollback.exit_code, rollback.started_at, rollback.finished_at)
    assert instant("10s") == rollback.queued_at
    assert (1, 0) == _rollbacks(story)
    assert 1 == story.counter(f"{counters.ROLLBACK_DURATION}_bucket", JOB, "10.0")
    assert 8_000_000 == story.counter(f"{counters.ROLLBACK_DURATION}_sum_usec", JOB)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("seen_running", [True, False])
def test_every_end_counts_one_rollback(end: RollbackState, *, seen_running: bool) -> None:
    """Also where nobody saw it run; all ends but success are failures."""
    story = play(RUNNING if seen_running else QUEUED, observed(end, at="20s", exit_code=1))
    assert end is story.last.rollback
    assert (1, 0 if end is RollbackState.SUCCEEDED else 1) == _rollbacks(story)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("later", [RollbackState.RUNNING, *ENDS])
def test_the_first_end_stays(end: RollbackState, later: RollbackState) -> None:
    """What is observed after the end changes nothing."""
    ended = play(QUEUED, observed(end, at="20s")).state
    story = play(ended, observed(later, at="30s"))
    assert story.state is ended
    assert [[]] == story.commands


def test_a_rollback_without_times_is_not_measured() -> None:
    """Nobody knows how long an interrupted one took."""
    story = play(QUEUED, observed(RollbackState.UNKNOWN, at="20s", started="11s"))
    assert [] == [series for series in story.state.counters if series[0].startswith(counters.ROLLBACK_DURATION)]


def test_a_rollback_never_took_less_than_no_time() -> None:
    """A clock set back while it ran."""
    story = play(QUEUED, observed(RollbackState.SUCCEEDED, at="20s", started="15s", finished="11s"))
    assert 0 == story.counter(f"{counters.ROLLBACK_DURATION}_sum_usec", JOB)
    assert 1 == story.counter(f"{counters.ROLLBACK_DURATION}_bucket", JOB, "0.5")


@pytest.mark.parametrize(
    "begin",
    [
        watching(),
        play(watching(limit=1, mode=Mode.ASK), batch(errors=1, at="1s")).state,
        configured(policy()),
    ],
)
def test_a_claim_that_nobody_asked_for_changes_nothing(begin: State) -> None:
    """It outlived the store that asked for it, or is not ours."""
    story = play(begin, observed(RollbackState.SUCCEEDED, at="20s", exit_code=0))
    assert story.state is begin


@pytest.mark.parametrize("state", [RollbackState.RUNNING, RollbackState.SUCCEEDED, RollbackState.UNKNOWN])
def test_claimed_in_the_moment_of_being_taken_back(state: RollbackState) -> None:
    """A held rollback that was handed over before, and runs all the same, is recorded as what it is."""
    held = play(QUEUED, replace(reviewed(at="11s"), disarmed=True)).state
    assert RollbackState.HELD is held.releases[RELEASE].rollback.state
    story = play(held, observed(state, at="12s"))
    assert state is story.state.releases[RELEASE].rollback.state
    assert 1 == story.counter(counters.ROLLBACKS, JOB)


def test_the_dispatcher_refuses() -> None:
    """A queued rollback becomes held, with the dispatcher's words; one that runs goes on."""
    why = Reason(code=ReasonCode.REFUSED, what="watcher.yaml: its group may write there")
    refused = RollbackObserved(at=instant("11s"), release=RELEASE, state=RollbackState.HELD, reason=why)
    rollback = play(QUEUED, refused).state.releases[RELEASE].rollback
    assert (RollbackState.HELD, why) == (rollback.state, rollback.reason)
    assert RollbackState.RUNNING is play(RUNNING, refused).state.releases[RELEASE].rollback.state


def test_errors_after_the_rollback_started_queue_no_other() -> None:
    """The window is over; the counters go on."""
    story = play(
        RUNNING, batch(errors=50, at="12s"), observed(RollbackState.FAILED, at="13s"), batch(errors=50, at="14s")
    )
    assert [[], [WriteNote(RELEASE)], []] == story.commands


def test_an_old_rollback_ends_under_a_newer_release() -> None:
    """Its end belongs to its own release; then it is let go of."""
    story = play(
        RUNNING,
        release(request(version="2.1"), fresh_id=NEXT, at="12s"),
        observed(RollbackState.FAILED, at="13s", exit_code=3),
    )
    assert (RollbackState.FAILED, Phase.WATCHING) == (story.last.rollback, story.of(NEXT).phase)
    assert {NEXT} == set(story.state.releases)


# ------------------------------------------------------------------------------------------------ queue, reviewed


def test_what_nobody_claimed_is_handed_over_again() -> None:
    """The same rollback, not another: nothing changed that had to be stored."""
    story = play(QUEUED, reviewed(at="1m"), reviewed(at="2m"))
    assert [[QueueRollback(RELEASE)], [QueueRollback(RELEASE)]] == story.commands
    assert story.state is QUEUED
    assert [False, False] == [decision.is_durable for decision in story.decisions]


@pytest.mark.parametrize("job", [None, JOB])
def test_what_nobody_claimed_before_a_pause_is_held(job: str | None) -> None:
    """The pause came in time."""
    expect(
        play(QUEUED, pause(None if job is None else JOB, at="20s"), reviewed(at="30s")),
        f"20s {job or 'all jobs'} pause running -> paused",
        "30s import-1 rollback queued -> held: automatic rollbacks are paused: big sale",
        "WriteNote import-1",
    )


@pytest.mark.parametrize(
    ("age", "rollback"),
    [(ROLLBACK_DEADLINE, RollbackState.QUEUED), (Usec(ROLLBACK_DEADLINE + 1), RollbackState.HELD)],
)
def test_what_nobody_claimed_for_long_is_held(age: Usec, rollback: RollbackState) -> None:
    """The machine was off: a person decides."""
    story = play(QUEUED, reviewed(at=Usec(instant("10s") + age)))
    assert rollback is story.last.rollback


def test_what_a_newer_release_overtook_is_dropped() -> None:
    """Before anything else: it would undo the newer one."""
    story = play(QUEUED, release(request(version="2.1"), fresh_id=NEXT, at="20s"), pause(at="25s"), reviewed(at="30s"))
    assert (RollbackState.NONE, ReasonCode.NEWER_RELEASE) == (
        story.last.rollback,
        story.last.record.rollback.reason and story.last.record.rollback.reason.code,
    )
    assert [WriteNote(RELEASE)] == story.commands[-1]
    assert {NEXT} == set(story.state.releases)


def test_what_a_person_ordered_goes_on_under_a_pause() -> None:
    """A pause holds automatic rollbacks only."""
    begin = play(watching(mode=Mode.ASK), person(Judgement.ROLLBACK, at="1m")).state
    story = play(begin, pause(at="2m"), reviewed(at="3m"))
    assert [[], [QueueRollback(RELEASE)]] == story.commands


def test_what_follows_from_a_persons_verdict_is_automatic() -> None:
    """`fail` says what the release is; that it is rolled back is the mode's doing, and a pause holds it."""
    begin = play(watching(mode=Mode.ROLLBACK), person(Judgement.FAIL, at="1m"))
    assert [QueueRollback(RELEASE)] == [one for one in begin.commands[-1] if isinstance(one, QueueRollback)]
    story = play(begin.state, pause(at="2m"), reviewed(at="3m"))
    assert (RollbackState.HELD, ReasonCode.PAUSED) == (
        story.last.rollback,
        story.last.record.rollback.reason and story.last.record.rollback.reason.code,
    )


def test_what_was_queued_by_itself_becomes_a_persons_order() -> None:
    """Whoever asks for the rollback and is told yes gets it, also under a pause that would have held it."""
    begin = play(watching(mode=Mode.ROLLBACK), person(Judgement.FAIL, at="1m"), pause(at="2m")).state
    story = play(begin, person(Judgement.ROLLBACK, at="2m30s"), person(Judgement.ROLLBACK, at="2m40s"))
    assert [QueueRollback(RELEASE)] == [one for one in story.commands[0] if isinstance(one, QueueRollback)]
    assert [] == story.commands[1]
    later = play(story.state, reviewed(at="3m"))
    assert (RollbackState.QUEUED, ReasonCode.PERSON) == (
        later.last.rollback,
        later.last.record.rollback.reason and later.last.record.rollback.reason.code,
    )
    assert 1 == len(later.state.rollbacks)


def test_what_a_newer_release_overtook_becomes_nobodys_order() -> None:
    """Until the next review it is still queued; an order would let it run over the newer one all the same."""
    begin = play(QUEUED, release(request(version="2.1"), fresh_id=NEXT, at="20s")).state
    story = play(begin, person(Judgement.ROLLBACK, at="25s"))
    assert isinstance(story.answer, Refused)
    assert RefusalCode.CONFLICT is story.answer.code
    assert [[]] == story.commands


def test_what_a_person_ordered_long_ago_is_held() -> None:
    """An order from before a long stop is asked for again."""
    begin = play(watching(mode=Mode.ASK), person(Judgement.ROLLBACK, at="1m")).state
    assert RollbackState.HELD is play(begin, reviewed(at="2h")).last.rollback


def test_what_was_held_by_a_review_can_be_ordered() -> None:
    """Nothing is lost by holding."""
    story = play(QUEUED, reviewed(at="3h"), person(Judgement.ROLLBACK, at="4h"))
    assert [[WriteNote(RELEASE)], [WriteNote(RELEASE), QueueRollback(RELEASE)]] == story.commands


@pytest.mark.parametrize("begin", [RUNNING, watching(), play(QUEUED, observed(RollbackState.FAILED, at="11s")).state])
def test_a_review_touches_nothing_else(begin: State) -> None:
    """What runs, has ended or was never queued is no business of a review."""
    story = play(begin, reviewed(RELEASE, NEXT, at="3h"))
    assert story.state is begin
    assert [[]] == story.commands


# ---------------------------------------------------------------------------------------------------- the function


def test_the_state_before_stays_as_it_was() -> None:
    """A decision that is not stored has changed nothing."""
    begin = watching(limit=1)
    kept = (dict(begin.releases), dict(begin.counters), dict(begin.last))
    decide(begin, batch(errors=3, at="1s"))
    assert kept == (begin.releases, begin.counters, begin.last)


def test_the_same_state_and_event_give_the_same_decision() -> None:
    """No clock, no chance."""
    begin, event = watching(limit=1), batch(errors=3, at="1s")
    assert decide(begin, event) == decide(begin, event)


def test_an_unknown_event_is_a_bug_that_is_seen() -> None:
    """Nothing is skipped in silence."""

    class Invented:
        at = instant("1s")

    with pytest.raises(AssertionError):
        decide(watching(), Invented())  # type: ignore[arg-type]  # that is the point


def test_events_about_unknown_releases_change_nothing() -> None:
    """An answer where somebody asked; the state stays the same object."""
    begin = watching()
    for event in (
        ReleaseDeployed(at=instant("1s"), release=NEXT, author="root"),
        RollbackObserved(at=instant("1s"), release=NEXT, state=RollbackState.RUNNING),
        reviewed(NEXT, at="1s"),
    ):
        assert play(begin, event).state is begin
