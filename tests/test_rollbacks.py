"""The daemon's eye on rollbacks, over a real queue and real claims."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dispatch.scene import ID, appends, failed_release, lines, now, run_runner, until, write_claim
from tests.dispatch.test_dispatcher import Site
from watcher import rollbacks
from watcher.adapters.dispatched import DispatchedRollback
from watcher.core.messages import QueueReviewed, QueueRollback, RollbackObserved, Transition, TransitionKind
from watcher.core.names import ReleaseId
from watcher.core.release import Release, Rollback, RollbackState
from watcher.core.state import Decision, Pause, State
from watcher.rollbacks import Rollbacks

PAUSE = Pause(job=None, reason="looking", author="anna", since=now())


class Eye:
    """Rollbacks over a site, and what they have handed in. `during` is performed while a review is handed in."""

    def __init__(self, site: Site, release: Release) -> None:
        self.state = State(releases={release.id: release})
        self.old: dict[ReleaseId, Release] = {}
        self.reviews: list[QueueReviewed] = []
        self.seen: list[RollbackObserved] = []
        self.during: list[Decision] = []
        self.stop = asyncio.Event()
        handover = DispatchedRollback(state_dir=site.state, claims=site.claims, disarm_dir=site.etc, clock=now)
        self.rollbacks = Rollbacks(
            handover,
            state=lambda: self.state,
            find=self.old.get,
            hand_in=self._hand_in,
            stop=self.stop,
            is_well=lambda: True,
        )

    async def _hand_in(self, event: QueueReviewed | RollbackObserved) -> bool:
        if isinstance(event, QueueReviewed):
            self.reviews.append(event)
            await asyncio.sleep(0)
            while self.during:
                self.rollbacks.perform(self.during.pop())
        else:
            self.seen.append(event)
        return True

    def trouble(self) -> str | None:
        """What it says now."""
        return self.rollbacks.trouble

    def take_back(self, release: Release, state: RollbackState) -> Release:
        """Its rollback, which was handed over, is held or dropped; the state forgets what is dropped."""
        rollback = Rollback(state=state, queued_at=now())
        moved = replace(release, rollback=rollback)
        self.old[moved.id] = moved
        self.state = State(releases={moved.id: moved} if state is RollbackState.HELD else {})
        change = Transition(
            at=now(), kind=TransitionKind.ROLLBACK, before="queued", after=state, release=moved.id, job=moved.job
        )
        self.rollbacks.perform(Decision(state=self.state, transitions=(change,)))
        return moved

    async def looked(self) -> None:
        """One review, whatever it finds."""
        task = asyncio.get_running_loop().create_task(self.rollbacks.review())
        await asyncio.sleep(0)  # it looks before it rests for the first time
        task.cancel()

    async def watched(self, until: Callable[[], bool]) -> None:
        """Look at what is busy until that is so, for five seconds at most."""
        self.rollbacks.wake()
        task = asyncio.get_running_loop().create_task(self.rollbacks.watch())
        try:
            async with asyncio.timeout(5):
                while not until():
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()

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


@pytest.mark.parametrize("state", [RollbackState.HELD, RollbackState.NONE])
async def test_a_rollback_that_was_claimed_as_it_was_taken_back(site: Site, state: RollbackState) -> None:
    """It begins a moment later all the same; that is seen, also of one that was dropped for a newer release."""
    release = failed_release(("true",))
    eye = Eye(site, release)
    write_claim(site.claims, ("true",))
    eye.take_back(release, state)
    await eye.looked()
    assert [] == eye.seen
    assert 0 == run_runner(site.claims).returncode
    await eye.looked()
    assert [(ID, RollbackState.SUCCEEDED)] == [(one.release, one.state) for one in eye.seen]


def _held_or_dropped(state: RollbackState) -> Release:
    """A release whose rollback was handed over, and then held or dropped."""
    release = failed_release(("true",))
    return replace(release, rollback=Rollback(state=state, reason=release.rollback.reason, queued_at=now()))


@pytest.mark.parametrize("state", [RollbackState.HELD, RollbackState.NONE])
async def test_an_order_that_an_earlier_daemon_left_is_taken_back(site: Site, state: RollbackState) -> None:
    """It decided not to run it, and died before it took the order out of the queue: nobody may run it now."""
    site.configure(*appends(site.ran))
    site.order()
    Eye(site, _held_or_dropped(state)).rollbacks.begin()
    assert [] == site.left
    site.dispatch()
    assert 0 == lines(site.ran)


async def test_an_order_of_a_release_that_is_known_no_more_is_taken_back(site: Site) -> None:
    """A newer release had it dropped; the queue is the daemon's own, so whatever else lies there is of no use."""
    site.order("import-0")
    Eye(site, _held_or_dropped(RollbackState.HELD)).rollbacks.begin()
    assert [] == site.left


async def test_an_order_that_is_still_wanted_stays(site: Site) -> None:
    """The dispatcher has not come to it yet."""
    site.order()
    Eye(site, failed_release(("true",))).rollbacks.begin()
    assert [f"{ID}.json"] == site.left


async def test_rollback_that_can_not_be_handed_over(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """It is complained of once and is trouble for as long as it lasts, also as it is tried again."""
    release = failed_release(("true",))
    eye = Eye(site, release)
    handed = Decision(state=eye.state, commands=(QueueRollback(release=release.id),))
    assert eye.trouble() is None
    site.queue.rename(site.root / "gone")
    eye.during.append(handed)
    eye.rollbacks.perform(handed)
    await eye.reviewed(1)
    assert eye.trouble() == (
        f"the rollback of {ID} can't be handed over, and is tried again: {site.queue}: No such file or directory"
    )
    assert ["rollback could not be started"] == [one.message for one in caplog.records if one.name == "watcher"]
    (site.root / "gone").rename(site.queue)
    eye.rollbacks.perform(handed)
    assert eye.trouble() is None
    assert [f"{ID}.json"] == site.left


async def test_order_that_nobody_takes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever should start the dispatcher has given up: it is told after a while, and no longer than it is so."""
    monkeypatch.setattr(rollbacks, "UNTAKEN_SECONDS", 0.2)
    release = failed_release(("true",))
    eye = Eye(site, release)
    eye.rollbacks.perform(Decision(state=eye.state, commands=(QueueRollback(release=release.id),)))
    await eye.looked()
    assert eye.trouble() is None
    await asyncio.sleep(0.25)
    for _ in range(2):
        await eye.looked()
        assert eye.trouble() == f"the rollback of {ID} waits and was not begun; see `watcher doctor`"
    eye.take_back(release, RollbackState.HELD)
    eye.state = State(releases={release.id: release})  # and a person orders it again
    eye.rollbacks.perform(Decision(state=eye.state, commands=(QueueRollback(release=release.id),)))
    await eye.looked()
    assert eye.trouble() is None
    await asyncio.sleep(0.25)
    assert eye.trouble() is not None
    site.dispatch()
    until((site.claims / f"{ID}.result").exists)
    await eye.looked()
    assert eye.trouble() is None


async def test_trouble_of_a_rollback_ends_with_it(site: Site) -> None:
    """What a person has held or dropped meanwhile need not be handed over any more."""
    release = failed_release(("true",))
    eye = Eye(site, release)
    site.queue.rename(site.root / "gone")
    eye.rollbacks.perform(Decision(state=eye.state, commands=(QueueRollback(release=release.id),)))
    assert eye.trouble() is not None
    eye.take_back(release, RollbackState.HELD)
    assert eye.trouble() is None


async def test_repetition_that_can_not_be_ordered(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """It is complained of once, tried again, and hides nothing of what is seen of the others."""
    first = failed_release(("true",), idempotent=True)
    eye = Eye(site, first)
    other = failed_release(("true",), "import-2")
    eye.state = State(releases={one.id: _at_work(one) for one in (first, other)})
    write_claim(site.claims, ("true",), idempotent=True)
    (site.claims / f"{ID}.started").touch()
    write_claim(site.claims, ("true",), other.id)
    assert 0 == run_runner(site.claims, other.id).returncode
    site.queue.rename(site.root / "gone")
    await eye.watched(until=lambda: len(eye.seen) >= 3)
    assert {(other.id, RollbackState.SUCCEEDED)} == {(one.release, one.state) for one in eye.seen}
    assert ["rollback can't be observed"] == [one.message for one in caplog.records if one.name == "watcher"]
    (site.root / "gone").rename(site.queue)
    await eye.watched(until=lambda: (ID, RollbackState.RUNNING) in {(one.release, one.state) for one in eye.seen})
    assert 1 == len(site.left)


def _at_work(release: Release) -> Release:
    return replace(release, rollback=replace(release.rollback, state=RollbackState.RUNNING, queued_at=now()))
