"""Runs whose failure has been counted: PID 1 writes up to five records about one, and it is one error.

Pure data and logic over (job, unit, invocation, instant); must not know entries or rules, nor how a run ends
(`invocations.py` does).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName

MOST_KEPT: Final = 256
SAME_CRASH: Final = Usec(10 * SECOND)


class _Counted(NamedTuple):
    invocation: str
    at: int


class CountedRuns:
    """The last counted run of each unit of each job, of at most MOST_KEPT units, those counted last."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], _Counted] = {}

    def copy(self) -> CountedRuns:
        """The same runs, on their own from now on."""
        twin = CountedRuns()
        twin._last = dict(self._last)
        return twin

    def count(self, job: JobName, unit: str, invocation: str, at: Usec) -> bool:
        """Whether this record is the first one of its run's failure; from now on the run counts as counted.

        A core dump names no invocation (""): it belongs to the failure that was counted within SAME_CRASH around it,
        whichever of the two was written first.
        """
        last = self._last.get((job, unit))
        near = last is not None and abs(at - last.at) <= SAME_CRASH
        if last is not None and (last.invocation == invocation != "" or (near and not invocation)):
            return False
        first = not (last is not None and near and not last.invocation)
        self._last.pop((job, unit), None)
        if len(self._last) >= MOST_KEPT:
            del self._last[next(iter(self._last))]
        self._last[job, unit] = _Counted(invocation, at)
        return first

    def set_clock(self, step: int) -> None:
        """The wall clock was set by so many microseconds: what was counted is by the new one from now on."""
        for key, last in self._last.items():
            self._last[key] = last._replace(at=last.at + step)

    def dump(self) -> list[list[Any]]:
        """As JSON-able data."""
        return [[*key, *counted] for key, counted in self._last.items()]

    def load(self, dumped: object) -> None:
        """Goes on with what `dump` gave; what is malformed is left out."""
        self._last.clear()
        for item in dumped if isinstance(dumped, list) else []:
            if isinstance(item, list) and list(map(type, item)) == [str, str, str, int] and len(self._last) < MOST_KEPT:
                self._last[item[0], item[1]] = _Counted(item[2], item[3])
