"""`kill -9` of the daemon, at random instants under load: nothing lost, nothing twice, one rollback.

WATCHER_TEST_KILLS says how often (20; `make faults` kills 1,000 times).
"""

from __future__ import annotations

import os
import random
import stat
import threading
import time
from pathlib import Path

import pytest

from tests.faults.invariants import (
    Oracle,
    command_started_at_most_once,
    counters_equal_the_journal,
    database_is_whole,
    failed_by_a_crossing,
    process_is_bounded,
)
from tests.journal.written import Line, LiveWriter
from tests.parts.daemons import DaemonProcess

JOB = """\
    units: ["import@*.service"]
    rules:
      - {{name: broken, match: '^broken', severity: error}}
    release:
      mode: rollback
      window: 30m
      settle: 0s
      fail_when:
        - matches: {{rule: broken, count: {limit}}}
      rollback: {{command: [{directory}/roll-back], timeout: 20s}}
"""
LIMIT = 200
KILLS = int(os.environ.get("WATCHER_TEST_KILLS", "20"))


@pytest.mark.timeout(240 + 5 * KILLS)
def test_twenty_kills_under_load_leave_exact_counters_and_one_rollback(tmp_path: Path) -> None:
    """After so many random `kill -9` the counters equal journalctl's and the command has run exactly once."""
    script = tmp_path / "roll-back"
    script.write_text(f"#!/bin/sh\necho started >> {tmp_path}/rolled-back\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    chance = random.Random(20261123)
    daemon = DaemonProcess(tmp_path, JOB.format(directory=tmp_path, limit=LIMIT))
    stop = threading.Event()
    with LiveWriter(daemon.journal / "live.journal") as journal:
        daemon.start()
        daemon.wait_ready()
        release = daemon.start_release()
        writer = threading.Thread(target=_write, args=(journal, stop), name="writer")
        writer.start()
        try:
            for _ in range(KILLS):
                stop.wait(chance.uniform(0.05, 0.9))
                daemon.kill()
                daemon.start()
        finally:
            stop.set()
            writer.join()
        daemon.wait_ready()
        expected = Oracle.read(daemon.journal, unit="import@*.service", broken="broken")
        daemon.wait_for(lambda: daemon.entries() >= expected.entries, "the rest of the journal")
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "30s").returncode
        metrics = daemon.metrics()
        counters_equal_the_journal(metrics, expected, rule="broken")
        assert 1 == command_started_at_most_once(tmp_path / "rolled-back", daemon.state / "rollback", release)
        shown = daemon.show(release)
        failed_by_a_crossing(shown, expected, limit=LIMIT)
        assert (True, "failed") == (shown["coverage"]["complete"], shown["verdict"])
        process_is_bounded(daemon.pid)
        daemon.stop()
    database_is_whole(daemon.state)


def _write(journal: LiveWriter, stop: threading.Event) -> None:
    number = 0
    while not stop.wait(0.002):
        number += 1
        kind = "broken" if number % 10 == 0 else "fine"
        unit = f"import@{number % 3}.service"
        journal.say(Line(at=time.time_ns() // 1000, message=f"{kind} {number}", unit=unit))
