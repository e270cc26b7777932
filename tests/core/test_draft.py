"""The private sheet of one decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import JOB, NEXT, RELEASE, START, seen, watching
from watcher.core.draft import Draft, is_busy
from watcher.core.messages import Accepted, QueueRollback, WriteNote
from watcher.core.release import Phase, Release, Rollback, RollbackState
from watcher.core.state import Pause, State

BEFORE = watching()
KNOWN = BEFORE.releases[RELEASE]
PAUSE = Pause(job=None, reason="sale", author="deploy", since=START)


def _draft(before: State = BEFORE) -> Draft:
    return Draft(before=before, at=START)


def _release(**changes: object) -> Release:
    return replace(KNOWN, **changes)  # type: ignore[arg-type]  # fields of Release, by name


def test_an_empty_sheet_seals_the_state_as_it_was() -> None:
    """Nothing changed, so there is nothing to store and nothing to do."""
    decision = _draft().seal()
    assert decision.state is BEFORE
    assert not decision.is_durable
    assert ((), (), None) == (decision.commands, decision.transitions, decision.answer)


def test_a_release_is_seen_as_it_was_put() -> None:
    """What was put is what the same decision sees next; the state before stays as it was."""
    draft = _draft()
    draft.put(seen(KNOWN, heard=True))
    known = draft.release(RELEASE)
    assert known is not None
    assert (True, False) == (known.trial.heard, KNOWN.trial.heard)
    assert draft.release(NEXT) is None


def test_a_release_put_twice_is_stored_once() -> None:
    """The decision holds its last record only."""
    draft = _draft()
    draft.put(seen(KNOWN, settling=1))
    draft.put(seen(KNOWN, settling=2))
    assert [2] == [release.trial.settling for release in draft.seal().changed]


def test_counting_goes_on_from_the_state() -> None:
    """The decision holds new values, not differences; the state before stays as it was."""
    before = replace(BEFORE, counters={("a", "x"): 5})
    draft = _draft(before)
    draft.count("a", "x")
    draft.count("a", "x", by=3)
    draft.count("b")
    assert (9, 1, 0) == (draft.counter("a", "x"), draft.counter("b"), draft.counter("c"))
    decision = draft.seal()
    assert {("a", "x"): 9, ("b",): 1} == decision.counted == decision.state.counters
    assert {("a", "x"): 5} == before.counters


def test_a_command_is_given_once() -> None:
    """Doubling one is harmless, and still noise."""
    draft = _draft()
    for command in (WriteNote(RELEASE), QueueRollback(RELEASE), WriteNote(RELEASE)):
        draft.command(command)
    assert (WriteNote(RELEASE), QueueRollback(RELEASE)) == draft.seal().commands


def test_a_new_release_becomes_the_last_of_its_job() -> None:
    """The one before is let go of when nothing can happen to it any more."""
    draft = _draft()
    draft.put(_release(phase=Phase.SUPERSEDED))
    draft.put(_release(id=NEXT))
    after = draft.seal().state
    assert ({JOB: NEXT}, {NEXT}) == (after.last, set(after.releases))
    assert {RELEASE, NEXT} == {release.id for release in draft.seal().changed}


def test_an_old_release_whose_rollback_is_not_over_is_kept() -> None:
    """Somebody still has to hear how it ended."""
    draft = _draft()
    draft.put(_release(phase=Phase.FAILED, rollback=Rollback(state=RollbackState.RUNNING)))
    draft.put(_release(id=NEXT))
    assert {RELEASE, NEXT} == set(draft.seal().state.releases)


def test_a_changed_old_release_does_not_become_the_last() -> None:
    """Only a release that was not known before can be newer."""
    before = replace(BEFORE, releases={RELEASE: KNOWN, NEXT: _release(id=NEXT)}, last={JOB: NEXT})
    draft = _draft(before)
    draft.put(seen(KNOWN, heard=True))
    assert {JOB: NEXT} == draft.seal().state.last


def test_what_the_sheet_does_not_know_is_given_with_the_seal() -> None:
    """The reader's position is both stored and adopted; other fields of the state are adopted."""
    decision = _draft().seal(Accepted(None), position="p7", read_until=START)
    assert ("p7", "p7", START) == (decision.position, decision.state.position, decision.state.read_until)
    assert decision.is_durable
    assert Accepted(None) == decision.answer


def test_no_pause_left_is_a_change_too() -> None:
    """An empty tuple is stored; None means that the pauses stay."""
    draft = _draft(replace(BEFORE, pauses=(PAUSE,)))
    assert (PAUSE,) == draft.seal().state.pauses
    draft.pauses = ()
    decision = draft.seal()
    assert ((), ()) == (decision.pauses, decision.state.pauses)
    assert decision.is_durable


@pytest.mark.parametrize(
    ("phase", "rollback", "busy"),
    [
        (Phase.PREPARING, RollbackState.NONE, True),
        (Phase.WATCHING, RollbackState.NONE, True),
        (Phase.PASSED, RollbackState.NONE, False),
        (Phase.CANCELLED, RollbackState.NONE, False),
        (Phase.SUPERSEDED, RollbackState.NONE, False),
        (Phase.FAILED, RollbackState.HELD, True),
        (Phase.FAILED, RollbackState.QUEUED, True),
        (Phase.SUPERSEDED, RollbackState.RUNNING, True),
        (Phase.FAILED, RollbackState.SUCCEEDED, False),
        (Phase.FAILED, RollbackState.FAILED, False),
        (Phase.FAILED, RollbackState.UNKNOWN, False),
    ],
)
def test_busy_is_what_may_still_change_by_itself(phase: Phase, rollback: RollbackState, *, busy: bool) -> None:
    """An open window, or a rollback that is not over."""
    assert busy is is_busy(_release(phase=phase, rollback=Rollback(state=rollback)))
