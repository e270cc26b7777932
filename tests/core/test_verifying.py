"""After a rollback: whether it helped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    JOB,
    NEXT,
    OTHER_JOB,
    RELEASE,
    batch,
    began,
    configured,
    gap,
    instant,
    match,
    observed,
    of_run,
    pause,
    person,
    policy,
    release,
    request,
    reviewed,
    run,
    settings,
    watching,
)
from tests.playbook import Story, expect, play
from watcher.core import counters
from watcher.core.draft import is_busy
from watcher.core.messages import Event, Judgement, QueueRollback, WriteNote
from watcher.core.names import ReleaseId
from watcher.core.policy import FailedRuns, Mode
from watcher.core.reason import ReasonCode
from watcher.core.reason_words import say
from watcher.core.release import Phase, Release, RollbackState
from watcher.core.shown import shown_release
from watcher.core.state import State

FAILING = play(watching(limit=2, verify="10m"), batch(errors=2, at="1m")).state
UNDONE = play(FAILING, observed(RollbackState.SUCCEEDED, at="2m", started="1m1s", finished="1m59s"))


def _told(record: Release) -> tuple[bool | None, list[str]]:
    assert record.verification is not None
    return record.rollback.helped, [say(reason) for reason in record.verification.reasons]


def _plays(*events: Event) -> Story:
    return play(UNDONE.state, *events)


def test_a_successful_rollback_begins_a_time_of_its_own() -> None:
    """From when the daemon knew of it, as long as the plan says; the release stays failed, and known."""
    record = UNDONE.last.record
    assert record.verification is not None
    trial = record.verification.trial
    assert (instant("2m"), instant("12m")) == (trial.start, trial.end)
    assert (Phase.FAILED, None, True) == (record.phase, record.rollback.helped, is_busy(record))
    assert (record,) == UNDONE.state.verifying()


def test_a_job_that_works_again_tells_that_it_helped() -> None:
    """Judged at the end of the span, however late that was read; then the release is let go of."""
    story = _plays(batch(errors=1, at="3m"), batch(entries=1, at="11m"), batch(at="20m"))
    assert (True, ["no threshold crossed in 10m (1 match seen)"]) == _told(story.last.record)
    expect(
        story,
        "12m import-1 verification helped: no threshold crossed in 10m (1 match seen)".replace("12m", "720s"),
        "WriteNote import-1",
    )
    assert 1 == story.counter(counters.VERIFICATIONS, JOB, "helped")
    assert () == story.state.verifying()


def test_a_threshold_that_is_crossed_again_tells_that_it_did_not() -> None:
    """At the very entry, by limits that count from the rollback on; nothing is run by it."""
    story = _plays(batch(errors=1, at="3m"), batch(errors=1, at="4m"), batch(errors=9, at="5m"))
    assert (False, ["2 error matches in 1m, limit 2 in 2m"]) == _told(story.last.record)
    assert story.last.record.verification is not None
    assert instant("4m") == story.last.record.verification.ended_at
    assert [[], [WriteNote(RELEASE)], []] == story.commands
    assert Phase.FAILED is story.last.phase
    assert 1 == story.counter(counters.VERIFICATIONS, JOB, "did-not-help")


@pytest.mark.parametrize(
    ("code", "events"),
    [
        (ReasonCode.SILENT, [batch(at="12m")]),
        (ReasonCode.GAP, [batch(entries=1, at="3m", gaps=(gap("3m", "4m"),)), batch(at="12m")]),
        (ReasonCode.NEWER_RELEASE, [release(request(version="2.1"), fresh_id=NEXT, at="3m")]),
        (ReasonCode.JOB_REMOVED, [settings(policy(job=OTHER_JOB), at="3m")]),
        (
            ReasonCode.RULES_CHANGED,
            [settings(policy(rules_hash="2"), at="3m"), batch(entries=1, at="4m"), batch(at="12m")],
        ),
    ],
)
def test_where_nothing_can_be_said_nothing_is(code: ReasonCode, events: list[Event]) -> None:
    """Silence, a hole, a newer release, other rules: neither helped nor not."""
    story = _plays(*events)
    record = story.last.record
    assert record.verification is not None
    assert (None, [code]) == (record.rollback.helped, [one.code for one in record.verification.reasons])
    assert record.verification.ended_at is not None
    assert not record.is_verifying
    assert 1 == story.counter(counters.VERIFICATIONS, JOB, "unknown")


def test_the_noise_of_the_start_is_held_against_nobody() -> None:
    """`settle` counts from the rollback on; one that would fill the span is a tenth of it."""
    begin = play(watching(limit=1, settle="30s", verify="20s"), batch(errors=1, at="1m")).state
    story = play(
        begin,
        observed(RollbackState.SUCCEEDED, at="2m"),
        batch(errors=1, at="2m1s"),
        batch(entries=1, at="2m5s"),
        batch(at="2m20s"),
    )
    assert True is story.last.record.rollback.helped


@pytest.mark.parametrize("state", [RollbackState.FAILED, RollbackState.UNKNOWN])
def test_a_rollback_that_did_not_succeed_is_not_verified(state: RollbackState) -> None:
    """There is nothing whose help could be asked for."""
    record = play(FAILING, observed(state, at="2m")).last.record
    assert (False, None) == (record.is_verifying, record.rollback.helped)
    assert None is shown_release(record)["rollback"]["verification"]


def test_without_a_span_nobody_looks() -> None:
    """As in records of older versions."""
    begin = play(watching(limit=1), batch(errors=1, at="1m")).state
    assert play(begin, observed(RollbackState.SUCCEEDED, at="2m")).last.record.verification is None


def test_a_newer_release_before_the_end_of_the_command_leaves_nothing_to_verify() -> None:
    """What is seen then is the newer one's."""
    story = play(
        FAILING,
        release(request(version="2.1"), fresh_id=NEXT, at="90s"),
        observed(RollbackState.SUCCEEDED, at="2m"),
    )
    assert story.last.record.verification is None


@pytest.mark.parametrize("registered", ["90s", "3m"])
def test_a_release_of_the_rollback_itself_is_part_of_it(registered: str) -> None:
    """The command deploys through the same scripts: both are judged, each for itself."""
    inner = release(replace(request(version="1.9"), inside_rollback=RELEASE), fresh_id=NEXT, at=registered)
    done = observed(RollbackState.SUCCEEDED, at="2m")
    first = (inner, done) if registered == "90s" else (done, inner)
    story = play(FAILING, *first, batch(errors=2, at="4m"))
    assert (False, Phase.FAILED) == (story.last.record.rollback.helped, story.of(NEXT).phase)
    assert RollbackState.NONE is story.of(NEXT).rollback


def test_a_rollback_that_a_person_ordered_is_verified_too() -> None:
    """Also that of a release which had passed; a pause has no part in it."""
    begin = play(watching(limit=2, verify="10m", mode=Mode.OBSERVE), person(Judgement.ROLLBACK, at="1m")).state
    story = play(
        begin,
        observed(RollbackState.SUCCEEDED, at="2m"),
        pause(at="150s"),
        batch(errors=2, at="3m"),
    )
    assert False is story.last.record.rollback.helped
    assert not [one for step in story.commands for one in step if isinstance(one, QueueRollback)]


def _service(*before: Event) -> State:
    """A service whose release failed; these things happen while the rollback command runs, which then succeeds."""
    begin = watching(limit=2, verify="10m", has_runs=True)
    failed = batch(began("1s"), of_run(match("58s")), of_run(match("1m")), at="1m")
    return play(begin, failed, *before, observed(RollbackState.SUCCEEDED, at="2m", started="1m1s")).state


def test_a_service_that_the_command_restarted_is_the_one_that_is_watched() -> None:
    """Its invocation began before the clock of the verification did; what the old one still logs is not its fault."""
    state = _service(batch(began("90s", 2), at="90s"))
    old = [of_run(match("3m"), 1, since="1s")] * 2
    story = play(state, batch(*old, of_run(match("4m"), 2, since="90s"), at="5m"), batch(at="12m"))
    assert True is story.last.record.rollback.helped
    worse = play(state, batch(*[of_run(match("4m"), 2, since="90s")] * 2, at="5m"))
    assert False is worse.last.record.rollback.helped


def test_a_service_that_nobody_restarted_tells_nothing() -> None:
    """Only the broken invocation was heard: that is not to be called help."""
    story = play(_service(), batch(of_run(match("3m"), 1, since="1s"), at="3m"), batch(at="12m"))
    helped, why = _told(story.last.record)
    assert (None, True) == (helped, why[0].startswith("no run"))


def test_rules_that_were_changed_before_the_rollback_tell_nothing_of_it() -> None:
    """They are not those that the release was judged by; a restart in between finds nothing new in that."""
    changed = settings(policy(limit=2, verify="10m", rules_hash="rules-2"), at="90s")
    ordered = person(Judgement.ROLLBACK, at="2m")
    begin = play(watching(limit=2, verify="10m", mode=Mode.ASK), batch(errors=2, at="1m"), changed, ordered).state
    for restarts in ((), (replace(changed, at=instant("150s")),)):
        story = play(begin, *restarts, observed(RollbackState.SUCCEEDED, at="3m"), batch(entries=1, at="4m"))
        helped, why = _told(play(story.state, batch(at="13m")).last.record)
        assert (None, ["the job's rules were changed after the release was registered"]) == (helped, why)


def test_a_job_that_is_configured_no_more_is_not_watched_after_its_rollback() -> None:
    """Nothing of it is read; with a restart in between or without."""
    gone = settings(policy(job=OTHER_JOB), at="90s")
    ordered = person(Judgement.ROLLBACK, at="2m")
    begin = play(watching(limit=2, verify="10m", mode=Mode.ASK), batch(errors=2, at="1m"), gone, ordered).state
    for restarts in ((), (replace(gone, at=instant("150s")),)):
        story = play(begin, *restarts, observed(RollbackState.SUCCEEDED, at="3m"))
        assert (RollbackState.SUCCEEDED, None) == (story.last.rollback, story.last.record.verification)


def test_a_rollback_that_was_taken_back_too_late_is_verified_from_then_on() -> None:
    """What came while it was held was not judged, so that a run whose end was missed is not taken for alive."""
    state = play(
        play(watching(limit=2, verify="10m", has_runs=True), batch(errors=2, at="1m")).state,
        batch(began("61s", 2), at="61s"),
        replace(reviewed(at="62s"), disarmed=True),
        batch(run("63s", 2, since="61s", failed=True), at="63s"),
        observed(RollbackState.RUNNING, at="64s"),
        observed(RollbackState.SUCCEEDED, at="65s"),
    ).state
    helped, why = _told(play(state, batch(entries=1, at="2m"), batch(at="12m")).last.record)
    assert (None, True) == (helped, why[0].startswith("no run seen"))


def test_a_failed_run_after_the_rollback_counts_as_in_a_window() -> None:
    """By the job's own thresholds on runs."""
    begin = watching(thresholds=(FailedRuns(count=1),), verify="10m", has_runs=True)
    story = play(
        begin,
        batch(run("1m", since="30s", failed=True), at="1m"),
        observed(RollbackState.SUCCEEDED, at="2m"),
        batch(began("3m", 2), run("4m", 2, since="3m", failed=True), at="5m"),
    )
    assert False is story.last.record.rollback.helped


def test_the_trouble_of_other_jobs_is_not_asked_for() -> None:
    """Whether it helped goes by the job alone."""
    begin = play(configured(policy(limit=2, verify="10m"), policy(job=OTHER_JOB)), release()).state
    story = play(
        begin,
        batch(errors=2, at="1m"),
        observed(RollbackState.SUCCEEDED, at="2m"),
        batch(errors=5, at="3m", job=OTHER_JOB),
        batch(errors=2, at="4m"),
    )
    assert (False, ["2 error matches in 0ms, limit 2 in 2m"]) == _told(story.of(ReleaseId("import-1")).record)
