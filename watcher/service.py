"""What the service manager is told of the daemon: ready, how it goes, and that work still goes through.

Knows notifications and the heartbeat entry; what is true of the daemon is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from watcher.adapters.log import log
from watcher.adapters.sdnotify import Notifier
from watcher.clock import wall_clock
from watcher.core.duration import SECOND
from watcher.core.release import RollbackState
from watcher.core.state import State
from watcher.heartbeat import Heartbeat, is_own_unit
from watcher.journal.source import Source

CATCH_UP_SECONDS = 30
"""More time for the start that the manager is asked for, as often as the reader has come further."""
BEAT_SECONDS = 1.0
LATE_SECONDS = 5
_FEW = 5
"""So often the heartbeat is sent each second; after that seldom, as somebody has to mend something first."""


class Service:
    """The daemon as its manager sees it; silent where there is none."""

    def __init__(self) -> None:
        """Takes the manager's socket out of the environment, so it must be made before any child is started."""
        self._notifier = Notifier()
        self._heartbeat = Heartbeat() if self._notifier.is_asked and is_own_unit() else None

    def awaited(self, source: Source) -> str | None:
        """What stands in the entry of our own that has to come back; None where none can."""
        return None if self._heartbeat is None or source != Source() else self._heartbeat.nonce

    def stopping(self) -> None:
        """The shutdown has begun."""
        self._notifier.stopping()

    async def tell(
        self,
        stop: asyncio.Event,
        *,
        source: Callable[[], Source],
        state: Callable[[], State],
        trouble: Callable[[], str | None],
        beside: Callable[[], str | None],
        turns: Callable[[], int],
        stores: Callable[[], bool],
    ) -> None:
        """Tell, each second, until the end.

        It is up when nothing troubles it, or nothing but that its last decision could not be stored (`stores`): then it
        reads and serves, and an end for being late would mend no full disk. The status tells the trouble, and `beside`:
        what keeps it neither from reading nor from storing.
        The watchdog is fed only when something that the reader said was dealt with since the last time (`turns`): so it
        bites when the reader, the store or the loop hangs.
        """
        is_up, is_ready, seen, known, beats = False, False, state().position, -1, 0
        while not stop.is_set():
            why = trouble()
            if not is_up and (why is None or not stores()):
                is_up = True
                self._notifier.ready()
            if why is None and not is_ready:
                is_ready = True
                log.info("ready", extra={"facts": {"journal": source()}})
            elif not is_ready:
                beats += 1
                self._beat(source(), beats)
                if state().position != seen and not is_up:
                    seen = state().position
                    self._notifier.extend(CATCH_UP_SECONDS)
            self._notifier.status(why or beside() or in_a_line(state()))
            if turns() != known:
                known = turns()
                self._notifier.alive()
            await _rest(stop)

    def _beat(self, source: Source, count: int) -> None:
        if self._heartbeat is not None and self.awaited(source) is not None and (count <= _FEW or count % _FEW == 0):
            self._heartbeat.beat()


def in_a_line(state: State) -> str:
    """What `systemctl status` shows of a daemon that is well."""
    at = wall_clock()
    held = sum(one.rollback.state is RollbackState.HELD for one in state.releases.values())
    behind = max(at - (state.read_until or at), 0) // SECOND
    parts = [f"watching {len(state.policies)} jobs, {len(state.watching())} windows open"]
    parts += [f"journal {behind} s behind"] if behind > LATE_SECONDS else []
    parts += [f"{held} rollbacks HELD for a person"] if held else []
    parts += ["automatic rollbacks PAUSED"] if any(pause.is_on(at) for pause in state.pauses) else []
    return ", ".join(parts)


async def _rest(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(BEAT_SECONDS):
            await stop.wait()
    except TimeoutError:
        return
