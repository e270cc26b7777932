"""Whatever happens to the reader, both sockets answer all the while, and it is at work again soon."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.faults.test_reader_limits import reader_of
from tests.journal.written import LiveWriter, lines, write
from tests.parts.daemons import DaemonProcess

JOB = """\
    units: ["import.service"]
    rules:
      - {name: broken, match: 'error', severity: error}
"""
LONGEST_ANSWER = 1.0
"""Seconds; a loop that waits for its reader would need as long as that takes."""
RECOVERY = 2.0


class Unix(http.client.HTTPConnection):
    """HTTP to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Asker:
    """Asks both sockets again and again, in a thread of its own; `bad` is what was no good answer."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.answers = 0
        self.bad: list[str] = []
        self._daemon = daemon
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, name="asker")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _ask_on(self) -> None:
        while not self._stop.wait(0.02):
            for path in ("/-/healthy", "/metrics"):
                self._ask(path, http.client.HTTPConnection("127.0.0.1", self._daemon.port, timeout=5))
            self._ask("/api/v1/status", Unix(self._daemon.state / "control.sock"))

    def _ask(self, path: str, connection: http.client.HTTPConnection) -> None:
        began = time.monotonic()
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except OSError as error:
            self.bad.append(f"{path}: {error}")
            return
        finally:
            connection.close()
        took = time.monotonic() - began
        if status != 200 or took > LONGEST_ANSWER:
            self.bad.append(f"{path}: {status} after {took:.2f} s")
        self.answers += 1


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    """One that has read a small journal."""
    process = DaemonProcess(tmp_path, JOB)
    write(process.journal, "old", lines(2000, errors=0))
    with process:
        yield process


def killed(daemon: DaemonProcess) -> None:
    os.kill(reader_of(daemon), signal.SIGKILL)


def truncated(daemon: DaemonProcess) -> None:
    os.truncate(daemon.journal / "old.journal", 0)


def moved_away(daemon: DaemonProcess) -> None:
    shutil.rmtree(daemon.journal)
    daemon.wait_for(lambda: daemon.get("/-/ready")[0] == 503, "the missing directory to be told")
    daemon.journal.mkdir()


def killed_three_times(daemon: DaemonProcess) -> None:
    for number in range(3):
        os.kill(reader_of(daemon), signal.SIGKILL)
        daemon.wait_for(lambda: daemon.get("/-/ready")[0] == 503, f"death {number} of the reader to be told")


@pytest.mark.parametrize("trouble", [killed, truncated, moved_away, killed_three_times])
def test_reader_in_trouble(daemon: DaemonProcess, trouble: Callable[[DaemonProcess], None]) -> None:
    """Every request is answered, with 200 and at once; an entry that comes then is counted within two seconds."""
    with Asker(daemon) as asker:
        trouble(daemon)
        began = time.monotonic()
        with LiveWriter(daemon.journal / "new.journal") as live:
            live.tell("error after it")
            daemon.wait_for(lambda: daemon.entries() == 1, "the entry that came after it")
        took = time.monotonic() - began
        daemon.wait_ready()
    assert [] == asker.bad
    assert asker.answers > 0
    assert took < RECOVERY


def test_reader_that_hangs(daemon: DaemonProcess) -> None:
    """It is found by its silence; until then, too, everybody else is served."""
    reader = reader_of(daemon)
    with Asker(daemon) as asker:
        os.kill(reader, signal.SIGSTOP)
        with LiveWriter(daemon.journal / "new.journal") as live:
            live.tell("error while it hung")
            daemon.wait_for(lambda: daemon.entries() == 1, "the entry that came while it hung", patience=30)
    assert [] == asker.bad
    assert 1 == daemon.metrics()["watcher_journal_reader_restarts_total", "hung"]
