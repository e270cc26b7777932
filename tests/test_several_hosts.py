"""A release judged by the journals of two hosts, end to end: the real daemon, and journal files as hosts send them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.written import Line, LiveWriter
from tests.parts.daemons import DaemonProcess
from tests.parts.journals import Fields
from tests.parts.pid1 import breaks, fails, service_starts, succeeds

UNIT = "import.service"
A, B = "a" * 32, "b" * 32

JOB = """\
    units: [import.service]
    rules:
      - {name: half-imported, match: 'rows, giving up', severity: error}
    release:
      window: 5m
      settle: 0s
      fail_when:
        - matches: {severity: error, count: 3, within: 2m}
"""

BY_RUNS = """\
    units: [import.service]
    release:
      window: {runs: 3, max: 5m}
      settle: 0s
      blame: all
      fail_when:
        - failed_runs: {count: 2}
"""


def now() -> int:
    return time.time_ns() // 1000


def say(journal: LiveWriter, host: str, at: int, message: str) -> None:
    journal.say(Line(at=at, message=message, unit=UNIT, host=host, boot=host))


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[tuple[LiveWriter, LiveWriter]]:
    """A journal file of each host."""
    (tmp_path / "journal").mkdir()
    with LiveWriter(tmp_path / "journal" / "a.journal") as a, LiveWriter(tmp_path / "journal" / "b.journal") as b:
        yield a, b


def test_a_late_entry_of_the_second_host_fails_the_release(
    tmp_path: Path, writers: tuple[LiveWriter, LiveWriter]
) -> None:
    """The error that crosses the limit comes from the host whose entries are older than what was read of the other."""
    a, b = writers
    with DaemonProcess(tmp_path, JOB) as daemon:
        say(a, A, now(), "imported 12 of 12 rows")
        say(b, B, now(), "imported 12 of 12 rows")
        daemon.wait_for(lambda: daemon.entries() == 2, "the healthy entries")
        release = daemon.start_release()
        early = now()
        for expected in (4, 6):
            say(a, A, now(), "imported 1 of 9 rows, giving up")
            say(a, A, now(), "next file")
            daemon.wait_for(lambda: daemon.entries() == expected, "the errors of the first host")  # noqa: B023 - in its turn
        assert "watching" == daemon.show(release)["phase"]
        say(b, B, early, "imported 1 of 9 rows, giving up")
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        shown = daemon.show(release)
        assert ("failed", []) == (shown["phase"], shown["coverage"]["gaps"])
        assert shown["reasons"][0].startswith("3 error matches in ")
        daemon.wait_for(lambda: daemon.entries() == 7, "all entries")
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        say(b, B, early + 1, "next file")
        daemon.wait_for(lambda: daemon.entries() == 8, "the late entry after a restart")


def ran(journal: LiveWriter, host: str, run: list[Fields]) -> None:
    """A run of the job on this host, or a part of it, now."""
    journal.write(*({**record, "_MACHINE_ID": host, "_BOOT_ID": host} for record in run))


def test_what_came_while_the_daemon_was_down_is_judged_in_the_order_of_time(
    tmp_path: Path, writers: tuple[LiveWriter, LiveWriter]
) -> None:
    """The failed runs came first, on the host that is read last: the good ones of the other do not pass the release."""
    a, b = writers
    with DaemonProcess(tmp_path, BY_RUNS) as daemon:
        say(a, A, now(), "started")
        say(b, B, now(), "started")
        daemon.wait_for(lambda: daemon.entries() == 2, "both hosts")
        release = daemon.start_release()
        daemon.kill()
        for n, (journal, host) in enumerate([(b, B), (b, B), *[(a, A)] * 4, (b, B)], start=1):
            ran(journal, host, fails(n) if n <= 2 else succeeds(n))
            time.sleep(0.01)
        daemon.start()
        daemon.wait_ready()
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        shown = daemon.show(release)
        assert ("failed", []) == (shown["verdict"], shown["coverage"]["gaps"])
        assert "2 of 2 runs failed" in shown["reasons"][0]


RUNS = """\
    units: [import.service]
    release:
      window: 4s
      settle: 0s
      blame: all
      fail_when: [{failed_runs: {count: 3}}]
"""


@pytest.mark.parametrize("order", ["abab", "abba"])
def test_replay_says_what_live_said_of_two_hosts(
    tmp_path: Path, writers: tuple[LiveWriter, LiveWriter], order: str
) -> None:
    """Runs of units that are called the same, each begun before the other's end: the same verdict, all of it seen."""
    whose = {"a": (writers[0], A), "b": (writers[1], B)}
    parts = {"a": [service_starts(1), breaks(1)], "b": [succeeds(2)[:1], succeeds(2)[1:]]}
    with DaemonProcess(tmp_path, RUNS) as daemon:
        for journal, host in whose.values():
            say(journal, host, now(), "imported 12 of 12 rows")
        daemon.wait_for(lambda: daemon.entries() == 2, "the first entries")
        release = daemon.start_release()
        for name in order:
            journal, host = whose[name]
            ran(journal, host, parts[name].pop(0))
            time.sleep(0.1)  # so that they lie in this order
        assert 0 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        shown = daemon.show(release)
        assert ("passed", True, 1, 1) == (
            shown["phase"],
            shown["coverage"]["complete"],
            shown["runs"]["succeeded"],
            shown["runs"]["failed"],
        )
        at = shown["started_at"]
        done = daemon.cli("replay", "--job", "import", "--since", "-1h", "--release-at", at, "-o", "json")
        assert 0 == done.returncode, done.stderr
        replayed = json.loads(done.stdout)
        assert (shown["verdict"], shown["reasons"], shown["coverage"]) == (
            replayed["verdict"],
            replayed["reasons"],
            replayed["coverage"],
        )
        assert (1, 1) == (replayed["runs"]["succeeded"], replayed["runs"]["failed"])
