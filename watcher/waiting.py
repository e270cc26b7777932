"""Who waits for a release to change: the long polls of the control socket. Knows ids, nothing of releases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from watcher.core.names import ReleaseId


class Waiting:
    """Those who wait, by the release that they wait for."""

    def __init__(self) -> None:
        self._events: dict[ReleaseId, set[asyncio.Event]] = {}

    def wake(self, release_ids: Iterable[ReleaseId]) -> None:
        """These releases have another record now."""
        for release_id in release_ids:
            for event in self._events.pop(release_id, ()):
                event.set()

    async def wait(self, release_id: ReleaseId, seconds: float) -> None:
        """Until the release has another record, but no longer than `seconds`."""
        event = asyncio.Event()
        self._events.setdefault(release_id, set()).add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
        finally:
            others = self._events.get(release_id, set())
            others.discard(event)
            if not others:
                self._events.pop(release_id, None)
