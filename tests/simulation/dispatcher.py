"""The world's dispatcher: takes orders, starts commands and counts the starts; what it knows outlives the daemon.

A naive one starts whatever order it finds, so that it shows whenever the daemon orders twice. Where orders may be read
in the moment in which they are taken back, it keeps to its claims as the real one does (`watcher/dispatch`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.simulation.script import Fate
from watcher.core.duration import Usec
from watcher.core.messages import RollbackObserved
from watcher.core.names import ReleaseId
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release, RollbackState

_STATES = {
    Fate.SUCCEED: RollbackState.SUCCEEDED,
    Fate.FAIL: RollbackState.FAILED,
    Fate.KILL: RollbackState.UNKNOWN,
}


@dataclass(slots=True, kw_only=True)
class _Command:
    started_at: Usec
    state: RollbackState = RollbackState.RUNNING
    finished_at: Usec | None = None


class Dispatcher:
    """`starts` counts how often each command was really started."""

    def __init__(self, *, careful: bool) -> None:
        self._careful = careful
        self._orders: dict[ReleaseId, None] = {}
        self._commands: dict[ReleaseId, _Command] = {}
        self._refusals: dict[ReleaseId, Usec] = {}
        self.starts: Counter[ReleaseId] = Counter()
        self.race = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing lies in the queue and nothing runs."""
        return not self._orders and all(one.finished_at is not None for one in self._commands.values())

    def queue(self, release: ReleaseId) -> None:
        """An order was laid into the queue; one that lies there is replaced."""
        self._orders[release] = None

    def withdraw(self, release: ReleaseId, now: Usec) -> None:
        """An order is taken back, if it was not read in this very moment."""
        if self.race and release in self._orders:
            self.turn(Fate.START, now, release)
        self._orders.pop(release, None)

    def keep(self, queued: set[ReleaseId], now: Usec) -> set[ReleaseId]:
        """A new daemon takes back whatever an earlier one has left of what is not queued any more; gives those."""
        left = set(self._orders) - queued
        for release in sorted(left):
            self.withdraw(release, now)
        return left

    def turn(self, fate: Fate, now: Usec, release: ReleaseId | None = None) -> None:
        """What it does now, with the first order by name or with each command that runs."""
        if fate in _STATES:
            for command in self._commands.values():
                if command.state is RollbackState.RUNNING:
                    command.state, command.finished_at = _STATES[fate], now
            return
        first = min(self._orders, default=None) if release is None else release
        if first is None or fate is Fate.IDLE:
            return
        del self._orders[first]
        if fate is Fate.REFUSE:
            self._refusals[first] = now
        elif fate is Fate.START and not (self._careful and first in self._commands):
            self.starts[first] += 1
            self._commands[first] = _Command(started_at=now)

    def claimed(self, releases: Iterable[ReleaseId]) -> frozenset[ReleaseId]:
        """Those whose command was started."""
        return frozenset(self._commands).intersection(releases)

    def observe(self, releases: Iterable[Release], now: Usec) -> Iterator[RollbackObserved]:
        """What its files tell of these rollbacks."""
        for release in releases:
            command, refused_at = self._commands.get(release.id), self._refusals.get(release.id)
            if command is not None:
                yield RollbackObserved(
                    at=now,
                    release=release.id,
                    state=command.state,
                    exit_code=None if command.state is RollbackState.UNKNOWN else 0,
                    started_at=command.started_at,
                    finished_at=command.finished_at,
                )
            elif refused_at is not None and refused_at >= (release.rollback.queued_at or 0):
                why = Reason(code=ReasonCode.REFUSED, what="the configuration can't be believed")
                yield RollbackObserved(at=now, release=release.id, state=RollbackState.HELD, reason=why)
