"""The phases of a release and the states of its rollback, as two tables.

Rules of this file: a move that is not in a table raises `IllegalMoveError` and changes nothing; final phases have no
row; the diagrams in `docs/windows.md` are made from these tables (`make docs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from watcher.core.duration import Usec
from watcher.core.reason import Reason
from watcher.core.release import Phase, Release, Rollback, RollbackState, Verdict

PHASES: Mapping[Phase, frozenset[Phase]] = {
    Phase.PREPARING: frozenset({Phase.WATCHING, Phase.CANCELLED, Phase.SUPERSEDED, Phase.INCONCLUSIVE}),
    Phase.WATCHING: frozenset(
        {Phase.PASSED, Phase.FAILED, Phase.INCONCLUSIVE, Phase.CANCELLED, Phase.SUPERSEDED},
    ),
}

_CLAIMED = frozenset({RollbackState.RUNNING, RollbackState.SUCCEEDED, RollbackState.FAILED, RollbackState.UNKNOWN})
"""From `none` and `held` too: an order that is taken back may have been claimed in that moment, and then it runs."""

ROLLBACKS: Mapping[RollbackState, frozenset[RollbackState]] = {
    RollbackState.NONE: _CLAIMED | {RollbackState.HELD, RollbackState.QUEUED},
    RollbackState.HELD: _CLAIMED | {RollbackState.QUEUED, RollbackState.NONE},
    RollbackState.QUEUED: _CLAIMED | {RollbackState.HELD, RollbackState.NONE, RollbackState.QUEUED},  # a person's order
    RollbackState.RUNNING: frozenset({RollbackState.SUCCEEDED, RollbackState.FAILED, RollbackState.UNKNOWN}),
}

_VERDICTS = {
    Phase.PASSED: Verdict.PASSED,
    Phase.FAILED: Verdict.FAILED,
    Phase.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


class IllegalMoveError(Exception):
    """A move that is in no table: a bug in the engine, never something that a person caused."""


def is_final(phase: Phase) -> bool:
    """Whether a release in this phase has ended."""
    return phase not in PHASES


def move_phase(release: Release, phase: Phase, *, at: Usec, reasons: tuple[Reason, ...] = ()) -> Release:
    """The release in its next phase; a final one sets verdict, reasons and the instant of the end.

    Raises IllegalMoveError.
    """
    if phase not in PHASES.get(release.phase, frozenset()):
        raise IllegalMoveError(f"{release.id}: {release.phase} -> {phase}")
    if not is_final(phase):
        return replace(release, phase=phase)
    return replace(release, phase=phase, verdict=_VERDICTS.get(phase), reasons=reasons, ended_at=at)


def move_rollback(release: Release, rollback: Rollback) -> Release:
    """The release with its rollback in the next state.

    Raises IllegalMoveError.
    """
    if rollback.state not in ROLLBACKS.get(release.rollback.state, frozenset()):
        raise IllegalMoveError(f"{release.id}: rollback {release.rollback.state} -> {rollback.state}")
    return replace(release, rollback=rollback)
