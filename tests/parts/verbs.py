"""A daemon behind a real control socket in a thread of its own, and the command `watcher` as a real process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts.front import MemoryFront
from watcher.adapters.control import ControlServer

COMMAND = (sys.executable, "-m", "watcher")
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """What it printed, as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Served:
    """A front that is being served, and commands that speak to it."""

    front: MemoryFront
    directory: Path
    loop: asyncio.AbstractEventLoop
    more: dict[str, str] = field(default_factory=dict)
    """What the commands have in their environment beside ours."""

    def watcher(self, *words: str) -> Said:
        """Run the command to its end."""
        process = self.start(*words)
        out, err = process.communicate(timeout=30)
        return Said(process.returncode, out, err)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command."""
        place = words.index("--") if "--" in words else len(words)
        argv = [*COMMAND, *words[:place], "--state-dir", str(self.directory), *words[place:]]
        return subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**surroundings(), **self.more},
        )

    def do(self, step: Callable[[], object]) -> None:
        """Let something happen in the daemon, between two of its events."""
        done = threading.Event()

        def carry_out() -> None:
            step()
            done.set()

        self.loop.call_soon_threadsafe(carry_out)
        assert done.wait(10)


def surroundings() -> dict[str, str]:
    """The environment of a command: ours, the package found in this checkout."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


@contextmanager
def served(front: MemoryFront, directory: Path) -> Iterator[Served]:
    """Serve the front on `directory/control.sock` while the context is open."""
    ready, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with ControlServer(front, directory / "control.sock"):
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="served")
    thread.start()
    try:
        assert ready.wait(10)
        yield Served(front, directory, loop)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
