"""The two tables: phases of a release, states of its rollback."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from tests.events import RELEASE, START, watching
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, Release, Rollback, RollbackState, Verdict
from watcher.core.windows import PHASES, ROLLBACKS, IllegalMoveError, is_final, move_phase, move_rollback

OPEN = {Phase.PREPARING, Phase.WATCHING}
NOW = START


def _release(phase: Phase = Phase.WATCHING, rollback: RollbackState = RollbackState.NONE) -> Release:
    return replace(watching().releases[RELEASE], phase=phase, rollback=Rollback(state=rollback))


@pytest.mark.parametrize("phase", Phase)
def test_a_phase_is_final_if_and_only_if_it_has_no_row(phase: Phase) -> None:
    """The contract's five last phases have no way out."""
    assert (phase not in OPEN) is is_final(phase)


@pytest.mark.parametrize(("before", "after"), list(product(Phase, Phase)))
def test_a_phase_moves_only_as_its_table_says(before: Phase, after: Phase) -> None:
    """A move outside the table raises; one inside sets the phase and nothing of another release."""
    release = _release(before)
    if after in PHASES.get(before, frozenset()):
        assert after is move_phase(release, after, at=NOW).phase
    else:
        with pytest.raises(IllegalMoveError, match=f"{RELEASE}: {before} -> {after}"):
            move_phase(release, after, at=NOW)


@pytest.mark.parametrize(("before", "after"), list(product(RollbackState, RollbackState)))
def test_a_rollback_moves_only_as_its_table_says(before: RollbackState, after: RollbackState) -> None:
    """A move outside the table raises."""
    release = _release(rollback=before)
    if after in ROLLBACKS.get(before, frozenset()):
        assert after is move_rollback(release, Rollback(state=after)).rollback.state
    else:
        with pytest.raises(IllegalMoveError, match=f"{RELEASE}: rollback {before} -> {after}"):
            move_rollback(release, Rollback(state=after))


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [
        (Phase.PASSED, Verdict.PASSED),
        (Phase.FAILED, Verdict.FAILED),
        (Phase.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (Phase.CANCELLED, None),
        (Phase.SUPERSEDED, None),
    ],
)
def test_a_final_phase_sets_verdict_reasons_and_instant(phase: Phase, verdict: Verdict | None) -> None:
    """A cancelled or superseded release was not judged: it has reasons, and no verdict."""
    reasons = (Reason(code=ReasonCode.PERSON, what="enough"),)
    ended = move_phase(_release(), phase, at=NOW, reasons=reasons)
    assert (verdict, reasons, NOW) == (ended.verdict, ended.reasons, ended.ended_at)


def test_the_way_from_preparing_to_watching_ends_nothing() -> None:
    """An open phase sets no verdict and no instant of an end."""
    moved = move_phase(_release(Phase.PREPARING), Phase.WATCHING, at=NOW)
    assert (Phase.WATCHING, None, None) == (moved.phase, moved.verdict, moved.ended_at)


def test_a_running_rollback_never_waits_again() -> None:
    """Once it runs, no number of moves leads back to a state from which it could be queued."""
    reached, new = set[RollbackState](), {RollbackState.RUNNING}
    while new:
        reached |= new
        new = {after for before in new for after in ROLLBACKS.get(before, ())} - reached
    assert set() == reached & {RollbackState.NONE, RollbackState.HELD, RollbackState.QUEUED}


def test_nothing_passes_or_fails_before_it_was_deployed() -> None:
    """A release in preparation has no window, so it can get no verdict but `inconclusive`."""
    assert set() == PHASES[Phase.PREPARING] & {Phase.PASSED, Phase.FAILED}
