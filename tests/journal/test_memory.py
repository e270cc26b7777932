"""Entries in memory behave to the scanner as libsystemd's own reader does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.parts.journals import START, STEP, open_reader, write_journal
from watcher.core.duration import Usec
from watcher.core.found import Match
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.memory import MemoryEntry, MemoryReader, entry_of
from watcher.journal.scan import Scanner, Tally

SENDER = {"_SYSTEMD_UNIT": "import.service", "_PID": "700", "_UID": "900", "_TRANSPORT": "stdout"}
PID1 = {"_SYSTEMD_UNIT": "init.scope", "_PID": "1", "_UID": "0", "_TRANSPORT": "journal", "UNIT": "import.service"}
FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
STORY: list[dict[str, Any]] = [
    {"MESSAGE": "fine", **SENDER},
    {"MESSAGE": "Traceback (most recent call last):", **SENDER},
    {"MESSAGE": "  error in line 3", **SENDER},
    {"MESSAGE": "KeyError: 'id'", **SENDER},
    {"MESSAGE": "error 7", **SENDER},
    {"MESSAGE": "error of somebody else", **SENDER, "_SYSTEMD_UNIT": "other.service"},
    {"MESSAGE": "it failed", "MESSAGE_ID": FAILED, "INVOCATION_ID": "1", **PID1},
    {"MESSAGE": "it failed", "MESSAGE_ID": FAILED, "INVOCATION_ID": "1", **PID1},
    {**SENDER},
    {"MESSAGE": "for two", "OBJECT_SYSTEMD_UNIT": ["x.service", "import.service"], "_UID": "0", "_PID": "2"},
]
JOB = WatchedJob(
    name=JobName("import"),
    units=("import.service",),
    identifiers=(),
    rules=(
        Rule(name=RuleName("trace"), severity=Severity.ERROR, match="^Traceback", until="^[A-Za-z]+Error:"),
        Rule(name=RuleName("any"), severity=Severity.ERROR, match="error"),
        Rule(name=RuleName("two"), severity=Severity.ERROR, match="^for two$"),
        Rule(name=RuleName("failed"), severity=Severity.CRITICAL, message_id=FAILED, once="run"),
    ),
)


def in_memory(story: list[dict[str, Any]]) -> MemoryReader:
    entries = []
    for place, fields in enumerate(story):
        values = {name: value if isinstance(value, list) else [value] for name, value in fields.items()}
        every = {name: tuple(one.encode() for one in some) for name, some in values.items()}
        entries.append(MemoryEntry(at=Usec(START + place * STEP), fields=every))
    return MemoryReader(entries)


def matches(tally: Tally) -> list[Match]:
    return [one for one in tally.found if isinstance(one, Match)]


def facts(tally: Tally) -> object:
    found = [(match.rules, match.severity, match.at) for match in matches(tally)]
    return tally.entries, tally.tallies, found, tally.gaps, tally.last_at


def test_the_scanner_reads_memory_as_it_reads_a_journal(tmp_path: Path) -> None:
    """The same entries give the same counts, matches, joins and instants from either."""
    write_journal(tmp_path, STORY)
    stored, kept = Scanner((JOB,)), Scanner((JOB,))
    with open_reader(tmp_path) as reader:
        stored.scan(reader, entries=100, matches=100)
    kept.scan(in_memory(STORY), entries=100, matches=100)
    expected = facts(stored.drain())
    assert 4 == len(expected[2])  # type: ignore[index]
    assert expected == facts(kept.drain())


def test_a_cursor_is_the_number_of_its_entry() -> None:
    """What a match names can be found again."""
    scanner = Scanner((JOB,))
    scanner.scan(in_memory(STORY), entries=100, matches=100)
    assert ["1", "4", "6", "9"] == [match.cursor for match in matches(scanner.drain())]


def test_a_reader_before_its_first_entry_stands_nowhere() -> None:
    """As in the library, a field can't be asked for before the first step."""
    reader = MemoryReader([entry_of(Usec(1), {"MESSAGE": "a"})])
    with pytest.raises(OSError, match="assign requested address"):
        reader._get("MESSAGE")
    with pytest.raises(OSError, match="assign requested address"):
        reader._get_cursor()


def test_a_field_that_is_not_there() -> None:
    """KeyError, as from the library."""
    reader = MemoryReader([entry_of(Usec(1), {"MESSAGE": "a"})])
    assert reader._next()
    with pytest.raises(KeyError):
        reader._get("PRIORITY")


def test_steps_of_several_entries_and_the_end() -> None:
    """`_next(n)` goes n entries on; at the end it stays on the last one."""
    reader = MemoryReader([entry_of(Usec(at), {"MESSAGE": str(at)}) for at in (1, 2, 3)])
    assert reader._next(2)
    assert (b"2", 2, "1") == (reader._get("MESSAGE"), reader._get_realtime(), reader._get_cursor())
    assert reader._next()
    assert not reader._next()
    assert b"3" == reader._get("MESSAGE")
