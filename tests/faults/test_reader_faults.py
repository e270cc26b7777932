"""Faults of the reader process, as the daemon has to live through them: counters stay exact, gaps are told."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journal.supervised import Daemon, daemon, eventually
from tests.journal.written import STEP, T0, LiveWriter, counted, cursors, lines, write
from tests.parts.descriptors import deleted_journals
from watcher.core.coverage import GapReason
from watcher.journal.position import Position


async def settled(story: Daemon, directory: Path) -> None:
    """Waits until all that journalctl counts has come, then a little longer for what must not come."""
    total = counted(directory)
    await eventually(lambda: story.entries >= total, within=60)
    batches = story.batches
    await eventually(lambda: story.batches > batches + 1)


def shoot(story: Daemon) -> None:
    """Kill -9 of the reader, if there is one at the moment."""
    if story.supervisor.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(story.supervisor.pid, signal.SIGKILL)


@pytest.mark.parametrize("seed", range(3))
async def test_reader_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """Kill -9 at random moments while two programs write: every entry is counted once, every match is there once."""
    chance = random.Random(seed)
    async with daemon(tmp_path) as story:
        await story.ready()
        with LiveWriter(tmp_path / "one.journal") as one, LiveWriter(tmp_path / "two.journal") as two:
            for _ in range(12):
                for k in range(chance.randint(1, 40)):
                    chance.choice([one, two]).tell(f"error {k}" if k % 3 == 0 else "fine")
                await asyncio.sleep(chance.random() * 0.3)
                shoot(story)
        await settled(story, tmp_path)
        assert counted(tmp_path) == story.entries
        assert counted(tmp_path, "--grep", "error") == len(story.matches) == len({m.cursor for m in story.matches})
        assert [] == story.gaps
        assert {"killed"} == set(story.restarts)


async def test_reader_killed_in_a_backlog(tmp_path: Path) -> None:
    """The same in a long catch-up, where several batches are under way."""
    write(tmp_path, "system", lines(60_000))
    chance = random.Random(7)
    async with daemon(tmp_path) as story:
        story.position = Position(cursor="").to_text()
        for _ in range(8):
            await eventually(lambda: story.supervisor.pid is not None)
            await asyncio.sleep(0.1 + chance.random() * 0.3)
            shoot(story)
        await settled(story, tmp_path)
        assert (60_000, 6_000, []) == (story.entries, len(story.matches), story.gaps)


async def test_file_truncated_under_the_reader(tmp_path: Path) -> None:
    """SIGBUS kills the reader; a new one is at work within two seconds, and what comes later is counted."""
    write(tmp_path, "old", lines(5000))
    async with daemon(tmp_path) as story:
        await story.ready()
        begin = time.monotonic()
        os.truncate(tmp_path / "old.journal", 0)
        write(tmp_path, "new", lines(20, start=T0 + 9000 * STEP))
        await eventually(lambda: "sigbus" in story.restarts and story.supervisor.trouble is None)
        assert time.monotonic() - begin < 2
        await eventually(lambda: story.entries == 20)
        assert ["sigbus"] == story.restarts


async def test_reader_that_hangs(tmp_path: Path) -> None:
    """A silent reader is killed and replaced; nothing is lost."""
    write(tmp_path, "system", lines(10))
    async with daemon(tmp_path, silence=2.5) as story:
        os.kill(await story.ready(), signal.SIGSTOP)
        write(tmp_path, "system", lines(10, start=T0 + 100 * STEP))
        await eventually(lambda: story.entries == 10)
        assert ["hung"] == story.restarts


@pytest.mark.parametrize(("action", "reason"), [("kill", "killed"), ("bus", "sigbus")])
async def test_entry_that_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, reason: str) -> None:
    """Once it is sure which entry kills, that one is passed as a gap; its neighbours are counted once."""
    write(tmp_path, "system", lines(1000))
    poison = cursors(tmp_path)[700]
    monkeypatch.setenv("WATCHER_FAILPOINT", f"entry:{poison.rsplit(';', 3)[0]};:{action}")
    async with daemon(tmp_path) as story:
        story.position = Position(cursor="").to_text()
        await eventually(lambda: story.entries >= 999)
        await story.ready()
        assert (999, 99) == (story.entries, len(story.matches))
        assert [(GapReason.POISON, T0 + 700 * STEP, 1)] == [(gap.reason, gap.since, gap.entries) for gap in story.gaps]
        assert [reason] * 3 == story.restarts


@pytest.mark.parametrize("second", [31, 75])
async def test_two_entries_that_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: int) -> None:
    """Each is found for itself, also where both lie in one batch."""
    entries = lines(100, errors=0)
    for index in (30, second):
        entries[index] = replace(entries[index], boot="b" * 32)
    write(tmp_path, "system", entries)
    monkeypatch.setenv("WATCHER_FAILPOINT", f"entry:;b={'b' * 32};:kill")
    async with daemon(tmp_path) as story:
        story.position = Position(cursor="").to_text()
        await eventually(lambda: story.entries >= 98)
        assert [(GapReason.POISON, 1)] * 2 == [(gap.reason, gap.entries) for gap in story.gaps]
        assert (98, ["killed"] * 5) == (story.entries, story.restarts)


async def test_entry_that_hangs_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry on which the library never comes back is passed like one that kills."""
    write(tmp_path, "system", lines(50))
    poison = cursors(tmp_path)[20].split(";")[1]
    monkeypatch.setenv("WATCHER_FAILPOINT", f"entry:;{poison};:stop")
    async with daemon(tmp_path, silence=1.5) as story:
        story.position = Position(cursor="").to_text()
        await eventually(lambda: story.entries >= 49)
        assert (49, ["hung"] * 3) == (story.entries, story.restarts)
        assert [GapReason.POISON] == [gap.reason for gap in story.gaps]


async def test_directory_that_goes_and_comes(tmp_path: Path) -> None:
    """A directory missing at the start is told, and followed once it is there."""
    place = tmp_path / "journal"
    async with daemon(place) as story:
        await eventually(lambda: "No such file" in (story.supervisor.trouble or ""))
        place.mkdir()
        await story.ready()
        with LiveWriter(place / "live.journal") as writer:
            writer.tell("error 1")
            await eventually(lambda: len(story.matches) == 1)
        assert [] == story.restarts


@pytest.mark.parametrize("text", ["", "garbage", '{"v":1,"cursor":"t=zz"}'])
async def test_committed_position_is_garbage(tmp_path: Path, text: str) -> None:
    """No crash loop: one gap, everything from the head, and the position is whole again."""
    write(tmp_path, "system", lines(100))
    async with daemon(tmp_path) as story:
        story.position = text
        await eventually(lambda: story.entries == 100)
        assert ([GapReason.CURSOR], []) == ([gap.reason for gap in story.gaps], story.restarts)
        assert Position.from_text(story.position).is_entry


async def test_rotation_under_load(tmp_path: Path) -> None:
    """Files that are renamed and removed while they are followed: no loss, no descriptor of a deleted file stays."""
    async with daemon(tmp_path) as story:
        pid = await story.ready()
        total = 0
        for part in range(15):
            write(tmp_path, "system", lines(200, start=T0 + part * 200 * STEP))
            total += 200
            await eventually(lambda: story.entries == total)  # noqa: B023 - awaited within the turn
            (tmp_path / "system.journal").rename(tmp_path / f"system@{part}.journal")
            if part > 2:
                (tmp_path / f"system@{part - 3}.journal").unlink()
        assert (3000, []) == (story.entries, story.gaps)
        await eventually(lambda: not deleted_journals(pid))


@pytest.mark.parametrize("seed", range(6))
async def test_damaged_files(tmp_path: Path, seed: int) -> None:
    """Flipped bits, cut and emptied files: the daemon lives, and another file's later entries are counted."""
    chance = random.Random(seed)
    path = write(tmp_path, "damaged", lines(2000))
    data = bytearray(path.read_bytes())
    for _ in range(30):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data[: chance.choice([0, 100, 5000, len(data) // 2, len(data)])])
    async with daemon(tmp_path, silence=3) as story:
        story.position = Position(cursor="").to_text()
        await story.ready()
        with LiveWriter(tmp_path / "sound.journal") as writer:
            for k in range(5):
                writer.tell(f"error {k} of a sound file")
            await eventually(lambda: sum(match.at > T0 + 10**12 for match in story.matches) == 5)
