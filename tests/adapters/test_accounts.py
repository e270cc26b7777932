"""Users looked up off the loop, on the system's own database, and on one that hangs."""

from __future__ import annotations

import asyncio
import os
import pwd
import threading
from collections.abc import Iterator

import pytest

from watcher.adapters.accounts import MOST, Accounts


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A user database that answers only when the event is set."""
    answers = threading.Event()
    look = pwd.getpwuid

    def waits(uid: int) -> pwd.struct_passwd:
        answers.wait(20)
        return look(uid)

    monkeypatch.setattr(pwd, "getpwuid", waits)
    yield answers
    answers.set()


async def test_user_with_a_name_and_without() -> None:
    """One that nobody knows is its number."""
    known = Accounts()
    assert pwd.getpwuid(os.getuid()).pw_name == await known.name(os.getuid())
    assert "uid 987654321" == await known.name(987654321)


async def test_database_that_hangs(hanging: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    """The loop turns on, the number stands for the name, and the log tells where to look."""
    slow = Accounts(patience=0.05)
    turned = asyncio.get_running_loop().create_task(asyncio.sleep(0.01))
    assert f"uid {os.getuid()}" == await slow.name(os.getuid())
    assert turned.done()
    assert "user can't be looked up in time" in caplog.text
    hanging.set()
    async with asyncio.timeout(5):
        while await slow.name(os.getuid()) != pwd.getpwuid(os.getuid()).pw_name:
            await asyncio.sleep(0.01)


async def test_many_questions_while_it_hangs(hanging: threading.Event) -> None:
    """No more threads than a few are lost to it, and who asks beyond them is answered at once."""
    slow = Accounts(patience=0.05)
    threads = len(os.listdir("/proc/self/task"))
    found = await asyncio.gather(*(slow.name(uid) for uid in (*range(20), *range(20))))
    assert [f"uid {uid}" for uid in (*range(20), *range(20))] == found
    assert len(os.listdir("/proc/self/task")) <= threads + MOST
    assert not hanging.is_set()
