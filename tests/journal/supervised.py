"""A small daemon around the supervisor: commits as the real one does, state and position at once, or fails to."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.journal.written import JOB
from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.found import Match
from watcher.core.messages import BatchRead, ReaderRestarted
from watcher.journal.source import Source
from watcher.journal.supervisor import ReaderEvent, Supervisor
from watcher.journal.wire import Plan


def clock() -> Usec:
    return Usec(time.time_ns() // 1000)


class Daemon:
    """What was committed. `failures` further commits of entries fail, and all of them while it is `full`.

    Each commit lasts `delay` seconds.
    """

    def __init__(self, plan: Plan, *, silence: float) -> None:
        self.position: str | None = None
        self.counts: Counter[str] = Counter()
        self.matches: list[Match] = []
        self.gaps: list[Gap] = []
        self.restarts: list[str] = []
        self.batches = 0
        self.failures = 0
        self.failed = 0
        self.full = False
        self.delay = 0.0
        self.supervisor = Supervisor(
            plan, committed=lambda: self.position, on_event=self._commit, clock=clock, silence=silence
        )
        self.task: asyncio.Task[None] = asyncio.get_running_loop().create_task(self.supervisor.run())

    @property
    def entries(self) -> int:
        return self.counts.total()

    async def _commit(self, event: ReaderEvent) -> bool:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.full:
            return False
        if isinstance(event, ReaderRestarted):
            self.restarts.append(event.reason)
            return True
        if self.failures and event.tallies:
            self.failures -= 1
            self.failed += 1
            return False
        self._take(event)
        return True

    def _take(self, batch: BatchRead) -> None:
        for tally in batch.tallies:
            self.counts[tally.job] += tally.entries
        self.matches += [one for one in batch.found if isinstance(one, Match)]
        self.gaps += batch.gaps
        self.position = batch.position or self.position
        self.batches += 1

    async def ready(self) -> int:
        """Waits until the journal is being read; the reader's pid."""
        await eventually(lambda: self.supervisor.trouble is None and self.supervisor.pid is not None)
        assert self.supervisor.pid is not None
        return self.supervisor.pid

    async def kill(self, number: signal.Signals) -> None:
        """Ends the reader as somebody else would, and waits until it is missed."""
        known = len(self.restarts)
        with suppress(ProcessLookupError):
            os.kill(await self.ready(), number)
        await eventually(lambda: self.supervisor.trouble is not None or len(self.restarts) > known)


@asynccontextmanager
async def daemon(directory: Path, plan: Plan | None = None, *, silence: float = 10.0) -> AsyncIterator[Daemon]:
    """A daemon at work on a directory of journal files; nothing of it is left afterwards."""
    story = Daemon(plan or Plan(source=Source(directory=str(directory)), jobs=(JOB,)), silence=silence)
    try:
        yield story
    finally:
        await story.supervisor.stop()
        story.task.cancel()
        with suppress(asyncio.CancelledError):
            await story.task


async def eventually(condition: Callable[[], bool], *, within: float = 20.0) -> None:
    """Waits until the condition holds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.002)
