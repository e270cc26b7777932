"""What became of a release, in words, and who has to do what next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.test_shown import BARE, FAILED
from watcher.core.aftermath import next_step, outcome, rollback_in_words
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, Release, Rollback, RollbackState

HELD = Reason(code=ReasonCode.PAUSED, what="database move")


def _with(release: Release, state: RollbackState, **facts: object) -> Release:
    return replace(release, rollback=replace(Rollback(state=state), **facts))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("expected", "phase", "state"),
    [
        ("PASSED", Phase.PASSED, RollbackState.NONE),
        ("PASSED, rolled back", Phase.PASSED, RollbackState.SUCCEEDED),
        ("FAILED, not rolled back", Phase.FAILED, RollbackState.NONE),
        ("FAILED, rolled back", Phase.FAILED, RollbackState.SUCCEEDED),
        ("FAILED, rollback FAILED", Phase.FAILED, RollbackState.FAILED),
        ("INCONCLUSIVE", Phase.INCONCLUSIVE, RollbackState.NONE),
        ("SUPERSEDED", Phase.SUPERSEDED, RollbackState.NONE),
        ("WATCHING", Phase.WATCHING, RollbackState.NONE),
    ],
)
def test_outcome_is_verdict_and_rollback(expected: str, phase: Phase, state: RollbackState) -> None:
    """Both stand in the title; only where something failed is it said that nothing was rolled back."""
    assert expected == outcome(_with(replace(FAILED, phase=phase), state))


@pytest.mark.parametrize(
    ("expected", "release"),
    [
        ("not needed", _with(replace(FAILED, phase=Phase.PASSED), RollbackState.NONE)),
        ("none so far", BARE),
        ("not run", replace(BARE, phase=Phase.SUPERSEDED)),
        ("not run: the job has no rollback command", replace(BARE, phase=Phase.FAILED)),
        (
            "not run: what is inconclusive is never rolled back by itself",
            _with(replace(FAILED, phase=Phase.INCONCLUSIVE), RollbackState.NONE),
        ),
        ("held: automatic rollbacks are paused: database move", _with(FAILED, RollbackState.HELD, reason=HELD)),
        ("handed over, not started yet (no reason recorded)", _with(FAILED, RollbackState.QUEUED)),
        ("running", _with(FAILED, RollbackState.RUNNING)),
        ("the command ran and succeeded", _with(FAILED, RollbackState.SUCCEEDED)),
        ("the command FAILED: no such user", _with(FAILED, RollbackState.FAILED, detail="no such user")),
        ("the command FAILED", _with(FAILED, RollbackState.FAILED)),
        ("UNKNOWN: it was begun, and how it ended was not seen", _with(FAILED, RollbackState.UNKNOWN)),
    ],
)
def test_rollback_is_said_with_its_reason(expected: str, release: Release) -> None:
    """Each state has its words, with the why where there is one."""
    assert expected == rollback_in_words(release)


@pytest.mark.parametrize(
    "release",
    [
        _with(replace(FAILED, phase=Phase.PASSED), RollbackState.NONE),
        _with(replace(FAILED, phase=Phase.CANCELLED), RollbackState.NONE),
        _with(FAILED, RollbackState.SUCCEEDED, helped=True),
        _with(FAILED, RollbackState.NONE, reason=Reason(code=ReasonCode.NEWER_RELEASE, what="r2")),
        _with(FAILED, RollbackState.NONE, reason=Reason(code=ReasonCode.PERSON, what="no need")),
    ],
)
def test_nothing_is_asked_where_nothing_is_to_be_done(release: Release) -> None:
    """A good end, and one that somebody has decided about, leave people in peace."""
    assert "" == next_step(release)


def test_inconclusive_release_asks_a_person_to_look() -> None:
    """Where a command is configured its verb is offered, and otherwise the way by hand."""
    looked = _with(replace(FAILED, phase=Phase.INCONCLUSIVE), RollbackState.NONE)
    assert "`watcher release rollback r1 --reason TEXT` runs the rollback command." in next_step(looked)
    assert next_step(replace(BARE, phase=Phase.INCONCLUSIVE)).endswith("so a rollback is done by hand.")


@pytest.mark.parametrize("state", [RollbackState.FAILED, RollbackState.UNKNOWN])
def test_rollback_that_ran_is_never_offered_again(state: RollbackState) -> None:
    """It runs at most once for a release: no verb is named that would be refused."""
    step = next_step(_with(FAILED, state))
    assert "watcher release rollback" not in step
    assert "by hand" in step
