"""Bad entries that no rule matched are found in real journals, by kind, by a process that may die."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journal.written import JOB, T0, Line, write
from watcher.core.duration import MINUTE, SECOND, Usec
from watcher.core.excerpt import LeftoverKind, Leftovers
from watcher.journal.leftovers import read_leftovers
from watcher.journal.source import Source

SINCE, UNTIL = T0, Usec(T0 + MINUTE)


async def test_what_rules_do_not_know(tmp_path: Path) -> None:
    """Entries of priority 3 and worse without a match, by kind; nothing of another unit, time or priority."""
    entries = [
        Line(at=T0 - SECOND, message="too early", priority=2),
        Line(at=T0 + 1, message="disk 1 is sick", priority=3),
        Line(at=T0 + 2, message="error 7", priority=3),
        Line(at=T0 + 3, message="disk 2 is sick", priority=0),
        Line(at=T0 + 4, message="fine", priority=6),
        Line(at=T0 + 5, message="not ours", priority=3, unit="other.service"),
        Line(at=T0 + 6, message="fan stopped", priority=2),
        Line(at=T0 + MINUTE, message="too late", priority=2),
    ]
    write(tmp_path, "system", entries)
    left = await read_leftovers(Source(directory=str(tmp_path)), JOB, since=SINCE, until=UNTIL, timeout=30)
    disk = LeftoverKind(count=2, at=Usec(T0 + 1), message="disk 1 is sick")
    fan = LeftoverKind(count=1, at=Usec(T0 + 6), message="fan stopped")
    assert Leftovers(entries=3, kinds=(disk, fan)) == left


@pytest.mark.parametrize(
    ("problem", "script"),
    [
        ("the process that reads it ended with signal 7", "kill -BUS $$"),
        ("the process that reads it gave an answer of another form", "cat >/dev/null; echo '[]'"),
    ],
)
async def test_a_process_that_dies_or_lies(problem: str, script: str) -> None:
    """It is words, and never an error."""
    program = ("sh", "-c", script)
    left = await read_leftovers(Source(), JOB, since=SINCE, until=UNTIL, timeout=20, program=program)
    assert Leftovers(problem=problem) == left
