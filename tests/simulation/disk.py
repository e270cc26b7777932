"""The disk of a run: what was committed, and nothing else, outlives the daemon.

It stands in for `adapters/store.py`: one decision is kept whole or not at all. Records go through their stored form
when they are loaded, and must come back as they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from watcher.adapters.database import StoreError
from watcher.core.draft import is_busy
from watcher.core.names import JobName, ReleaseId
from watcher.core.record import (
    from_record,
    pause_from_record,
    pause_record,
    to_record,
    trouble_from_record,
    trouble_record,
)
from watcher.core.release import Release
from watcher.core.state import Decision, Pause, Series, State
from watcher.core.trouble import Trouble

T = TypeVar("T")


class Luck(StrEnum):
    """What becomes of a commit."""

    WELL = "well"
    FULL = "full"  # the disk has no room: nothing is stored, the daemon lives
    DIES_BEFORE = "dies-before"
    DIES_AFTER = "dies-after"


class DiedError(Exception):
    """The daemon is gone; `stored` tells whether the commit was durable by then."""

    def __init__(self, *, stored: bool) -> None:
        super().__init__("the daemon died")
        self.stored = stored


class Disk:
    """`luck` is asked at each commit; `on_commit` hears of each decision that is durable."""

    def __init__(self, luck: Callable[[], Luck], on_commit: Callable[[Decision], None]) -> None:
        self._luck, self._on_commit = luck, on_commit
        self.releases: dict[ReleaseId, Release] = {}
        self.counters: dict[Series, int] = {}
        self.position: str | None = None
        self._pauses: tuple[Pause, ...] = ()
        self._rollbacks: tuple[Any, ...] = ()
        self._troubles: dict[JobName, Trouble] = {}
        self._loaded: dict[ReleaseId, tuple[Release, Release]] = {}

    def commit(self, decision: Decision) -> None:
        """Keep the decision. Raises StoreError and DiedError."""
        luck = self._luck()
        if luck is Luck.FULL:
            raise StoreError("state.db: database or disk is full")
        if luck is Luck.DIES_BEFORE:
            raise DiedError(stored=False)
        self.releases |= {one.id: one for one in decision.changed}
        self.counters |= decision.counted
        self._pauses = self._pauses if decision.pauses is None else decision.pauses
        self._rollbacks = self._rollbacks if decision.rollbacks is None else decision.rollbacks
        self.position = decision.position or self.position
        for job, trouble in decision.troubles.items():
            self._troubles.pop(job, None)
            if trouble is not None:
                self._troubles[job] = trouble
        self._on_commit(decision)
        if luck is Luck.DIES_AFTER:
            raise DiedError(stored=True)

    def load(self) -> State:
        """The state as a new daemon finds it, before it has read its configuration."""
        last = {one.job: one.id for one in self.releases.values()}
        return State(
            releases={
                key: self._again(one) for key, one in self.releases.items() if is_busy(one) or last[one.job] == key
            },
            last=last,
            pauses=tuple(_through(pause_record, pause_from_record, one) for one in self._pauses),
            counters=dict(self.counters),
            rollbacks=tuple(json.loads(json.dumps(self._rollbacks))),
            troubles={job: _through(trouble_record, trouble_from_record, one) for job, one in self._troubles.items()},
            position=self.position,
        )

    def release(self, release_id: ReleaseId) -> Release | None:
        """The release as the last commit left it."""
        found = self.releases.get(release_id)
        return None if found is None else self._again(found)

    def newest(self, job: JobName, version: str) -> Release | None:
        """The job's last release of this version."""
        known = [one for one in self.releases.values() if (one.job, one.request.version) == (job, version)]
        return self._again(known[-1]) if known else None

    def _again(self, release: Release) -> Release:
        """The release as it is loaded; once is enough for the same record."""
        known = self._loaded.get(release.id)
        if known is None or known[0] is not release:
            known = self._loaded[release.id] = (release, _through(to_record, from_record, release))
        return known[1]


def _through(write: Callable[[T], Any], read: Callable[[Any], T], value: T) -> T:
    """The value once it was stored and loaded."""
    loaded = read(json.loads(json.dumps(write(value))))
    assert value == loaded, f"stored and loaded it is another: {value} {loaded}"
    return loaded
