from __future__ import annotations

import random
from pathlib import Path

import pytest
from systemd._reader import _Reader

from tests.journal.written import JOB, STEP, T0, Line, counted, lines, renumber, write
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.journal import follow
from watcher.journal.batch import CAREFUL_ENTRIES
from watcher.journal.extent import read_extent
from watcher.journal.opening import JournalError
from watcher.journal.reading import Reading, joined
from watcher.journal.source import Source


def read(directory: Path, *, since: int = 0, until: int | None = None) -> Reading:
    """The whole extent as one reading."""
    source = Source(directory=str(directory))
    first, *rest = read_extent(source, [JOB], since=Usec(since), until=None if until is None else Usec(until))
    for further in rest:
        first = joined(first, further)
    return first


def jobs_entries(reading: Reading) -> int:
    return sum(tally.entries for tally in reading.tallies)


def test_all_of_a_journal(tmp_path: Path) -> None:
    """Every entry is counted and every error matched, as journalctl has it."""
    write(tmp_path, "system", lines(9000))
    reading = read(tmp_path)
    assert counted(tmp_path) == reading.entries
    assert counted(tmp_path, "-u", "import") == jobs_entries(reading)
    assert 900 == len(reading.found)
    assert T0 + 8999 * STEP == reading.last_entry_at


@pytest.mark.parametrize("count", [0, 1, 2, 499, 500, 501, 511, 512, 513, 4095, 4096, 4097, 8192])
def test_end_is_exact(tmp_path: Path, count: int) -> None:
    """The entry at `until` is not counted, the one before it is, wherever batches end."""
    write(tmp_path, "system", lines(8300, errors=0))
    since = T0 + 50 * STEP
    reading = read(tmp_path, since=since, until=since + count * STEP)
    assert count == reading.entries == jobs_entries(reading)
    assert since + count * STEP == reading.read_until


def test_between_two_instants(tmp_path: Path) -> None:
    """Instants that no entry has work the same; journalctl agrees."""
    write(tmp_path, "system", lines(3000))
    since, until = T0 + SECOND // 2 + 1, T0 + 2 * SECOND + 999
    span = ("--since", f"@{since / SECOND:.6f}", "--until", f"@{until / SECOND:.6f}")
    assert counted(tmp_path, *span) == read(tmp_path, since=since, until=until).entries


def test_empty_directory(tmp_path: Path) -> None:
    """No entries, no gap, and nothing seen."""
    reading = read(tmp_path, until=T0)
    assert (0, (), False) == (reading.entries, reading.gaps, reading.visible)


def test_missing_directory(tmp_path: Path) -> None:
    """A directory that isn't there is an error with its name and the reason."""
    with pytest.raises(JournalError, match=r"journal directory .*nowhere: No such file or directory"):
        read(tmp_path / "nowhere")


def test_unreadable_place(tmp_path: Path) -> None:
    """A file where a directory should be is an error too."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="Not a directory"):
        read(tmp_path / "file")


def test_archived_files_are_one_stream(tmp_path: Path) -> None:
    """Files of one directory after each other: all entries, in order, no gap."""
    for part in range(5):
        write(tmp_path, f"part{part}", lines(1300, start=T0 + part * 1300 * STEP))
    reading = read(tmp_path)
    assert counted(tmp_path) == reading.entries == 6500
    assert () == reading.gaps
    assert sorted(match.at for match in reading.found) == [match.at for match in reading.found]


def test_writers_that_take_turns(tmp_path: Path) -> None:
    """Files that count each for itself and whose entries alternate have no false gap."""
    for part in range(3):
        write(tmp_path, f"writer{part}", lines(3000, start=T0 + part * 7, step=STEP + part))
    reading = read(tmp_path)
    assert counted(tmp_path) == reading.entries == 9000
    assert () == reading.gaps


def test_entries_that_are_gone(tmp_path: Path) -> None:
    """A hole in the numbers is a gap of exactly that size, between the instants of its neighbours."""
    old = write(tmp_path, "old", lines(1000))
    new = write(tmp_path, "new", lines(1000, start=T0 + 3000 * STEP))
    renumber(new, like=old, by=3000)
    reading = read(tmp_path)
    expected = Gap(reason=GapReason.MISSING, since=Usec(T0 + 999 * STEP), until=Usec(T0 + 3000 * STEP), entries=2000)
    assert (expected,) == reading.gaps
    assert counted(tmp_path) == reading.entries == 2000


def test_archived_file_that_goes_on(tmp_path: Path) -> None:
    """A file that goes on with the numbers of the one before leaves no gap."""
    old = write(tmp_path, "old", lines(1000))
    renumber(write(tmp_path, "new", lines(1000, start=T0 + 1000 * STEP)), like=old, by=1000)
    assert (2000, ()) == (read(tmp_path).entries, read(tmp_path).gaps)


@pytest.mark.parametrize("seed", range(8))
def test_fast_reading_equals_careful_reading(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the files look like, batches read fast bring what reading entry by entry brings."""
    chance = random.Random(seed)
    for part in range(chance.randint(1, 4)):
        at, entries = T0 + chance.randint(0, 1000), []
        for k in range(chance.randint(1, 3000)):
            at += chance.choice([0, 1, 50, STEP])
            text = chance.choice(["fine", f"error {k}", "another error", None])
            entries.append(Line(at=at, message=text, unit=chance.choice(["import.service", "other.service"])))
        write(tmp_path, f"part{part}", entries)
    fast = read(tmp_path)
    monkeypatch.setattr(follow, "FAST_ENTRIES", 7)
    short = read(tmp_path)
    monkeypatch.setattr(follow.Follower, "_is_fast", lambda *_: False)
    careful = read(tmp_path)
    assert careful == fast == short
    assert counted(tmp_path, "-u", "import") == jobs_entries(fast)


class Stepping(_Reader):
    """Counts its steps."""

    steps = 0

    def _next(self, skip: int = 1, /) -> bool:
        Stepping.steps += 1
        return super()._next(skip)


@pytest.mark.parametrize("count", [400, 4500, 9000])
def test_hardly_an_entry_is_read_twice(tmp_path: Path, count: int) -> None:
    """The end of a range in the middle of a journal costs a few steps, not another batch."""
    write(tmp_path, "system", lines(12_000, errors=0))
    Stepping.steps = 0
    source, until = Source(directory=str(tmp_path)), Usec(T0 + count * STEP)
    readings = list(read_extent(source, [JOB], since=T0, until=until, make=Stepping))
    assert count == sum(reading.entries for reading in readings)
    assert count + CAREFUL_ENTRIES + 50 > Stepping.steps


@pytest.mark.parametrize("stop", [0, 1, 60, 500, 4096, 5000])
def test_a_stop_on_the_way(tmp_path: Path, stop: int) -> None:
    """A reading ends right there, and the next one goes on with the entry at that instant."""
    write(tmp_path, "system", lines(6000))
    source, at = Source(directory=str(tmp_path)), Usec(T0 + stop * STEP)
    readings = list(read_extent(source, [JOB], since=T0, until=Usec(T0 + 5500 * STEP), stop=at))
    before = [one for one in readings if one.last_entry_at is not None and one.last_entry_at < at]
    assert (stop, 5500) == (sum(one.entries for one in before), sum(one.entries for one in readings))
    assert 550 == sum(len(one.found) for one in readings)
