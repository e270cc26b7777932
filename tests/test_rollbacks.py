"""The daemon's eye on rollbacks, over a real queue and real claims."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dispatch.scene import ID, failed_release, now
from tests.dispatch.test_dispatcher import Site
from watcher.adapters.dispatched import DispatchedRollback
from watcher.core.messages import QueueReviewed, RollbackObserved
from watcher.core.release import Release
from watcher.core.state import Decision, Pause, State
from watcher.rollbacks import Rollbacks

PAUSE = Pause(job=None, reason="looking", author="anna", since=now())


class Eye:
    """Rollbacks over a site, and what they have handed in. `during` is performed while a review is handed in."""

    def __init__(self, site: Site, release: Release) -> None:
        self.state = State(releases={release.id: release})
        self.reviews: list[QueueReviewed] = []
        self.during: list[Decision] = []
        self.stop = asyncio.Event()
        handover = DispatchedRollback(state_dir=site.state, claims=site.claims, disarm_dir=site.etc, clock=now)
        self.rollbacks = Rollbacks(
            handover, state=lambda: self.state, hand_in=self._hand_in, stop=self.stop, is_well=lambda: True
        )

    async def _hand_in(self, event: QueueReviewed | RollbackObserved) -> bool:
        if isinstance(event, QueueReviewed):
            self.reviews.append(event)
            await asyncio.sleep(0)
            while self.during:
                self.rollbacks.perform(self.during.pop())
        return True

    async def reviewed(self, times: int) -> None:
        """Review until so many reviews were handed in, for two seconds at most."""
        task = asyncio.get_running_loop().create_task(self.rollbacks.review())
        try:
            async with asyncio.timeout(2):
                while len(self.reviews) < times:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    tmp_path.chmod(0o755)
    return Site(tmp_path)


def pauses(site: Site) -> list[str | None]:
    """For which jobs the dispatcher is told to hold."""
    return [one["job"] for one in json.loads((site.state / "pauses.json").read_text())["pauses"]]


async def test_a_pause_that_comes_in_the_middle_of_a_review(site: Site) -> None:
    """What is queued is looked at again at once, and not in half a minute."""
    eye = Eye(site, failed_release(("true",)))
    eye.during.append(Decision(state=replace(eye.state, pauses=(PAUSE,)), pauses=(PAUSE,)))
    await eye.reviewed(2)
    assert [(ID,), (ID,)] == [one.unclaimed for one in eye.reviews]


async def test_a_pause_that_could_not_be_left_for_the_dispatcher(site: Site) -> None:
    """It is left at the next review, or the dispatcher would run what is queued for as long as the pause lasts."""
    eye = Eye(site, failed_release(("true",)))
    (site.state / "pauses.json").mkdir()
    eye.state = replace(eye.state, pauses=(PAUSE,))
    eye.rollbacks.perform(Decision(state=eye.state, pauses=(PAUSE,)))
    (site.state / "pauses.json").rmdir()
    await eye.reviewed(1)
    assert [None] == pauses(site)
