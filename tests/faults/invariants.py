"""What must hold after every run, whatever went wrong in it: the invariants I1 to I7 of the fault tests.

Each asserts one of them from outside: from the metrics, the journal as `journalctl` shows it, the files of the state
directory, the record of the release, and what the rollback command itself left behind.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Metrics = Mapping[tuple[str, ...], float]

MOST_DESCRIPTORS = 64
MOST_MEMORY_KIB = 160 * 1024
OVER = frozenset({"succeeded", "failed", "unknown"})


@dataclass(frozen=True, slots=True)
class Oracle:
    """What journalctl shows of a job's unit: all entries, and those that begin with the broken words."""

    entries: int
    broken: int

    @classmethod
    def read(cls, journal: Path, *, unit: str, broken: str) -> Oracle:
        """Count with journalctl over the whole directory."""
        argv = ["journalctl", "--directory", str(journal), "-u", unit, "-q", "-o", "json", "--output-fields=MESSAGE"]
        shown = subprocess.run([*argv, "--no-pager"], capture_output=True, text=True, check=True).stdout.splitlines()
        messages = [json.loads(line)["MESSAGE"] for line in shown]
        return cls(len(messages), sum(message.startswith(broken) for message in messages))


def counters_equal_the_journal(metrics: Metrics, oracle: Oracle, *, rule: str) -> None:
    """I1: every entry and every match of the job `import` counted once; no gap is declared that would excuse less."""
    gaps = {key: value for key, value in metrics.items() if key[0] == "watcher_journal_gaps_total" and value}
    counted = metrics["watcher_journal_entries_total", "import"]
    matched = metrics["watcher_rule_matches_total", "import", rule, "error"]
    assert (oracle.entries, oracle.broken, {}) == (counted, matched, gaps)


def command_started_at_most_once(ran: Path, claims: Path, release: str) -> int:
    """I2: by the lines that the command itself appended, where no disk failed; one claim. Returns how often."""
    times = len(ran.read_text().splitlines()) if ran.exists() else 0
    claimed = sorted(one.name for one in claims.glob("*.claim"))
    assert times <= 1
    assert claimed in ([], [f"{release}.claim"])
    assert times <= len(claimed)
    return times


def decision_reached_its_end(record: Mapping[str, Any], note: Mapping[str, Any], queue: Path) -> None:
    """I3: a rollback that was decided is over, its final note says so, and nothing waits in the queue."""
    assert record["rollback"]["state"] in OVER
    assert record["rollback"]["state"] == note["rollback"]["state"]
    assert (record["phase"], record["verdict"]) == (note["phase"], note["verdict"])
    assert [] == [name for name in os.listdir(queue) if not name.startswith(".")]


def failed_by_a_crossing(record: Mapping[str, Any], oracle: Oracle, *, limit: int) -> None:
    """I4: a failed release has its reason, and in the journal the errors that are the reason."""
    assert record["verdict"] != "failed" or oracle.broken >= limit
    assert (record["verdict"] == "failed") is any("match" in reason for reason in record["reasons"])


def database_is_whole(state: Path) -> None:
    """I5: integrity_check finds nothing, and nothing was set aside."""
    assert [] == list(state.glob("*.corrupt-*"))
    database = sqlite3.connect(state / "state.db")
    try:
        assert [("ok",)] == database.execute("PRAGMA integrity_check").fetchall()
    finally:
        database.close()


@dataclass(slots=True)
class Monotone:
    """I6: no counter goes back, over any number of restarts; each `seen` is one look at all metrics."""

    _highest: dict[tuple[str, ...], float] = field(default_factory=dict)

    def seen(self, metrics: Metrics) -> None:
        """Compare with all earlier looks."""
        counters = {key: value for key, value in metrics.items() if key[0].endswith("_total")}
        back = {
            key: (value, counters.get(key)) for key, value in self._highest.items() if counters.get(key, -1) < value
        }
        assert {} == back
        self._highest |= counters


def process_is_bounded(pid: int) -> None:
    """I7: descriptors and memory of a daemon with one job stay below what a leak would soon pass."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    assert len(os.listdir(f"/proc/{pid}/fd")) <= MOST_DESCRIPTORS
    assert resident <= MOST_MEMORY_KIB
