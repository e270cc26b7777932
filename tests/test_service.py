"""What the service manager hears over a start, with a real notification socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.events import configured, policy, watching
from watcher.core.state import State
from watcher.heartbeat import is_own_unit
from watcher.journal.source import Source
from watcher.service import Service, in_a_line


@dataclass
class Told:
    """What is true of the daemon, as the test says."""

    state: State
    trouble: str | None = "catching up"
    beside: str | None = None
    turns: int = 0
    stores: bool = True


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr("watcher.service.BEAT_SECONDS", 0.02)
        yield listener


class Beats:
    """A service that tells, and what of it has arrived."""

    def __init__(self, manager: socket.socket, told: Told) -> None:
        self.manager, self.told, self.heard = manager, told, list[str]()

    async def run(self, service: Service, steps: list[tuple[str, object]]) -> None:
        """Change one thing after the other, and hear some beats after each."""
        stop = asyncio.Event()
        task = asyncio.get_running_loop().create_task(
            service.tell(
                stop,
                source=Source,
                state=lambda: self.told.state,
                trouble=lambda: self.told.trouble,
                beside=lambda: self.told.beside,
                turns=lambda: self.told.turns,
                stores=lambda: self.told.stores,
            )
        )
        for name, value in steps:
            setattr(self.told, name, value)
            self.heard.append(f"-- {name}")
            await self._hear(4)
        stop.set()
        await task

    async def _hear(self, statuses: int) -> None:
        loop = asyncio.get_running_loop()
        while statuses:
            word = (await asyncio.wait_for(loop.sock_recv(self.manager, 4096), 5)).decode()
            self.heard.append(word)
            statuses -= word.startswith("STATUS=")

    def after(self, step: str) -> list[str]:
        """What was heard between this step and the next one, without the status."""
        rest = self.heard[self.heard.index(f"-- {step}") + 1 :]
        end = next((place for place, word in enumerate(rest) if word.startswith("-- ")), len(rest))
        return [word for word in rest[:end] if not word.startswith("STATUS=")]


async def test_more_time_only_while_it_comes_further(manager: socket.socket) -> None:
    """Each new position asks for more time; standing still asks for none, so the start may time out; then READY."""
    begin = configured(policy())
    told = Told(state=begin)
    beats = Beats(manager, told)
    steps = [("trouble", "catching up"), ("state", replace(begin, position="1")), ("turns", 0), ("trouble2", 0)]
    await beats.run(Service(), [*steps, ("trouble", None)])
    assert "EXTEND_TIMEOUT_USEC=30000000" in beats.after("state")
    assert [] == beats.after("trouble2")
    assert 1 == beats.heard.count("READY=1")


async def test_a_start_without_room_on_the_disk(manager: socket.socket) -> None:
    """It is up and says why it is not well: ending it for being late would take the sockets down and mend nothing."""
    beats = Beats(manager, Told(state=configured(policy())))
    await beats.run(Service(), [("stores", False), ("stores2", 0), ("trouble", None)])
    assert "READY=1" in beats.after("stores")
    assert "STATUS=catching up" in beats.heard[beats.heard.index("READY=1") :]
    assert 1 == beats.heard.count("READY=1")


async def test_a_rollback_that_can_not_be_handed_over(manager: socket.socket) -> None:
    """It is told in the status, and delays no start: it would be ended for being late, again and again."""
    beats = Beats(manager, Told(state=configured(policy()), trouble=None, beside="no way"))
    await beats.run(Service(), [("turns", 1), ("beside", None)])
    assert "READY=1" in beats.after("turns")
    assert "STATUS=no way" in beats.heard[: beats.heard.index("-- beside")]


async def test_the_watchdog_wants_turns(manager: socket.socket) -> None:
    """However long the loop turns: without anything dealt with, nothing is fed."""
    beats = Beats(manager, Told(state=configured(policy()), trouble=None))
    await beats.run(Service(), [("trouble", None), ("state", configured(policy())), ("turns", 7)])
    assert [] == beats.after("state")
    assert ["WATCHDOG=1"] == beats.after("turns")


def test_one_line_for_people() -> None:
    """Jobs and windows, and what a person should look at."""
    assert "watching 1 jobs, 1 windows open" in in_a_line(watching())


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("0::/system.slice/release-watcher.service\n", True),
        ("1:name=systemd:/system.slice/release-watcher-test.service\n0::/\n", True),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", False),
        ("0::/system.slice/release-watcher.slice/other.service\n", False),
    ],
)
def test_own_unit(tmp_path: Path, text: str, *, own: bool) -> None:
    """Only there the reader knows our entries again; elsewhere nothing of ours is waited for."""
    (tmp_path / "cgroup").write_text(text)
    assert own is is_own_unit(tmp_path / "cgroup")
    assert not is_own_unit(tmp_path / "nothing")


def test_nothing_is_awaited_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a manager there is no heartbeat."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert Service().awaited(Source()) is None
