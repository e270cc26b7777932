"""Reads the baselines that releases wait for, each in a process of its own, and hands them in.

A release that is stored and still waits is read again at every start, so a crash in between costs only time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from watcher.core.baseline import Baseline
from watcher.core.duration import Usec
from watcher.core.messages import BaselineRead
from watcher.core.names import ReleaseId
from watcher.core.release import Release
from watcher.core.state import OPEN_PHASES

AT_ONCE = 2
"""Baselines that are read at the same time; each takes a core while it is."""
RETRY_SECONDS = 5.0


class Lookback:
    """The baselines that are due, worked off by `AT_ONCE` runs.

    `find` gives a release as it is now, `read` its baseline (and never raises); `hand_in` tells whether it was stored,
    which is tried again after `retry` seconds.
    """

    def __init__(
        self,
        *,
        find: Callable[[ReleaseId], Release | None],
        read: Callable[[Release], Awaitable[Baseline]],
        hand_in: Callable[[BaselineRead], Awaitable[bool]],
        clock: Callable[[], Usec],
        retry: float = RETRY_SECONDS,
    ) -> None:
        self._find = find
        self._read = read
        self._hand_in = hand_in
        self._clock = clock
        self._retry = retry
        self._due: asyncio.Queue[ReleaseId] = asyncio.Queue()
        self._reading: dict[ReleaseId, asyncio.Task[Baseline]] = {}
        self._unstored: dict[ReleaseId, Baseline] = {}

    def due(self, release_id: ReleaseId) -> None:
        """The release waits for its baseline."""
        self._due.put_nowait(release_id)

    def changed(self, release: Release) -> None:
        """The release is this from now on; one that waits no more, as a newer one has come, makes room for others."""
        reading = self._reading.get(release.id)
        if reading is not None and not _waits(release):
            reading.cancel()

    async def run(self) -> NoReturn:
        """Read what is due, until cancelled."""
        while True:
            release_id = await self._due.get()
            release, baseline = self._find(release_id), self._unstored.pop(release_id, None)
            if release is None or not _waits(release):
                continue
            if baseline is None:
                baseline = await self._read_for(release)
            if baseline is None:
                continue
            if not await self._hand_in(BaselineRead(at=self._clock(), release=release_id, baseline=baseline)):
                self._unstored[release_id] = baseline  # to read all of it again would take a core for minutes
                asyncio.get_running_loop().call_later(self._retry, self.due, release_id)

    async def _read_for(self, release: Release) -> Baseline | None:
        """None if it is waited for no more."""
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._wanted(release), name=f"past of {release.id}")
            self._reading[release.id] = reading
            reading.add_done_callback(lambda _: self._reading.pop(release.id, None))
        return None if reading.cancelled() else reading.result()

    async def _wanted(self, release: Release) -> Baseline:
        return await self._read(release)


def _waits(release: Release) -> bool:
    return release.phase in OPEN_PHASES and release.trial.waits
