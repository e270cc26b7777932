"""Entries that are lost at the very end of a journal file, where no later number tells of them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journal.gathered import Gathered
from tests.journal.written import ENTRY_OBJECT, JOB, STEP, T0, LiveWriter, lines, renumber, write
from tests.parts.journals import open_reader
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.journal import folders, tails
from watcher.journal.extent import read_extent
from watcher.journal.follow import Follower
from watcher.journal.source import Source
from watcher.journal.tails import ends_lost

STATE, TAIL_NUMBER = 16, 160
ONLINE = 1


def numbers(data: bytes | bytearray, offset: int) -> int:
    """A number in a journal file."""
    return int.from_bytes(data[offset : offset + 8], "little")


def damage(path: Path, *, after: int) -> None:
    """Makes nonsense of all entries of a file after so many."""
    data = bytearray(path.read_bytes())
    place, last, entries = numbers(data, 88), numbers(data, 136), 0
    while place <= last:
        if data[place] == ENTRY_OBJECT:
            entries += 1
            if entries > after:
                data[place] = 0x77
        place += (numbers(data, place + 8) + 7) // 8 * 8
    path.write_bytes(data)


def change(path: Path, offset: int, value: bytes) -> None:
    """Writes into a file's head."""
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)


def follower(directory: Path, position: str | None, *, now: int = T0 + 3600 * SECOND) -> Follower:
    return Follower(Source(directory=str(directory)), [JOB], position=position, clock=lambda: now)


def placed(directory: Path, *, until: int) -> str:
    """The position of a daemon that has read all that there is."""
    steps = Follower(Source(directory=str(directory)), [JOB], since=Usec(T0), clock=lambda: until)
    with Gathered(steps) as gathered:
        position = gathered.to_tail().position
    assert position is not None
    return position


def gaps_after(directory: Path, position: str | None) -> tuple[Sequence[Gap], int, str | None]:
    """The gaps and the count of entries that a successor finds, and where it ends."""
    with Gathered(follower(directory, position)) as gathered:
        found = gathered.to_tail()
        return found.gaps, found.entries, found.position


@pytest.mark.parametrize("read", [0, 5, 9])
@pytest.mark.parametrize("goes_on", [True, False], ids=["another file follows", "nothing follows"])
def test_damaged_end_of_a_file_is_a_gap_of_its_size(tmp_path: Path, read: int, *, goes_on: bool) -> None:
    """Told before anything that follows is read, once, whether or not the damaged file was known before."""
    write(tmp_path, "known", lines(3))
    if read:
        write(tmp_path, "system", lines(read, start=T0 + 10 * STEP))
    position = placed(tmp_path, until=T0 + 20 * STEP)
    path = write(tmp_path, "system", lines(21 - read, start=T0 + (10 + read) * STEP))
    damage(path, after=9)
    if goes_on:
        write(tmp_path, "later", lines(4, start=T0 + 100 * STEP))
    found, entries, end = gaps_after(tmp_path, position)
    gap = Gap(reason=GapReason.MISSING, since=Usec(T0 + 18 * STEP), until=Usec(T0 + 30 * STEP), entries=12)
    assert ((gap,), 9 - read + 4 * goes_on) == (tuple(found), entries)
    assert ((), 0) == gaps_after(tmp_path, end)[:2]


def test_replay_tells_it_too(tmp_path: Path) -> None:
    """Of files that were written after its beginning."""
    damage(write(tmp_path, "system", lines(21)), after=9)
    write(tmp_path, "later", lines(4, start=T0 + 100 * STEP))
    source = Source(directory=str(tmp_path))
    for since, expected in ((T0, [12]), (T0 + 50 * STEP, [])):
        told = [gap for one in read_extent(source, [JOB], since=Usec(since)) for gap in one.gaps]
        assert expected == [gap.entries for gap in told]


def test_page_that_was_never_written(tmp_path: Path) -> None:
    """As after a power cut: the head knows more entries than there are."""
    position = placed(write(tmp_path, "known", lines(3)).parent, until=T0 + 10 * STEP)
    path = write(tmp_path, "system", lines(3000, start=T0 + 10 * STEP))
    size = path.stat().st_size
    subprocess.run(["fallocate", "-p", "-o", str(size // 2), "-l", str(size), str(path)], check=True)
    found, entries, _ = gaps_after(tmp_path, position)
    assert 3000 == entries + sum(gap.entries or 0 for gap in found)
    assert {GapReason.MISSING} == {gap.reason for gap in found}


def test_sound_files_hold_nothing_more(tmp_path: Path) -> None:
    """Old ones and new ones, of one numbering and of several, one of them being written."""
    write(tmp_path, "old", lines(50))
    position = placed(tmp_path, until=T0 + 60 * STEP)
    first = write(tmp_path, "first", lines(50, start=T0 + 60 * STEP))
    renumber(write(tmp_path, "second", lines(50, start=T0 + 120 * STEP)), like=first, by=50)
    write(tmp_path, "other", lines(50, start=T0 + 90 * STEP))
    with LiveWriter(tmp_path / "live.journal") as writer:
        writer.say(*lines(50, start=T0 + 200 * STEP))
        with Gathered(follower(tmp_path, position)) as gathered:
            assert ((), 200) == ((found := gathered.until(entries=200)).gaps, found.entries)


def test_first_start_looks_for_nothing(tmp_path: Path) -> None:
    """All that is there counts as read."""
    damage(write(tmp_path, "system", lines(21)), after=9)
    assert ((), 0) == gaps_after(tmp_path, None)[:2]


@pytest.mark.parametrize(("age", "expected"), [(SECOND, []), (3 * SECOND, [12])])
def test_file_that_is_just_being_written(tmp_path: Path, age: int, expected: list[int]) -> None:
    """Its writer counts an entry before it can be read."""
    write(tmp_path, "known", lines(3))
    position = placed(tmp_path, until=T0 + 5 * STEP)
    path = write(tmp_path, "system", lines(21, start=T0 + 10 * STEP))
    damage(path, after=9)
    change(path, STATE, bytes([ONLINE]))
    with Gathered(follower(tmp_path, position, now=T0 + 30 * STEP + age)) as gathered:
        assert expected == [gap.entries for gap in gathered.to_tail().gaps]


def test_head_that_is_damaged_itself(tmp_path: Path) -> None:
    """It is not believed how many are missing, only that there are some."""
    write(tmp_path, "known", lines(3))
    position = placed(tmp_path, until=T0 + 5 * STEP)
    change(write(tmp_path, "system", lines(21, start=T0 + 10 * STEP)), TAIL_NUMBER, (1 << 60).to_bytes(8, "little"))
    found, entries, _ = gaps_after(tmp_path, position)
    assert ([None], 21) == ([gap.entries for gap in found], entries)


def test_what_is_no_journal_file(tmp_path: Path) -> None:
    """Empty, short, or of another kind: it tells nothing, and hinders nothing."""
    write(tmp_path, "known", lines(3))
    position = placed(tmp_path, until=T0 + 5 * STEP)
    for name, data in (("empty", b""), ("short", b"LPKSHHRH"), ("other", b"x" * 4096)):
        (tmp_path / f"{name}.journal").write_bytes(data)
    (tmp_path / "folder.journal").mkdir()
    assert ((), 0) == gaps_after(tmp_path, position)[:2]


def test_files_that_the_reader_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a namespace or of another machine lie beside ours, and their numbers are no concern of ours."""
    monkeypatch.setattr(folders, "MACHINE", (str(tmp_path / "log"),))
    ours, theirs = tmp_path / "log" / ("a" * 32), tmp_path / "log" / ("a" * 32 + ".other")
    ours.mkdir(parents=True)
    damage(write(ours, "system", lines(21)), after=9)
    write(theirs, "system", lines(500))
    reader = open_reader(ours)
    found = ends_lost(reader, Source(), since=Usec(T0), known={}, now=None)
    reader.close()
    assert [(21, 12)] == [(lost.number, lost.gap.entries) for lost in found]


def test_machine_counts_all_entries_with_one_counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So only its last number can be one that no other tells of."""
    monkeypatch.setattr(folders, "MACHINE", (str(tmp_path),))
    first = write(tmp_path, "system", lines(21))
    damage(first, after=9)
    user = write(tmp_path, "user-1000", lines(5, start=T0 + 30 * STEP))
    change(user, TAIL_NUMBER, (26).to_bytes(8, "little"))
    reader = open_reader(tmp_path)
    found = ends_lost(reader, Source(), since=Usec(T0), known={}, now=None)
    reader.close()
    assert [26] == [lost.number for lost in found]


def test_end_that_can_not_be_sought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what is missing then, and reading goes on."""
    write(tmp_path, "known", lines(3))
    position = placed(tmp_path, until=T0 + 5 * STEP)
    write(tmp_path, "system", lines(21, start=T0 + 10 * STEP))

    def fails(*_: object) -> None:
        raise OSError(74, "Bad message")

    monkeypatch.setattr(tails, "last_by_number", fails)
    found, entries, _ = gaps_after(tmp_path, position)
    assert ([(T0 + 10 * STEP, T0 + 30 * STEP, None)], 21) == (
        [(gap.since, gap.until, gap.entries) for gap in found],
        entries,
    )
