"""Journal files that are rotated, vacuumed, hollowed out and damaged under the reader, or hold the worst of fields.

WATCHER_TEST_DAMAGED says how many damaged files are tried (12; `make faults` tries 500).
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journal.supervised import Daemon, daemon, eventually
from tests.journal.written import STEP, T0, UNIT, LiveWriter, counted, lines, renumber, write
from tests.parts.descriptors import deleted_journals
from tests.parts.journals import Fields
from watcher.core.coverage import GapReason
from watcher.journal.position import Position

HEAD = Position(cursor="").to_text()
DAMAGED = int(os.environ.get("WATCHER_TEST_DAMAGED", "12"))
LONGEST = 100
TOGETHER = 4
MEBI = 1 << 20


# ------------------------------------------------------------------------------------------- rotation, vacuum, history


async def test_a_hundred_rotations_under_load(tmp_path: Path) -> None:
    """A file is renamed and a new one begun again and again while it is written and read: no loss, nothing twice."""
    async with daemon(tmp_path) as story:
        pid = await story.ready()
        told = 0
        for turn in range(100):
            with LiveWriter(tmp_path / "system.journal") as writer:
                for _ in range(10):
                    writer.tell(f"error {told}")
                    told += 1
                await eventually((tmp_path / "system.journal").exists)
                (tmp_path / "system.journal").rename(tmp_path / f"system@{turn}.journal")
                writer.tell(f"error {told}")
                told += 1
            if turn >= 20 and story.entries >= (turn - 19) * 11:
                (tmp_path / f"system@{turn - 20}.journal").unlink()
            await asyncio.sleep(0)
        await eventually(lambda: story.entries >= told)
        assert (1100, 1100, 1100) == (told, story.entries, len({match.cursor for match in story.matches}))
        assert ([], []) == (story.gaps, story.restarts)
        await eventually(lambda: not deleted_journals(pid))


@pytest.mark.parametrize("entries", [1, 700, 2000])
async def test_files_vacuumed_before_they_were_read(tmp_path: Path, entries: int) -> None:
    """What is gone is one gap of exactly its size, between its neighbours' instants; all the others are counted."""
    first = write(tmp_path, "first", lines(300))
    second = write(tmp_path, "second", lines(entries, start=T0 + 300 * STEP))
    third = write(tmp_path, "third", lines(400, start=T0 + (300 + entries) * STEP))
    renumber(second, like=first, by=300)
    renumber(third, like=first, by=300 + entries)
    second.unlink()
    async with daemon(tmp_path) as story:
        story.position = HEAD
        await eventually(lambda: story.entries >= 700)
        assert 700 == story.entries
        gap = (GapReason.MISSING, T0 + 299 * STEP, T0 + (300 + entries) * STEP, entries)
        assert [gap] == [(gap.reason, gap.since, gap.until, gap.entries) for gap in story.gaps]


async def test_first_start_beside_44_files_of_history(tmp_path: Path) -> None:
    """None of their entries is counted; the first entry afterwards is, in whichever file it stands."""
    for part in range(44):
        write(tmp_path, f"system@{part}", lines(20, start=T0 + part * 20 * STEP))
    async with daemon(tmp_path) as story:
        await story.ready()
        with LiveWriter(tmp_path / "system@20.journal") as old, LiveWriter(tmp_path / "new.journal") as new:
            old.tell("error in an old file")
            await eventually(lambda: story.entries == 1)
            new.tell("error in a new file")
            await eventually(lambda: story.entries == 2)
        assert (2, []) == (len(story.matches), story.gaps)


# --------------------------------------------------------------------------------------------------------- damage


def punch(path: Path) -> None:
    """Takes the third quarter of a file away, as a file system may after a crash; its size stays."""
    size = path.stat().st_size
    subprocess.run(["fallocate", "-p", "-o", str(size // 2), "-l", str(size // 4), str(path)], check=True)


async def test_hole_punched_into_a_file(tmp_path: Path) -> None:
    """The library jumps over what the hole swallowed without a word: the numbers tell, and the gap is exact."""
    path = write(tmp_path, "system", lines(3000, errors=0))
    later = write(tmp_path, "later", lines(100, start=T0 + 3000 * STEP, errors=0))
    renumber(later, like=path, by=3000)
    punch(path)
    left = counted(tmp_path)
    assert 100 < left < 3100
    async with daemon(tmp_path, silence=3) as story:
        story.position = HEAD
        await eventually(lambda: story.entries >= left and bool(story.gaps), within=10)
        assert ([(GapReason.MISSING, 3100 - left)], []) == (
            [(gap.reason, gap.entries) for gap in story.gaps],
            story.restarts,
        )
        assert left == story.entries


@contextmanager
def damaged(directory: Path, seeds: range) -> Iterator[None]:
    """Files of 300 entries each, with flipped bits, cut or emptied."""
    for seed in seeds:
        chance = random.Random(seed)
        path = write(directory, f"damaged{seed}", lines(300, start=T0 + seed * 300 * STEP))
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice([1, 1, 5, 50])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        keep = chance.choice([len(data), len(data), len(data), len(data) // 2, 5000, 100, 0])
        path.write_bytes(data[:keep])
    yield


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seeds", [range(seed, min(seed + TOGETHER, DAMAGED)) for seed in range(0, DAMAGED, TOGETHER)])
async def test_damaged_files_beside_a_sound_one(tmp_path: Path, seeds: range) -> None:
    """Whatever the damage: within ten seconds the daemon reads on, and a sound file's entries are counted, once."""
    with damaged(tmp_path, seeds):
        async with daemon(tmp_path, silence=3) as story:
            story.position = HEAD
            begin = time.monotonic()
            with LiveWriter(tmp_path / "sound.journal") as writer:
                for number in range(5):
                    writer.tell(f"error {number} of a sound file")
                await eventually(lambda: recent(story) >= 5, within=10)
            assert time.monotonic() - begin < 10
            batches = story.batches
            await eventually(lambda: story.batches > batches + 1)
            assert 5 == recent(story)
            assert story.entries <= 5 + 300 * len(seeds)


def recent(story: Daemon) -> int:
    """Matches of the sound file, which is years younger."""
    return sum(match.at > T0 + 10**13 for match in story.matches)


# ---------------------------------------------------------------------------------------------------- hostile entries

HOSTILE: tuple[Fields, ...] = (
    {"MESSAGE": ["first", "error second", "third"], "PRIORITY": [3, 4]},
    {"MESSAGE": b"error \xff\xfe\x00\x01\x1b[31m binary", "PRIORITY": 3},
    {"MESSAGE": "error", "PRIORITY": "9" * 5000},
    {"MESSAGE": "error", "PRIORITY": b"\x00\xff", "SYSLOG_IDENTIFIER": b"\xff" * 300},
    {"MESSAGE": "error", "COREDUMP_TIMESTAMP": "9" * 400, "COREDUMP_UNIT": UNIT},
    {"MESSAGE": "error", "N_DROPPED": "9" * 5000, "OBJECT_SYSTEMD_UNIT": UNIT, "_UID": 0},
    {"MESSAGE": "error", "MESSAGE_ID": "9" * 5000, "UNIT": [UNIT] * 50, "_PID": 1, "INVOCATION_ID": "x" * 9000},
    {"MESSAGE": "error", **{f"FIELD_{number}": f"value {number}" for number in range(1000)}},
    {"MESSAGE": "error", "PRIORITY": 3, "BLOB": b"\x00" * (40 * MEBI)},
    {"MESSAGE": b"error " + b"x" * (40 * MEBI), "PRIORITY": 3},
)


async def test_hostile_fields_between_sound_entries(tmp_path: Path) -> None:
    """Repeated, binary, endless and absurd fields: each is one entry, all neighbours are counted, memory is bounded."""
    async with daemon(tmp_path) as story:
        pid = await story.ready()
        with LiveWriter(tmp_path / "live.journal") as writer:
            for fields in HOSTILE:
                writer.write({"_SYSTEMD_UNIT": UNIT, **fields})
                writer.tell("error of a neighbour")
            await eventually(lambda: story.entries >= 2 * len(HOSTILE), within=30)
        # the first of a repeated field counts, and it has no error in it
        assert (2 * len(HOSTILE), 2 * len(HOSTILE) - 1) == (story.entries, len(story.matches))
        assert ([], []) == (story.gaps, story.restarts)
        assert anonymous(pid) < 200 * MEBI


def anonymous(pid: int) -> int:
    """Memory that is the process's own, in bytes; the maps of journal files are not."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024


async def test_message_of_a_hundred_mebibytes(tmp_path: Path) -> None:
    """It is matched by its beginning and counted; so is its neighbour, and the memory is given back."""
    async with daemon(tmp_path) as story:
        pid = await story.ready()
        with LiveWriter(tmp_path / "live.journal") as writer:
            writer.write({"_SYSTEMD_UNIT": UNIT, "MESSAGE": b"error " + b"x" * (LONGEST * MEBI)})
            writer.tell("error of a neighbour")
            await eventually(lambda: story.entries >= 2, within=60)
        assert (2, 2, [], []) == (story.entries, len(story.matches), story.gaps, story.restarts)
        assert anonymous(pid) < 100 * MEBI


async def test_message_for_which_there_is_no_memory(tmp_path: Path) -> None:
    """It is passed as a gap, or with a new reader; the neighbours are counted once."""
    async with daemon(tmp_path) as story:
        pid = await story.ready()
        resource.prlimit(pid, resource.RLIMIT_DATA, (48 * MEBI, 48 * MEBI))
        with LiveWriter(tmp_path / "live.journal") as writer:
            writer.tell("error before")
            writer.write({"_SYSTEMD_UNIT": UNIT, "MESSAGE": b"error " + b"x" * (64 * MEBI)})
            writer.tell("error after")
            await eventually(lambda: len(story.matches) >= 2, within=60)
            await story.ready()
            writer.tell("error later")
            await eventually(lambda: len(story.matches) >= 3)
        assert bool(story.gaps or story.restarts)
        assert 3 <= len(story.matches) == len({match.cursor for match in story.matches})
