"""Faults of the reader process while a directory holds several hosts: each host goes on where it was."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.faults.test_reader_faults import settled, shoot
from tests.journal.supervised import daemon, eventually
from tests.journal.written import Line, LiveWriter, counted, cursors, write
from watcher.core.coverage import GapReason
from watcher.core.duration import MINUTE, SECOND

A, B = "a" * 32, "b" * 32


def now() -> int:
    return time.time_ns() // 1000


def said(host: str, at: int, count: int = 1, message: str = "error") -> list[Line]:
    return [Line(at=at + k, message=f"{message} {k}", host=host, boot=host) for k in range(count)]


async def test_reader_killed_while_a_host_is_late(tmp_path: Path) -> None:
    """Kill -9 at random moments while two hosts write, one of them minutes late: every entry is counted once."""
    chance, late = random.Random(4), now() - 30 * MINUTE
    write(tmp_path, "a", said(A, late))
    write(tmp_path, "b", said(B, late))
    async with daemon(tmp_path) as story:
        await story.ready()
        with LiveWriter(tmp_path / "a.journal") as a, LiveWriter(tmp_path / "b.journal") as b:
            for k in range(8):
                a.say(*said(A, now(), chance.randint(1, 40)))
                b.say(*said(B, late + (k + 1) * MINUTE, chance.randint(1, 40)))
                await asyncio.sleep(chance.random() * 0.3)
                shoot(story)
        story.counts["those that were there before"] = 2
        await settled(story, tmp_path)
        assert (counted(tmp_path), []) == (story.entries, story.gaps)
        assert story.entries - 2 == len(story.matches) == len({match.cursor for match in story.matches})
        assert {"killed"} == set(story.restarts)


async def test_directory_with_entries_of_nobody(tmp_path: Path) -> None:
    """What is not read among several hosts keeps the daemon from being ready, with the file and the way out."""
    write(tmp_path, "a", said(A, now()))
    write(tmp_path, "b", said(B, now()))
    async with daemon(tmp_path) as story:
        await story.ready()
        path = write(tmp_path, "nobody", [Line(at=now(), message="error", boot="0" * 32)])
        await eventually(lambda: "nobody.journal: entries without _MACHINE_ID" in (story.supervisor.trouble or ""))
        await eventually(lambda: [GapReason.MISSING] == [gap.reason for gap in story.gaps])
        path.unlink()
        await eventually(lambda: story.supervisor.trouble is None)
        assert ([], 0) == (story.restarts, story.entries)


async def test_entry_that_kills_in_one_of_two_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found and passed as a gap of one entry; its neighbours and the other host are counted once."""
    at = now() - MINUTE
    write(tmp_path, "a", said(A, at))
    write(tmp_path, "b", said(B, at))
    async with daemon(tmp_path) as story:
        await story.ready()
        position = story.position
    write(tmp_path, "a", said(A, at + SECOND, 300))
    path = write(tmp_path, "b", said(B, at + SECOND, 300))
    poison = next(cursor for cursor in cursors(path.parent) if f";t={at + SECOND + 200:x};" in cursor and B in cursor)
    monkeypatch.setenv("WATCHER_FAILPOINT", f"entry:{poison.rsplit(';', 3)[0]};:kill")
    async with daemon(tmp_path) as story:
        story.position = position
        await eventually(lambda: story.entries >= 599)
        await story.ready()
        assert (599, 599) == (story.entries, len(story.matches))
        assert [(GapReason.POISON, at + SECOND + 200, 1)] == [
            (gap.reason, gap.since, gap.entries) for gap in story.gaps
        ]
        assert ["killed"] * 3 == story.restarts
