"""The service manager's side of a daemon: opens its sockets, passes them on, hears its notifications."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 15.0


class Manager:
    """Holds both listening sockets for as long as it is open, over any number of daemons."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "control.sock"
        self.control = socket.socket(socket.AF_UNIX)
        self.control.bind(str(self.path))
        self.control.listen(16)
        self.metrics = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.metrics.getsockname()[1])
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(directory / "notify"))
        self.notified.settimeout(PATIENCE)
        self.heard: list[str] = []
        self.pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        for one in (self.control, self.metrics, self.notified):
            one.close()

    def start(self, *words: str | Path, names: Sequence[str] = ("control", "metrics")) -> None:
        """Start `watcher run` as a socket-activated service of type notify."""
        listeners = {"control": self.control, "metrics": self.metrics}
        passed = [(os.POSIX_SPAWN_DUP2, listeners[name].fileno(), 20 + number) for number, name in enumerate(names)]
        placed = [(os.POSIX_SPAWN_DUP2, 20 + number, 3 + number) for number in range(len(names))]
        closed = [(os.POSIX_SPAWN_CLOSE, 20 + number) for number in range(len(names))]
        log = (os.POSIX_SPAWN_OPEN, 2, str(self.directory / "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        environment = {
            **os.environ,
            "LISTEN_FDS": str(len(names)),
            "LISTEN_FDNAMES": ":".join(names),
            "NOTIFY_SOCKET": str(self.directory / "notify"),
            "WATCHDOG_USEC": "60000000",
        }
        argv = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", sys.executable, "-m", "watcher", "run", *map(str, words)]
        self.pid = os.posix_spawnp("sh", argv, environment, file_actions=[log, *passed, *placed, *closed])

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code of a daemon that ends."""
        deadline = time.monotonic() + PATIENCE
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def hear(self, word: str) -> None:
        """Wait until the daemon has said something that begins with the word."""
        while not any(one.startswith(word) for one in self.heard):
            self.heard.append(self.notified.recv(4096).decode())

    @property
    def log(self) -> str:
        """What all daemons have said so far."""
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")
