"""A failing run made small: as few steps, and as few kinds of faults, as still break an invariant."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.chance import Fault
from tests.simulation.run import Came, Failure

Simulate = Callable[[int, frozenset[Fault], int | None], Came | Failure]


def shrink(failure: Failure, simulate: Simulate) -> Failure:
    """The smallest failure found for the same seed; it need not be the same invariant that breaks."""
    smallest, without = failure, frozenset[Fault]()
    for fault in failure.faults:
        again = simulate(failure.seed, without | {fault}, None)
        if isinstance(again, Failure):
            smallest, without = again, without | {fault}
    for steps in range(1, smallest.steps):
        again = simulate(failure.seed, without, steps)
        if isinstance(again, Failure):
            return again
    return smallest
