"""A signal to a child that has just ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import pytest

from watcher.journal.signals import send


@pytest.fixture
async def _watcher() -> AsyncIterator[None]:
    """Children are heard of by the loop itself, as since Python 3.12: nothing takes their status before it runs."""
    if sys.version_info >= (3, 12):
        yield
        return
    policy = asyncio.get_event_loop_policy()
    before = policy.get_child_watcher()
    watcher = asyncio.PidfdChildWatcher()
    watcher.attach_loop(asyncio.get_running_loop())
    policy.set_child_watcher(watcher)
    yield
    policy.set_child_watcher(before)


@pytest.mark.usefixtures("_watcher")
@pytest.mark.parametrize(("script", "code"), [("read go; exit 7", 7), ("read go; kill -BUS $$", -signal.SIGBUS)])
async def test_how_a_child_ended_is_left_to_the_loop(script: str, code: int, caplog: pytest.LogCaptureFixture) -> None:
    """Also if it is a zombie already; and a signal after that goes nowhere."""
    child = await asyncio.create_subprocess_exec("/bin/sh", "-c", script, stdin=PIPE)
    assert child.stdin is not None
    child.stdin.write(b"go\n")  # at once, and it ends while the loop stands still
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop must not hear of it yet
    send(child, signal.SIGTERM)
    assert code == await child.wait()
    send(child, signal.SIGKILL)
    assert [] == [one.message for one in caplog.records if one.name == "asyncio"]


async def test_a_child_that_runs_gets_it() -> None:
    """And ends by it."""
    child = await asyncio.create_subprocess_exec("/bin/sleep", "60")
    send(child, signal.SIGTERM)
    assert -signal.SIGTERM == await child.wait()
