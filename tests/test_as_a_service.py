"""A daemon whose sockets are the service manager's: what it tells it, and what becomes of who connects meanwhile."""

from __future__ import annotations

import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.written import lines, write
from tests.parts.manager import Manager

JOB = """
jobs:
  import:
    units: [import.service]
    packs: [systemd]
"""


class Site:
    """A configuration, a journal directory and a manager."""

    def __init__(self, directory: Path, manager: Manager) -> None:
        self.config, self.state, self.manager = directory / "watcher.yaml", directory / "state", manager
        self.journal = directory / "journal"
        self.journal.mkdir()
        self.configure()

    def configure(self, metrics: str = "null", more: str = "") -> None:
        """Write the configuration."""
        head = f"version: 1\njournal: {{directory: {self.journal}}}\nlisten: {{metrics: {metrics}}}\n"
        self.config.write_text(head + more + JOB)

    def start(self, *names: str) -> None:
        """Start a daemon and wait until it is ready."""
        self.manager.heard.clear()
        self.manager.start("--config", self.config, "--state-dir", self.state, names=names or ("control", "metrics"))
        self.manager.hear("READY=1")

    def client(self, *words: str) -> subprocess.Popen[str]:
        """A verb of the command line."""
        argv = [sys.executable, "-m", "watcher", *words, "--socket", str(self.manager.path)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, *words: str) -> tuple[int, str, str]:
        """The same, with its exit code, output and messages."""
        return ended(self.client(*words))

    def ready(self) -> int:
        """The status of /-/ready at the manager's own address."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.manager.port}/-/ready", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


def ended(client: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = client.communicate(timeout=60)
    return client.returncode, out.strip(), err.strip()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Manager(tmp_path) as manager:
        yield Site(tmp_path, manager)


def test_both_sockets_are_the_managers(site: Site) -> None:
    """The daemon serves what it was given, tells how it goes, feeds the watchdog, and leaves the sockets alone."""
    site.start()
    assert (0, 200) == (site.ask("status")[0], site.ready())
    for word in ("STATUS=watching 1 jobs, 0 windows open", "WATCHDOG=1"):
        site.manager.hear(word)
    assert 0 == site.manager.stop()
    site.manager.hear("STOPPING=1")
    assert site.manager.path.exists()


def test_a_release_registered_between_two_daemons_waits(site: Site) -> None:
    """While no daemon runs the connection waits in the manager's socket, and the next one registers the release."""
    site.start()
    site.manager.stop()
    client = site.client("release", "start", "import", "--version", "2", "--id", "r-1")
    site.start()
    assert (0, "r-1") == ended(client)[:2]


def test_releases_registered_while_daemons_come_and_go(site: Site) -> None:
    """Over five restarts nobody is refused and nobody registers twice."""
    site.start()
    clients = []
    for number in range(10):
        clients.append(site.client("release", "start", "import", "--version", "2", "--id", f"r-{number}"))
        time.sleep(0.05)
        if number % 2:
            assert 0 == site.manager.stop()
            site.start()
    assert [(0, f"r-{number}", "") for number in range(10)] == [ended(client) for client in clients]


def test_a_daemon_that_can_not_run_turns_away_who_waits(site: Site) -> None:
    """Whoever waited is told why; nobody is left in the sockets, for whom the manager would start it again at once."""
    site.configure(more="bogus: 1\n")
    client = site.client("status")
    while site.manager.control not in _readable(site.manager):
        time.sleep(0.01)
    site.manager.start("--config", site.config, "--state-dir", site.state)
    assert 78 == site.manager.wait()
    code, _, words = ended(client)
    assert 75 == code
    assert "bogus: unknown key" in words
    assert [] == _readable(site.manager)


def test_only_the_control_socket_is_passed(site: Site) -> None:
    """Metrics are not served behind the manager's back; the log says which unit has to be active."""
    site.configure(metrics="127.0.0.1:10310")
    site.start("control")
    assert "metrics are not served: their socket unit is not active" in site.manager.log
    assert 0 == site.ask("status")[0]


def test_a_reload_can_not_move_the_managers_address(site: Site) -> None:
    """The socket unit says where to listen, and the log says so; the reload is taken all the same."""
    site.configure(metrics=f"127.0.0.1:{site.manager.port}")
    site.start()
    assert "listen.metrics is not used" not in site.manager.log
    site.configure(metrics="127.0.0.1:1")
    assert 0 == site.ask("reload")[0]
    said = "listen.metrics is not used: the socket unit says where to listen listen.metrics=127.0.0.1:1"
    assert f"{said} used=127.0.0.1:{site.manager.port}" in site.manager.log
    assert 200 == site.ready()


def test_a_start_that_can_store_nothing(site: Site) -> None:
    """The service is up, serves both sockets and says why it is not ready; it is once it can store again."""
    site.start()
    site.manager.stop()
    database = sqlite3.connect(site.state / "state.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")  # to the daemon this is as a full disk is: it can't commit
    write(site.journal, "system", lines(1))
    site.start()
    assert 503 == site.ready()
    assert 0 == site.ask("status")[0]
    assert "ready journal=" not in site.manager.log.partition("stopping")[2]
    site.manager.heard.clear()
    database.execute("ROLLBACK")
    database.close()
    site.manager.hear("STATUS=watching 1 jobs")
    assert 200 == site.ready()
    assert "ready journal=" in site.manager.log.partition("stopping")[2]
    assert not any(one.startswith("READY") for one in site.manager.heard)


def test_a_socket_of_an_unknown_name(site: Site) -> None:
    """It is an error that names the key to set."""
    site.manager.start("--config", site.config, "--state-dir", site.state, names=("control", "control"))
    assert 0 != site.manager.wait()
    assert "FileDescriptorName=control or metrics" in site.manager.log


def test_the_watchdog_is_not_fed_by_a_hanging_reader(site: Site) -> None:
    """A loop that turns is not enough: what the reader says must be dealt with."""
    site.start()
    site.manager.hear("WATCHDOG=1")
    children = Path(f"/proc/{site.manager.pid}/task/{site.manager.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    site.manager.notified.settimeout(0.1)
    time.sleep(1.5)
    site.manager.heard.clear()
    deadline = time.monotonic() + 4
    said: list[str] = []
    while time.monotonic() < deadline:
        try:
            said.append(site.manager.notified.recv(4096).decode().partition("=")[0])
        except TimeoutError:
            continue
    assert "STATUS" in said
    assert said.count("WATCHDOG") <= 2
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def _readable(manager: Manager) -> list[socket.socket]:
    return select.select([manager.control, manager.metrics], [], [], 0)[0]
