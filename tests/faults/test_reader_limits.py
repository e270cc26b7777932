"""A whole daemon at the limits of its machine: it says what is short, keeps its sockets up, and goes on by itself."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.written import LiveWriter, counted, lines, write
from tests.parts.daemons import DaemonProcess
from tests.parts.descriptors import opened

JOB = """\
    units: ["import.service"]
    rules:
      - {name: broken, match: 'error', severity: error}
"""
NO_INOTIFY = 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"'
SLICE = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    """One that is not started yet."""
    process = DaemonProcess(tmp_path, JOB)
    yield process
    process.kill()


def children(pid: int) -> list[int]:
    """The reader process, if there is one."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def reader_of(daemon: DaemonProcess) -> int:
    daemon.wait_for(lambda: bool(children(daemon.pid)), "a reader")
    return children(daemon.pid)[0]


def spent(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * SLICE


def test_no_inotify_instance_is_left(daemon: DaemonProcess) -> None:
    """The daemon becomes ready all the same; entries of known files show at once, those of new files soon after."""
    daemon.wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", NO_INOTIFY, "sh"]
    with LiveWriter(daemon.journal / "one.journal") as one:
        one.tell("before")
        daemon.start()
        daemon.wait_ready()
        begin = time.monotonic()
        one.tell("error in a file that is known")
        daemon.wait_for(lambda: daemon.entries() == 1, "the first entry")
        assert time.monotonic() - begin < 2
        with LiveWriter(daemon.journal / "two.journal") as two:
            two.tell("error in a file that is new")
            daemon.wait_for(lambda: daemon.entries() == 2, "the second entry")
        assert "anon_inode:inotify" not in opened(reader_of(daemon))
    assert 0 == daemon.stop()


def test_too_few_descriptors_for_the_journal(daemon: DaemonProcess) -> None:
    """Not ready, and why, without spinning; the sockets answer; with more of them it goes on, and nothing is lost."""
    for part in range(40):
        write(daemon.journal, f"part{part}", lines(2, errors=0))
    daemon.start()
    daemon.wait_ready()
    reader = reader_of(daemon)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (32, 4096))
    os.kill(reader, signal.SIGKILL)
    daemon.wait_for(lambda: "LimitNOFILE" in daemon.get("/-/ready")[1], "the reason")
    assert (503, 200) == (daemon.get("/-/ready")[0], daemon.get("/-/healthy")[0])
    reader = reader_of(daemon)
    before, begin = spent(reader) + spent(daemon.pid), time.monotonic()
    with LiveWriter(daemon.journal / "live.journal") as live:
        live.tell("error while nobody could read")
    daemon.wait_for(lambda: time.monotonic() - begin > 3, "three seconds")
    assert (spent(reader) + spent(daemon.pid) - before) / (time.monotonic() - begin) < 0.25
    assert 503 == daemon.get("/-/ready")[0]
    for pid in (daemon.pid, reader):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4096, 4096))
    daemon.wait_ready()
    daemon.wait_for(lambda: daemon.entries() == 1, "what came meanwhile")


def test_sigterm_in_a_catch_up(daemon: DaemonProcess) -> None:
    """It ends within two seconds, its position committed: the next daemon counts the rest, once."""
    write(daemon.journal, "system", lines(10))
    daemon.start()
    daemon.wait_ready()
    daemon.stop()
    write(daemon.journal, "system", lines(60_000, start=1_700_000_100_000_000, errors=2))
    daemon.start()
    daemon.wait_for(lambda: daemon.entries() > 0, "the first batch")
    begin = time.monotonic()
    assert 0 == daemon.stop()
    assert time.monotonic() - begin < 2
    daemon.start()
    daemon.wait_ready()
    daemon.wait_for(lambda: daemon.entries() >= 60_000, "the rest", patience=60)
    metrics = daemon.metrics()
    assert 60_000 == metrics["watcher_journal_entries_total", "import"]
    assert (
        counted(daemon.journal, "--grep", "error") - 1
        == metrics["watcher_rule_matches_total", "import", "broken", "error"]
    )


def test_reader_that_fails_at_every_entry(daemon: DaemonProcess) -> None:
    """A library that only raises costs no CPU and few lines of log; the daemon is not ready, and its sockets answer."""
    write(daemon.journal, "system", lines(100))
    daemon.start()
    daemon.wait_ready()
    daemon.kill()
    daemon._environment["WATCHER_FAILPOINT"] = "entry:;b=:broken"
    written = len(daemon.log.splitlines())
    daemon.start()
    daemon.wait_for(lambda: "Bad message" in daemon.get("/-/ready")[1], "the reason")
    reader = reader_of(daemon)
    before, begin = spent(reader) + spent(daemon.pid), time.monotonic()
    daemon.wait_for(lambda: time.monotonic() - begin > 6, "six seconds")
    assert (spent(reader) + spent(daemon.pid) - before) / (time.monotonic() - begin) < 0.05
    assert (503, 200) == (daemon.get("/-/ready")[0], daemon.get("/metrics")[0])
    assert len([line for line in daemon.log.splitlines()[written:] if "can't be read" in line]) <= 2


def test_library_that_fails_at_one_entry(daemon: DaemonProcess) -> None:
    """The place is passed as a gap of known reason; before and after it every entry is counted, once."""
    write(daemon.journal, "system", lines(10))
    daemon.start()
    daemon.wait_ready()
    daemon.stop()
    write(daemon.journal, "system", lines(1000, start=1_700_000_100_000_000, errors=0, step=1_000_000))
    found = subprocess.run(
        ["journalctl", "--directory", str(daemon.journal), "-q", "-o", "export"], capture_output=True, check=True
    ).stdout
    cursor = [line for line in found.splitlines() if line.startswith(b"__CURSOR=")][509].decode()
    daemon._environment["WATCHER_FAILPOINT"] = f"entry:;{cursor.split(';')[1]};:broken"
    daemon.start()
    daemon.wait_for(lambda: daemon.entries() >= 999, "the neighbours", patience=30)
    daemon.wait_ready()
    metrics = daemon.metrics()
    assert 999 == metrics["watcher_journal_entries_total", "import"]
    gaps = {key[1]: value for key, value in metrics.items() if key[0] == "watcher_journal_gaps_total" and value}
    assert {"unreadable": 1} == gaps
