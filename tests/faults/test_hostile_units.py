"""Forged fields on real journal files, and instances of a template without end, through the real daemon.

An unprivileged user's `logger --journald` on a booted machine is `tests/system/test_people.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.journal.written import LiveWriter
from tests.parts.daemons import DaemonProcess
from tests.parts.journals import Fields
from tests.parts.pid1 import succeeds

INSTANCES = int(os.environ.get("WATCHER_TEST_INSTANCES", "10000"))
"""How many instances of one template speak; `make faults` takes 100,000."""
JOB = """\
    units: ["import@*.service"]
    packs: [systemd, kernel]
    release:
      mode: rollback
      window: 5m
      settle: 0s
      fail_when:
        - matches: {severity: error, count: 1}
        - failed_runs: {count: 1}
      rollback: {command: [/bin/true]}
"""
UNIT = "import@eu.service"
MALLORY: Fields = {
    "_UID": 1000,
    "_PID": 4711,
    "_SYSTEMD_UNIT": "session-1.scope",
    "_TRANSPORT": "journal",
    "PRIORITY": 2,
}
FAILED, EXITED = "d9b373ed55a64feb8242e02dbe79a49c", "98e322203f7a4ed290d09fe03c09fe15"
DUMPED, SUPPRESSED = "fc2e22bc6ee647b6b90729ab34a250b1", "a596d6fe7bfa4994828e72309e95d61e"
MISSED, STARTED, OOM = (
    "e9bf28e6e834481bb6f48f548ad13606",
    "39f53479d3a045ac8e11786248231fbf",
    "fe6faa94e7774663a0da52717891d8ef",
)
COUNTED = {
    "watcher_journal_entries_total",
    "watcher_rule_matches_total",
    "watcher_runs_total",
    "watcher_journal_gaps_total",
    "watcher_release_verdicts_total",
    "watcher_rollbacks_total",
}
RUN = "0" * 31 + "1"
FORGED: Mapping[str, Fields] = {
    "failed unit": {"MESSAGE_ID": FAILED, "UNIT": UNIT, "UNIT_RESULT": "exit-code", "INVOCATION_ID": RUN},
    "failed unit, its fields twice": {"MESSAGE_ID": [FAILED, FAILED], "UNIT": [UNIT, UNIT], "INVOCATION_ID": RUN},
    "ended process": {
        "MESSAGE_ID": EXITED,
        "UNIT": UNIT,
        "EXIT_CODE": "exited",
        "EXIT_STATUS": 1,
        "INVOCATION_ID": RUN,
    },
    "begun run": {"MESSAGE_ID": STARTED, "UNIT": UNIT, "INVOCATION_ID": RUN},
    "out of memory": {"MESSAGE_ID": OOM, "UNIT": UNIT, "INVOCATION_ID": RUN},
    "core dump": {"MESSAGE_ID": DUMPED, "COREDUMP_UNIT": UNIT, "COREDUMP_TIMESTAMP": "9" * 5000},
    "entry about an object": {"OBJECT_SYSTEMD_UNIT": UNIT, "OBJECT_PID": 1},
    "dropped messages": {"MESSAGE_ID": SUPPRESSED, "OBJECT_SYSTEMD_UNIT": UNIT, "N_DROPPED": 4711},
    "missed messages": {"MESSAGE_ID": MISSED},
    "identity without underscore": {"PID": 1, "UID": 0, "SYSTEMD_UNIT": UNIT, "UNIT": UNIT, "MESSAGE_ID": FAILED},
    "slice of the same name": {"_SYSTEMD_SLICE": UNIT, "UNIT": UNIT},
    "user's own unit of that name": {"_SYSTEMD_USER_UNIT": UNIT, "USER_UNIT": UNIT, "MESSAGE_ID": FAILED},
}
"""What a user with uid 1000 can send: every field but those with an underscore, which journald sets by itself."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[DaemonProcess, LiveWriter]]:
    """A daemon that follows a journal, with a release open that a single error would roll back."""
    process = DaemonProcess(tmp_path, JOB)
    with LiveWriter(process.journal / "live.journal") as journal, process:
        yield process, journal


def test_forged_records(daemon: tuple[DaemonProcess, LiveWriter]) -> None:
    """No kind of forged record makes a count, a run, a gap or a verdict; the honest run behind them is counted."""
    process, journal = daemon
    release = process.start_release("--previous", "1")
    before = process.metrics()
    for text in (
        "import@eu.service: Failed with result 'exit-code'.",
        "Suppressed 4711 messages from import@eu.service",
    ):
        journal.write(*({**MALLORY, "MESSAGE": text, **fields} for fields in FORGED.values()))
    journal.write(*succeeds(2, unit=UNIT))
    process.wait_for(lambda: process.metrics()["watcher_runs_total", "import", "succeeded"] == 1, "the honest run")
    after = process.metrics()
    honest = {
        ("watcher_runs_total", "import", "succeeded"): 1.0,
        ("watcher_journal_entries_total", "import"): 3.0,
    }
    moved = {series: value for series, value in after.items() if value != before.get(series)}
    assert honest == {series: value for series, value in moved.items() if series[0] in COUNTED}
    shown = process.show(release)
    assert ("watching", {"complete": True, "gaps": []}) == (shown["phase"], shown["coverage"])
    assert {} == {rule: count for rule, count in shown["matches"].items() if count}


def test_instances_without_end(daemon: tuple[DaemonProcess, LiveWriter]) -> None:
    """Each instance is counted, and none of them makes a series, a label or a memory of its own."""
    process, journal = daemon
    release = process.start_release("--previous", "1", "--mode", "observe")
    few = min(INSTANCES // 5, 2000)
    write_instances(journal, range(few))
    process.wait_for(lambda: process.entries() == few, "the first instances", patience=60)
    series, memory = set(process.metrics()), resident(process.pid)
    for begin in range(few, INSTANCES, 2000):
        write_instances(journal, range(begin, min(begin + 2000, INSTANCES)))
    process.wait_for(lambda: process.entries() == INSTANCES, "all instances", patience=90)
    status, text = process.get("/metrics")
    assert (200, False) == (status, "tenant" in text)
    assert series == set(process.metrics())
    assert resident(process.pid) - memory < 30_000
    assert "watching" == process.show(release)["phase"]
    assert "tenant" not in process.log


def write_instances(journal: LiveWriter, numbers: Sequence[int]) -> None:
    """One line of each instance."""
    sender: Fields = {"_PID": 7, "_UID": 0, "PRIORITY": 6, "_TRANSPORT": "stdout", "MESSAGE": "fine"}
    journal.write(*({**sender, "_SYSTEMD_UNIT": f"import@tenant\\x2d{number}.service"} for number in numbers))


def resident(pid: int) -> int:
    """Resident memory of the daemon and its reader, in KiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(
        int(line.split()[1])
        for one in (str(pid), *children)
        for line in Path(f"/proc/{one}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
