"""Decide, commit, adopt: the desk over a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.events import (
    NEXT,
    RELEASE,
    START,
    batch,
    instant,
    observed,
    person,
    policy,
    release,
    request,
    reviewed,
    settings,
)
from watcher.adapters.store import Store
from watcher.core import counters
from watcher.core.messages import Judgement, Refused
from watcher.core.release import RollbackState
from watcher.core.state import Decision
from watcher.desk import Desk


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path, START)
    yield opened
    opened.close()


def _performed(_: Decision) -> None:
    """What is done about a decision is no matter here."""


def _desk(store: Store) -> Desk:
    """A release has failed, its rollback was handed over, and dropped as a newer one came."""
    desk = Desk(store, store.load(), _performed, clock=lambda: instant("10s"))
    newer = release(request(version="3.0"), fresh_id=NEXT, at="2m")
    for event in (settings(policy(limit=1)), release(), batch(errors=1, at="1m"), newer, reviewed(at="3m")):
        desk.take(event)
    return desk


def test_a_dropped_rollback_that_runs_all_the_same_is_recorded(store: Store) -> None:
    """It was claimed in that moment: the state had let go of its release, the store had not."""
    desk = _desk(store)
    assert [NEXT] == list(desk.state.releases)
    desk.take(observed(RollbackState.RUNNING, at="4m"))
    record = store.release(RELEASE)
    assert record is not None
    assert RollbackState.RUNNING is record.rollback.state
    assert RELEASE in desk.state.releases
    assert 1 == desk.state.counters[counters.ROLLBACKS, "import"]


def test_an_old_release_that_was_asked_about_is_not_remembered(store: Store) -> None:
    """What is in memory does not grow by requests that change nothing."""
    desk = _desk(store)
    assert isinstance(desk.take(person(Judgement.EXTEND, at="5m", by="5m")), Refused)
    assert [NEXT] == list(desk.state.releases)


async def test_what_is_asked_for_happens_when_it_is_decided(store: Store) -> None:
    """A batch that waited before it in the queue was read of what came before: no window lacks what is in it."""
    desk = Desk(store, store.load(), _performed, clock=lambda: instant("10s"))
    desk.take(settings(policy(limit=1)))
    work = asyncio.create_task(desk.run())
    await asyncio.gather(desk.ask(batch(errors=1, at="9s")), desk.ask(release(at="5s")))
    await desk.ask(batch(errors=1, at="9s"))
    started = desk.state.releases[RELEASE]
    assert (instant("10s"), instant("10s")) == (started.registered_at, started.started_at)
    work.cancel()
