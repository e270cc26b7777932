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

    `find` gives a release as it is now, `read` its baseline (and never raises); `hand_in` tells whether it was stored.
    """

    def __init__(
        self,
        *,
        find: Callable[[ReleaseId], Release | None],
        read: Callable[[Release], Awaitable[Baseline]],
        hand_in: Callable[[BaselineRead], Awaitable[bool]],
        clock: Callable[[], Usec],
    ) -> None:
        self._find = find
        self._read = read
        self._hand_in = hand_in
        self._clock = clock
        self._due: asyncio.Queue[ReleaseId] = asyncio.Queue()

    def due(self, release_id: ReleaseId) -> None:
        """The release waits for its baseline."""
        self._due.put_nowait(release_id)

    async def run(self) -> NoReturn:
        """Read what is due, until cancelled."""
        while True:
            release_id = await self._due.get()
            release = self._find(release_id)
            if release is None or release.phase not in OPEN_PHASES or not release.trial.waits:
                continue
            baseline = await self._read(release)
            if not await self._hand_in(BaselineRead(at=self._clock(), release=release_id, baseline=baseline)):
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self.due, release_id)
