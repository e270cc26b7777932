"""Chance from one seed: a stream of its own for each kind of fault, so that leaving one out leaves the others alone.

Each run has only some of the faults, each as often as it happens to be ("swarm testing", Groce and others, ISSTA 2012):
what only shows while something else does not happen is found so.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from random import Random
from typing import TypeVar

T = TypeVar("T")
RATES = (0.03, 0.1, 0.2, 0.4)


class Fault(StrEnum):
    """What may go wrong. The last four are the machine's: they must change nothing of what comes out."""

    GAP = "gap"
    LATE_STAMP = "late-stamp"
    CLOCK_STEP = "clock-step"
    CLOCK_BACK = "clock-back"
    REBOOT = "reboot"
    UNSEEN_BEGIN = "unseen-begin"
    LAG = "lag"
    OUTAGE = "outage"
    JUDGEMENT = "judgement"
    PAUSE = "pause"
    RELOAD = "reload"
    LATE_BASELINE = "late-baseline"
    NO_BASELINE = "no-baseline"
    DISARM = "disarm"
    REFUSAL = "refusal"
    DYING_DISPATCHER = "dying-dispatcher"
    KILLED_COMMAND = "killed-command"
    RACE = "race"
    SHARED_ENTRY = "shared-entry"
    CUT = "cut"
    CRASH = "crash"
    FULL_DISK = "full-disk"
    TWICE = "twice"


MACHINE = frozenset({Fault.CUT, Fault.CRASH, Fault.FULL_DISK, Fault.TWICE})
"""Of the program, not of the world."""


_RARE = frozenset({Fault.GAP, Fault.CLOCK_STEP, Fault.CLOCK_BACK, Fault.REBOOT})
"""Asked for at each item of the journal, and one is enough for a window."""
_RARE_RATES = (0.003, 0.01, 0.03)


class Chance:
    """All chance of one run."""

    def __init__(self, seed: int, *, without: frozenset[Fault] = frozenset()) -> None:
        self.seed = seed
        self.of_world = Random(seed)
        draw = Random(f"{seed} faults")
        drawn = {
            fault: draw.choice(_RARE_RATES if fault in _RARE else RATES) if draw.random() < 0.5 else 0.0
            for fault in Fault
        }
        self.rates = {fault: 0.0 if fault in without else rate for fault, rate in drawn.items()}
        self._streams = {fault: Random(f"{seed} {fault}") for fault, rate in self.rates.items() if rate}

    def strikes(self, fault: Fault) -> bool:
        """Whether the fault happens at this place."""
        stream = self._streams.get(fault)
        return stream is not None and stream.random() < self.rates[fault]

    def among(self, fault: Fault, first: int, last: int) -> int:
        """A whole number for a fault that struck."""
        return self._streams[fault].randint(first, last)

    def pick(self, fault: Fault, choices: Sequence[T]) -> T:
        """One of the choices for a fault that struck."""
        return self._streams[fault].choice(choices)

    def stream(self, fault: Fault) -> Random:
        """All chance of a fault that struck."""
        return self._streams[fault]

    @property
    def faults(self) -> frozenset[Fault]:
        """Those that may strike in this run."""
        return frozenset(self._streams)
