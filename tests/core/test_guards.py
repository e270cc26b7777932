"""Loop guards: what comes out of a rollback, what was rolled back, and what never went out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    JOB,
    NEXT,
    RELEASE,
    START,
    batch,
    configured,
    observed,
    person,
    policy,
    release,
    request,
    watching,
)
from tests.playbook import play
from watcher.core.engine import decide
from watcher.core.messages import Accepted, Judgement, QueueRollback, Refused
from watcher.core.names import ReleaseId
from watcher.core.policy import JobPolicy, Mode
from watcher.core.reason import ReasonCode
from watcher.core.release import CommandResult, Phase, Release, RollbackState
from watcher.core.state import State

THIRD = ReleaseId("import-3")
QUEUED = play(watching(limit=1), batch(errors=1, at="1m")).state
UNDONE = play(
    configured(policy(limit=1)),
    release(replace(request(), previous="1.9")),
    batch(errors=1, at="1m"),
    observed(RollbackState.SUCCEEDED, at="2m"),
).state
CHECK = ("/usr/local/bin/rollback-import", "--check")


def _ran(code: int, command: tuple[str, ...] = CHECK) -> CommandResult:
    return CommandResult(command=command, exit_code=code, started_at=START, finished_at=START)


def _checked(mode: Mode = Mode.ROLLBACK) -> JobPolicy:
    plain = policy(mode=mode)
    assert plain.release.rollback is not None
    return replace(plain, release=replace(plain.release, rollback=replace(plain.release.rollback, check=CHECK)))


# ---------------------------------------------------------------------------------------------------- only observed


@pytest.mark.parametrize(
    ("expected", "result"),
    [
        (None, _ran(0)),
        ("the rollback's check failed (exit code 3): this release is only observed", _ran(3)),
        ("the rollback's check failed (ended by signal 9): this release is only observed", _ran(-9)),
        ("the rollback's check was not run: this release is only observed", None),
        ("the rollback's check was not run: this release is only observed", _ran(0, ("/bin/true",))),
    ],
)
def test_a_release_is_rolled_back_by_itself_only_if_the_check_passed(
    expected: str | None, result: CommandResult | None
) -> None:
    """Whoever registers past the client, without the check, gets an observed release as well."""
    story = play(configured(_checked()), release(replace(request(), check=result)), batch(errors=5, at="1m"))
    assert (Mode.ROLLBACK if expected is None else Mode.OBSERVE) is story.last.record.mode
    assert (RollbackState.QUEUED if expected is None else RollbackState.NONE) is story.last.rollback
    if expected is not None:
        assert expected == story.last.rollback_reason
        assert [ReasonCode.CHECK] == [one.code for one in story.transitions[0].reasons]


@pytest.mark.parametrize(
    ("begin", "version", "mode"),
    [(configured(_checked()), "3.0", Mode.ROLLBACK), (UNDONE, "1.9", Mode.OBSERVE), (QUEUED, "3.0", Mode.ROLLBACK)],
)
def test_a_dry_run_tells_the_mode_and_changes_nothing(begin: State, version: str, mode: Mode) -> None:
    """The check is yet to come, so its result is not missed; the job's other releases stay as they are."""
    asked = replace(release(request(version=version), fresh_id=THIRD, at="3m"), dry_run=True)
    decision = decide(begin, asked)
    assert isinstance(decision.answer, Accepted)
    assert decision.answer.release is not None
    assert (mode, THIRD) == (decision.answer.release.mode, decision.answer.release.id)
    assert (False, (), begin) == (decision.is_durable, decision.commands, decision.state)


def test_a_dry_run_is_refused_as_the_registration_would_be() -> None:
    """So that nobody runs a backup for a version that was rolled back."""
    answers = [decide(UNDONE, replace(release(fresh_id=THIRD, at="3m"), dry_run=dry)).answer for dry in (True, False)]
    assert isinstance(answers[0], Refused)
    assert answers[1] == answers[0]


def test_an_observed_release_needs_no_check() -> None:
    """There is nothing to take away from it, and so nothing to warn of."""
    record = play(configured(_checked(mode=Mode.OBSERVE)), release()).last.record
    assert (Mode.OBSERVE, None) == (record.mode, record.demoted)


def test_a_release_from_within_a_rollback_is_observed() -> None:
    """It fails as well: nothing is rolled back, whatever mode it asked for."""
    asked = replace(request(version="1.9"), inside_rollback=RELEASE, mode=Mode.ROLLBACK)
    story = play(QUEUED, release(asked, fresh_id=NEXT, at="2m"), batch(errors=9, at="3m"))
    assert (Phase.FAILED, RollbackState.NONE) == (story.of(NEXT).phase, story.of(NEXT).rollback)
    assert not [one for step in story.commands for one in step if one == QueueRollback(NEXT)]


def test_the_version_that_was_rolled_back_to_is_observed() -> None:
    """A rollback is not rolled back; the version after that is judged as ever."""
    story = play(UNDONE, release(request(version="1.9"), fresh_id=NEXT, at="3m"))
    assert Mode.OBSERVE is story.of(NEXT).record.mode
    then = play(story.state, release(request(version="2.1"), fresh_id=THIRD, at="4m"))
    assert Mode.ROLLBACK is then.of(THIRD).record.mode


def test_the_same_request_again_is_the_same_release_wherever_it_comes_from() -> None:
    """What commands did before, and from where it was asked, are no part of what is released."""
    first = replace(request(), id=RELEASE, check=_ran(0))
    again = replace(first, check=None, inside_rollback=NEXT, author="root")
    story = play(configured(_checked()), release(first), release(again, at="1s"))
    assert isinstance(story.answer, Accepted)


# ------------------------------------------------------------------------------------------------------ not once more


def test_a_version_that_was_rolled_back_is_refused() -> None:
    """With the release that tells why, and the way to insist."""
    story = play(UNDONE, release(request(), fresh_id=NEXT, at="3m"))
    assert isinstance(story.answer, Refused)
    assert "version 2.0 of job import was rolled back (release import-1)" == story.answer.message
    assert "--force --reason TEXT" in story.answer.hint


@pytest.mark.parametrize(("reason", "is_taken"), [("the disk was full", True), (" ", False)])
def test_insisting_needs_a_reason(reason: str, is_taken: bool) -> None:  # noqa: FBT001 - a column of the table
    """`--force` alone is not enough."""
    story = play(UNDONE, release(replace(request(), force=True, reason=reason), fresh_id=NEXT, at="3m"))
    assert is_taken is isinstance(story.answer, Accepted)


def test_a_version_whose_rollback_was_dropped_may_come_again() -> None:
    """Held and cancelled by a person: it was never rolled back."""
    held = play(watching(limit=1, mode=Mode.ASK), batch(errors=1, at="1m"), person(Judgement.CANCEL, at="2m")).state
    assert isinstance(play(held, release(request(), fresh_id=NEXT, at="3m")).answer, Accepted)


# ----------------------------------------------------------------------------------------------- what never went out


def _failed_then_cancelled() -> Release:
    held = play(watching(limit=1, mode=Mode.ASK), batch(errors=1, at="1m"))
    return held.last.record


def test_a_cancelled_release_does_not_block_the_rollback_before_it() -> None:
    """The deploy of the newer one failed: what runs is the failed one, and a person may still roll it back."""
    failed = _failed_then_cancelled()
    story = play(
        watching(limit=1, mode=Mode.ASK),
        batch(errors=1, at="1m"),
        release(request(version="2.1"), fresh_id=NEXT, at="2m", prepare=True),
        person(Judgement.CANCEL, NEXT, at="3m"),
    )
    assert failed.id == story.of(NEXT).record.follows
    known = story.state.with_release(story.last.record)
    ordered = play(known, person(Judgement.ROLLBACK, RELEASE, at="4m"))
    assert RollbackState.QUEUED is ordered.last.rollback


def test_the_release_before_a_real_newer_one_stays_blocked() -> None:
    """A third one that was cancelled does not uncover the first: the second one is out."""
    story = play(
        watching(limit=1, mode=Mode.ASK),
        batch(errors=1, at="1m"),
        release(request(version="2.1"), fresh_id=NEXT, at="2m"),
        release(request(version="2.2"), fresh_id=THIRD, at="3m", prepare=True),
        person(Judgement.CANCEL, THIRD, at="4m"),
    )
    known = story.state.with_release(story.last.record)
    assert isinstance(play(known, person(Judgement.ROLLBACK, RELEASE, at="5m")).answer, Refused)
    assert JOB == story.last.record.job


def test_two_cancelled_in_a_row_uncover_the_one_before_both() -> None:
    """Each names the one that counted when it was registered."""
    story = play(
        watching(limit=1, mode=Mode.ASK),
        batch(errors=1, at="1m"),
        release(request(version="2.1"), fresh_id=NEXT, at="2m", prepare=True),
        person(Judgement.CANCEL, NEXT, at="3m"),
        release(request(version="2.2"), fresh_id=THIRD, at="4m", prepare=True),
        person(Judgement.CANCEL, THIRD, at="5m"),
    )
    known = story.state.with_release(story.last.record)
    assert RollbackState.QUEUED is play(known, person(Judgement.ROLLBACK, RELEASE, at="6m")).last.rollback
