"""Which entries are errors of a kind, and of which: in the hot loop as by a plain reading of the same entries."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.journal.test_scan import ERROR, EXITED, UNIT_FAILED, job, line, read_all, record, rule
from tests.parts.journals import START, STEP, Fields, write_journal
from watcher.core.fingerprint import fingerprint
from watcher.core.found import ErrorSeen
from watcher.core.rule import WatchedJob
from watcher.core.severity import Severity
from watcher.journal.scan import Scanner

ODD = rule("odd", "odd", severity=Severity.WARNING)
TRACE = rule("trace", "^Traceback", until="^[A-Za-z]+Error")
RUN = rule("unit-failed", message_id=UNIT_FAILED, once="run")
JOB = replace(job("import", "import.service", rules=(ERROR, ODD, TRACE, RUN)), kinds=True)


def kinds(
    directory: Path, entries: Sequence[Fields], jobs: Sequence[WatchedJob] = (JOB,)
) -> list[tuple[int, str, bool]]:
    """Where in the journal an error of which kind was seen, and whether a rule fired on it."""
    write_journal(directory / "journal", entries)
    tally = read_all(Scanner(jobs), directory / "journal")
    seen = [one for one in tally.found if isinstance(one, ErrorSeen)]
    return [((one.at - START) // STEP, one.kind, one.matched) for one in seen]


def kind(text: str) -> str:
    return fingerprint(text).key


def test_by_rule_or_by_priority(tmp_path: Path) -> None:
    """A match of severity error, an entry of priority 3 and worse, nothing else; once each."""
    entries = [
        line("error in row 7"),
        line("error in row 8", PRIORITY="2"),
        line("disk is sick", PRIORITY="3"),
        line("odd", PRIORITY="4"),
        line("odd", PRIORITY="1"),
        line("all is well"),
        line("not ours", "other.service", PRIORITY="0"),
    ]
    row = kind("error in row 7")
    expected = [(0, row, True), (1, row, True), (2, kind("disk is sick"), False), (4, kind("odd"), True)]
    assert expected == kinds(tmp_path, entries)


@pytest.mark.parametrize("priority", ["33", "", "-1", "x", "3" * 5000])
def test_a_priority_that_is_none(tmp_path: Path, priority: str) -> None:
    """Anybody can send any text as a priority: only a digit counts."""
    assert [] == kinds(tmp_path, [line("hello", PRIORITY=priority)])


def test_a_stack_trace_is_told_by_its_end(tmp_path: Path) -> None:
    """All of them begin alike: the line that names the error says what kind it is, whatever its priority."""
    trace = [
        line(text, PRIORITY="3") for text in ("Traceback (most recent call last):", '  File "x.py"', "KeyError: 'a'")
    ]
    assert [(2, kind("KeyError: 'b'"), True)] == kinds(tmp_path, trace)


def test_a_stack_trace_in_one_entry(tmp_path: Path) -> None:
    """Its last line is in it already."""
    text = "Traceback (most recent call last):\n  go()\nValueError: 7"
    assert [(0, kind(text), True)] == kinds(tmp_path, [line(text)])


def test_a_failed_run_is_one_error(tmp_path: Path) -> None:
    """However many records PID 1 writes about it."""
    failed = "import.service: Failed with result 'exit-code'."
    entries = [
        record("import.service: Main process exited", EXITED, PRIORITY="5"),
        record(failed, UNIT_FAILED, PRIORITY="4"),
        record(failed, UNIT_FAILED, PRIORITY="4"),
    ]
    assert [(1, kind(failed), True)] == kinds(tmp_path, entries)


def test_a_job_that_asks_for_none(tmp_path: Path) -> None:
    """It has none, and another job's asking changes nothing for it."""
    other = job("export", "export.service")
    entries = [line("error", "export.service", PRIORITY="3"), line("error", PRIORITY="3")]
    assert [(1, kind("error"), True)] == kinds(tmp_path, entries, (JOB, other))


@pytest.mark.parametrize("seed", range(3))
def test_as_by_a_plain_reading(tmp_path: Path, seed: int) -> None:
    """Entries by chance, read plainly, give the same; a line without a message has a kind as well."""
    dice = random.Random(seed)
    entries: list[dict[str, Any]] = []
    for number in range(400):
        text = dice.choice(
            ["fine", "an error", "odd thing", f"row {number}", "\udcff".encode("utf-8", "replace").decode()]
        )
        entry = line(text, dice.choice(["import.service", "other.service"]), PRIORITY=str(dice.randrange(8)))
        if dice.random() < 0.05:
            del entry["PRIORITY"]
        entries.append(entry)
    expected = [
        (place, kind(entry["MESSAGE"]), "error" in entry["MESSAGE"] or "odd" in entry["MESSAGE"])
        for place, entry in enumerate(entries)
        if entry["_SYSTEMD_UNIT"] == "import.service"
        and ("error" in entry["MESSAGE"] or entry.get("PRIORITY", "7") in ("0", "1", "2", "3"))
    ]
    assert expected == kinds(tmp_path, entries)
