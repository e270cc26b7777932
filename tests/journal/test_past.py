"""A job's past is read from real journals: by the same scan, in this process or in one that may die."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.journal.written import JOB, T0, Line, write
from watcher.core.duration import HOUR, MINUTE, SECOND, Usec
from watcher.core.fingerprint import fingerprint
from watcher.core.severity import Severity
from watcher.core.statistics import Share
from watcher.journal.past import read_past
from watcher.journal.pasts import PROGRAM, read_past_apart
from watcher.journal.source import Source

KINDS = replace(JOB, kinds=True)
UNTIL = Usec(T0 // MINUTE * MINUTE + 2 * HOUR)
SINCE = Usec(UNTIL - HOUR)


def journal(directory: Path) -> Source:
    """Two hours: a fine line a minute, an error every tenth, a bad one without a rule each half hour."""
    begin = UNTIL - 2 * HOUR
    entries = []
    for minute in range(120):
        at = begin + minute * MINUTE
        entries.append(Line(at=at, message=f"fine {minute}", priority=6))
        if minute % 10 == 0:
            entries += [Line(at=at + one * SECOND, message=f"error in row {one}", priority=6) for one in (1, 2)]
        if minute % 30 == 0:
            entries.append(Line(at=at + 3 * SECOND, message=f"disk {minute} is sick", priority=2))
    write(directory, "system", entries)
    return Source(directory=str(directory))


def test_what_lies_before_the_release(tmp_path: Path) -> None:
    """Of the hour asked for: entries, error minutes, kinds; nothing of before and after."""
    past = read_past(journal(tmp_path), KINDS, since=SINCE, until=UNTIL)
    assert (60 + 12 + 2, 60, "") == (past.entries, past.minutes, past.problem)
    assert (Share(6, 60), 1.0) == past.of_minutes(Severity.ERROR)
    assert {(fingerprint("error in row 1").key, 12), (fingerprint("disk 0 is sick").key, 2)} == set(past.kinds)


def test_a_job_that_asks_for_no_kinds(tmp_path: Path) -> None:
    """Its entries are not looked at for them."""
    assert () == read_past(journal(tmp_path), JOB, since=SINCE, until=UNTIL).kinds


def test_a_past_with_too_many_entries(tmp_path: Path) -> None:
    """It is read up to the limit, and says so."""
    past = read_past(journal(tmp_path), KINDS, since=SINCE, until=UNTIL, most=10)
    assert past.limited or past.until == UNTIL


async def test_another_process_reads_the_same(tmp_path: Path) -> None:
    """What comes through the pipe is what reading here gives."""
    source = journal(tmp_path)
    apart = await read_past_apart(source, KINDS, since=SINCE, until=UNTIL, timeout=30)
    assert read_past(source, KINDS, since=SINCE, until=UNTIL) == apart


@pytest.mark.parametrize(
    ("problem", "program"),
    [
        ("the process that reads it ended with signal 7", ("sh", "-c", "kill -BUS $$")),
        ("the process that reads it gave no answer", ("sh", "-c", "cat >/dev/null")),
        ("the process that reads it was silent for 0.2 s and was ended", ("sleep", "60")),
        ("baseline: not a JSON object", ("sh", "-c", "cat >/dev/null; echo '[]'")),
    ],
)
async def test_a_process_that_dies_hangs_or_lies(problem: str, program: tuple[str, ...]) -> None:
    """It is a baseline that says why it could not be read."""
    timeout = 0.2 if "sleep" in program else 20.0
    past = await read_past_apart(Source(), KINDS, since=SINCE, until=UNTIL, timeout=timeout, program=program)
    assert (problem, 0) == (past.problem, past.minutes)


async def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    """The journal's own words come through."""
    past = await read_past_apart(
        Source(directory=str(tmp_path / "none")), KINDS, since=SINCE, until=UNTIL, timeout=30, program=PROGRAM
    )
    assert "none" in past.problem
