"""Baselines that are due: what is read for whom, when, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.events import JOB, NEXT, RELEASE, START, baseline, configured, policy, release, request, span
from tests.playbook import play
from watcher.core.baseline import Baseline
from watcher.core.messages import BaselineRead
from watcher.core.names import ReleaseId
from watcher.core.policy import NewErrors
from watcher.core.release import Release
from watcher.lookback import Lookback


class Desk:
    """Releases as they stand, a past that (`is_long`) is read until it may `go_on`, a disk full `refusals` times."""

    def __init__(self) -> None:
        waiting = configured(policy(thresholds=(NewErrors(count=1, lookback=span("14d")),)))
        self.state = play(waiting, release()).state
        self.releases = dict(self.state.releases)
        self.is_long = False
        self.refusals = 0
        self.go_on = asyncio.Event()
        self.begun: asyncio.Queue[ReleaseId] = asyncio.Queue()
        self.stored: asyncio.Queue[BaselineRead] = asyncio.Queue()
        self.lookback = Lookback(
            find=self.releases.get, read=self._read, hand_in=self._hand_in, clock=lambda: START, retry=0.01
        )

    def supersede(self) -> None:
        """A newer release of the job is registered."""
        story = play(self.state, release(request(JOB, version="3.0"), fresh_id=NEXT, at="1m"))
        self.releases |= {key: story.of(key).record for key in (RELEASE, NEXT)}
        for one in self.releases.values():
            self.lookback.changed(one)

    async def _read(self, which: Release) -> Baseline:
        self.begun.put_nowait(which.id)
        if self.is_long:
            await self.go_on.wait()
        return baseline()

    async def _hand_in(self, event: BaselineRead) -> bool:
        if self.refusals:
            self.refusals -= 1
            return False
        self.stored.put_nowait(event)
        return True


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """One of the runs is at work."""
    made = Desk()
    work = asyncio.ensure_future(made.lookback.run())
    yield made
    work.cancel()
    assert {work} == (await asyncio.wait({work}, timeout=5))[0]


async def test_a_superseded_release_makes_room(desk: Desk) -> None:
    """Its past is read no further, and nothing of it is handed in; the next one's is."""
    desk.is_long = True
    desk.lookback.due(RELEASE)
    assert RELEASE == await asyncio.wait_for(desk.begun.get(), 5)
    desk.supersede()
    desk.is_long = False
    desk.lookback.due(NEXT)
    assert NEXT == (await asyncio.wait_for(desk.stored.get(), 5)).release
    assert desk.stored.empty()


async def test_a_release_that_still_waits_is_read_on(desk: Desk) -> None:
    """Whatever else of it changes."""
    desk.is_long = True
    desk.lookback.due(RELEASE)
    await asyncio.wait_for(desk.begun.get(), 5)
    desk.lookback.changed(desk.releases[RELEASE])
    desk.go_on.set()
    assert RELEASE == (await asyncio.wait_for(desk.stored.get(), 5)).release
    assert desk.begun.empty()


async def test_an_answer_that_can_not_be_stored_is_kept(desk: Desk) -> None:
    """A full disk: it is handed in again until it is taken, and the past is read once."""
    desk.refusals = 3
    desk.lookback.due(RELEASE)
    assert RELEASE == (await asyncio.wait_for(desk.stored.get(), 5)).release
    assert (1, 0) == (desk.begun.qsize(), desk.refusals)
