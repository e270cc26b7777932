from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from systemd._reader import _Reader

from tests.journal.gathered import Gathered, now
from tests.journal.written import JOB, STEP, T0, Line, LiveWriter, counted, cursors, eventually, lines, renumber, write
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.found import Match
from watcher.journal.follow import Follower
from watcher.journal.opening import JournalError, MakeReader
from watcher.journal.position import Position, instant_of, number_of, parse_cursor, realtime_of
from watcher.journal.source import Source


class Reader(Gathered):
    """A follower of one directory, closed at the end, with everything that it has brought."""

    def __init__(self, directory: Path, position: str | None = None, *, make: MakeReader = _Reader) -> None:
        source = Source(directory=str(directory))
        self.follower = Follower(source, [JOB], position=position, clock=now, make=make)
        super().__init__(self.follower)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "journal"
    place.mkdir()
    return place


def position_at(directory: Path, index: int, **more: object) -> Position:
    """The position after the entry with this index of a single file."""
    known = cursors(directory)
    sequence, number = number_of(known[index])
    same = sum(instant_of(cursor) == instant_of(known[index]) for cursor in known[: index + 1])
    data = {"cursor": known[index], "consumed": same, "last": number, "lasts": ((sequence, number),)} | more
    return Position(**data)  # type: ignore[arg-type]  # test data


# ------------------------------------------------------------------------------------------------------ first start


def test_first_start_counts_nothing_old(directory: Path) -> None:
    """A first start stands at the tail: no old entry, a position at once, and the next entry is seen."""
    write(directory, "old", lines(2000))
    with Reader(directory) as reader:
        first = reader.to_tail()
        assert (0, (), True) == (first.entries, first.gaps, first.visible)
        assert cursors(directory)[-1] == Position.from_text(first.position or "").cursor
        write(directory, "old", lines(1, start=T0 + 2000 * STEP))
        assert 1 == reader.until(1).entries


def test_first_start_in_an_empty_journal(directory: Path) -> None:
    """Where nothing is yet, the very first entry is seen."""
    with Reader(directory) as reader:
        assert (0, False) == (reader.to_tail().entries, reader.to_tail().visible)
        write(directory, "new", lines(3))
        assert 3 == reader.until(3).entries
        assert () == reader.to_tail().gaps


def test_restart_before_the_first_entry(directory: Path) -> None:
    """The position of an empty journal is kept: what comes while nobody reads is seen afterwards."""
    with Reader(directory) as reader:
        position = reader.to_tail().position
    assert position is not None
    write(directory, "new", lines(3))
    with Reader(directory, position) as reader:
        assert (3, ()) == (reader.to_tail().entries, reader.to_tail().gaps)


def test_directory_that_comes_later(tmp_path: Path) -> None:
    """A missing directory is an error with its reason; once there, its later entries are seen, its old ones not."""
    with Reader(tmp_path / "late") as reader:
        for _ in range(3):
            with pytest.raises(JournalError, match="late: No such file or directory"):
                reader.step()
        write(tmp_path / "late", "old", lines(5))
        write(tmp_path / "late", "new", [Line(at=now(), message="error 1"), Line(at=now() + 1)])
        assert (2, 1) == (reader.to_tail().entries, len(reader.to_tail().found))


def test_journal_in_use_from_the_tail(directory: Path) -> None:
    """Entries are seen as they come, each once, in order."""
    with LiveWriter(directory / "live.journal") as writer, Reader(directory) as reader:
        reader.to_tail()
        for k in range(50):
            writer.tell(f"error {k}")
            assert k + 1 == reader.until(k + 1).entries
        assert 50 == len(reader.to_tail().found)
        assert now() - 2 * SECOND < reader.to_tail().read_until < now()


# ----------------------------------------------------------------------------------------------------------- resume


@pytest.mark.parametrize("index", [0, 1, 511, 512, 1000, 2998, 2999])
def test_resume_after_an_entry(directory: Path, index: int) -> None:
    """The saved entry is not counted again, the next one is, also at both ends."""
    write(directory, "system", lines(3000))
    with Reader(directory, position_at(directory, index).to_text()) as reader:
        assert (2999 - index, ()) == (reader.to_tail().entries, reader.to_tail().gaps)


def test_every_batch_can_be_resumed(directory: Path) -> None:
    """Restarted after each batch, with the position of that batch, nothing is lost or counted twice."""
    write(directory, "one", lines(6000, step=3))
    write(directory, "two", lines(3000, start=T0 + 1, step=5))
    position, total = Position(cursor="").to_text(), 0
    while True:
        with Reader(directory, position) as reader:
            reading = reader.step()
            total += reading.entries
            assert () == reading.gaps
            position = reading.position or position
            if reading.at_tail:
                break
    assert counted(directory) == total == 9000


@pytest.mark.parametrize("consumed", [1, 3, 5, 6])
def test_lines_of_one_instant(directory: Path, consumed: int) -> None:
    """Six identical lines of one write, the reader killed after some: the others are counted, once."""
    six = [Line(at=T0 + 10 * STEP, message="error same")] * 6
    write(directory, "system", [*lines(10), *six, *lines(4, start=T0 + 20 * STEP)])
    with Reader(directory, position_at(directory, 9 + consumed).to_text()) as reader:
        assert (6 - consumed + 4, ()) == (reader.to_tail().entries, reader.to_tail().gaps)


@pytest.mark.parametrize("consumed", [1, 3, 6])
def test_lines_of_one_instant_renumbered(directory: Path, consumed: int) -> None:
    """A flush gave the entries other numbers: the saved one is found by its instant and by how many were consumed."""
    six = [Line(at=T0 + 10 * STEP, message="error same")] * 6
    path = write(directory, "system", [*lines(10), *six, *lines(4, start=T0 + 20 * STEP)])
    position = position_at(directory, 9 + consumed)
    renumber(path, like=path, by=1)
    with Reader(directory, position.to_text()) as reader:
        assert (6 - consumed + 4, ()) == (reader.to_tail().entries, reader.to_tail().gaps)


def test_batch_within_one_instant_counts_its_share(directory: Path) -> None:
    """The position knows how many of its instant are consumed, over batches of any kind."""
    write(directory, "system", [Line(at=T0, message="fine")] * 9000)
    position = Position(cursor="").to_text()
    with Reader(directory, position) as reader:
        seen = 0
        for _ in range(4):
            reading = reader.step()
            seen += reading.entries
            assert seen == Position.from_text(reading.position or "").consumed


def test_entry_that_vanished(directory: Path) -> None:
    """The saved entry is gone: that is a gap of known size, and the entry landed on is counted."""
    old = write(directory, "old", lines(100))
    new = write(directory, "new", lines(50, start=T0 + 150 * STEP))
    renumber(new, like=old, by=150)
    position = position_at(directory, 89)
    old.unlink()
    with Reader(directory, position.to_text()) as reader:
        expected = Gap(reason=GapReason.CURSOR, since=Usec(T0 + 89 * STEP), until=Usec(T0 + 150 * STEP), entries=60)
        assert (50, (expected,)) == (reader.to_tail().entries, reader.to_tail().gaps)


def test_position_ahead_of_the_journal(directory: Path) -> None:
    """The end of the journal was lost: a gap, nothing counted again, and the next entries are seen."""
    old = write(directory, "old", lines(100))
    new = write(directory, "new", lines(50, start=T0 + 100 * STEP))
    renumber(new, like=old, by=100)
    position = position_at(directory, 149)
    new.unlink()
    with Reader(directory, position.to_text()) as reader:
        assert 0 == reader.to_tail().entries
        assert [GapReason.CURSOR] == [gap.reason for gap in reader.to_tail().gaps]
        write(directory, "other", lines(5, start=T0 + 300 * STEP))
        assert (5, 1) == (reader.until(5).entries, len(reader.to_tail().gaps))


def test_journal_that_was_wiped(directory: Path) -> None:
    """Another journal, older than the position: read from its head, with a gap."""
    old = write(directory, "old", lines(10, start=T0 + SECOND))
    position = position_at(directory, 9)
    old.unlink()
    write(directory, "new", lines(7))
    with Reader(directory, position.to_text()) as reader:
        assert (7, [GapReason.CURSOR]) == (reader.to_tail().entries, [gap.reason for gap in reader.to_tail().gaps])


def test_head_is_not_long_ago(directory: Path) -> None:
    """A lost position doesn't bring back years: a week before the newest entry is the farthest."""
    week = 7 * 24 * 3600 * SECOND
    write(directory, "system", [*lines(10, start=T0 - 2 * week), *lines(4, start=T0 - week), *lines(2)])
    with Reader(directory, "garbage") as reader:
        assert 5 == reader.to_tail().entries


@pytest.mark.parametrize("text", ["", "garbage", '{"v":1}', "\x00"])
def test_position_that_is_garbage(directory: Path, text: str) -> None:
    """No crash and no end: a gap, and reading goes on from the head."""
    write(directory, "system", lines(20))
    with Reader(directory, text) as reader:
        assert (20, [GapReason.CURSOR]) == (reader.to_tail().entries, [gap.reason for gap in reader.to_tail().gaps])


def test_position_of_another_machine(directory: Path, tmp_path: Path) -> None:
    """Nothing of a foreign cursor is known here but its realtime: a gap there, and on."""
    write(tmp_path / "foreign", "system", lines(30, boot="b" * 32))
    position = position_at(tmp_path / "foreign", 9)
    write(directory, "system", lines(20, start=T0 + 5))
    with Reader(directory, position.to_text()) as reader:
        assert (11, [GapReason.CURSOR]) == (reader.to_tail().entries, [gap.reason for gap in reader.to_tail().gaps])


def test_cursor_that_the_library_refuses(directory: Path) -> None:
    """Well-formed for us, but no cursor for libsystemd: the same as garbage."""
    write(directory, "system", lines(20))
    position = Position(cursor="s=xx;i=1;b=yy;m=1;t=1;x=1", consumed=1)
    with Reader(directory, position.to_text()) as reader:
        assert (20, [GapReason.CURSOR]) == (reader.to_tail().entries, [gap.reason for gap in reader.to_tail().gaps])


# ------------------------------------------------------------------------------------------ holes, errors, half lines


class HidingReader(_Reader):
    """A real reader with the fault of a live one: an entry that was stored a moment too late is passed at first.

    Only a seek lets it show, as the library then looks into every file again; `times` seeks in all are in vain.
    """

    number = 0
    times = 0
    seeks = 0

    def seek_cursor(self, cursor: str, /) -> None:
        type(self).seeks += 1
        super().seek_cursor(cursor)

    def seek_head(self) -> None:
        type(self).seeks += 1
        super().seek_head()

    def _next(self, skip: int = 1, /) -> bool:
        found = super()._next(skip)
        if found and self.seeks <= self.times and number_of(self._get_cursor())[1] == self.number:
            return super()._next(skip)
        return found


def hiding(*, number: int, times: int) -> type[HidingReader]:
    return type("Hiding", (HidingReader,), {"number": number, "times": times, "seeks": 0})


@pytest.mark.parametrize("count", [30, 3000])
@pytest.mark.parametrize("number", [2, 3, 17, 29])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_entry_that_the_library_passed(directory: Path, count: int, number: int, times: int) -> None:
    """The hole is noticed, read again and closed: nothing lost, nothing twice, no gap."""
    write(directory, "system", lines(count))
    position = position_at(directory, 0).to_text()
    with Reader(directory, position, make=hiding(number=number, times=times)) as reader:
        assert (count - 1, ()) == (reader.to_tail().entries, reader.to_tail().gaps)
        found = [one for one in reader.to_tail().found if isinstance(one, Match)]
        assert len(found) == len({match.cursor for match in found})


def test_entry_that_stays_hidden(directory: Path) -> None:
    """After three tries in vain the hole is a gap of one, and the rest is counted once."""
    write(directory, "system", lines(30))
    position = position_at(directory, 0).to_text()
    with Reader(directory, position, make=hiding(number=17, times=99)) as reader:
        expected = Gap(reason=GapReason.MISSING, since=Usec(T0 + 15 * STEP), until=Usec(T0 + 17 * STEP), entries=1)
        assert (28, (expected,)) == (reader.to_tail().entries, reader.to_tail().gaps)


class BrokenReader(_Reader):
    """A real reader that can't get past one entry, as where a file is damaged; `times` limits how often."""

    number = 0
    times = 0
    refusals = 0

    def _next(self, skip: int = 1, /) -> bool:
        found = super()._next(skip)
        if found and self.refusals < self.times and number_of(self._get_cursor())[1] == self.number:
            type(self).refusals += 1
            raise OSError(errno.EBADMSG, "Bad message")
        return found


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_error_that_goes_away(directory: Path, times: int) -> None:
    """Taken in again, opened again: the same entries, once, and no gap."""
    write(directory, "system", lines(2000))
    make = type("Broken", (BrokenReader,), {"number": 1200, "times": times, "refusals": 0})
    with Reader(directory, position_at(directory, 0).to_text(), make=make) as reader:
        troubles = [read_on(reader) for _ in range(20)]
        assert reader.all is not None
        assert (1999, ()) == (reader.all.entries, reader.all.gaps)
        assert troubles.count(True) <= 1


def test_error_that_stays(directory: Path) -> None:
    """The place is passed in the end, as a gap of just that entry; its neighbours are counted."""
    write(directory, "system", lines(2000))
    make = type("Broken", (BrokenReader,), {"number": 1200, "times": 10**6, "refusals": 0})
    with Reader(directory, position_at(directory, 0).to_text(), make=make) as reader:
        for _ in range(20):
            read_on(reader)
        assert reader.all is not None
        expected = Gap(
            reason=GapReason.UNREADABLE, since=Usec(T0 + 1198 * STEP), until=Usec(T0 + 1200 * STEP), entries=1
        )
        assert (2000 - 1 - 1, (expected,)) == (reader.all.entries, reader.all.gaps)


def read_on(reader: Reader) -> bool:
    """One step; whether it brought trouble."""
    try:
        reader.step()
    except JournalError:
        return True
    return False


def test_entry_read_while_it_is_written(directory: Path) -> None:
    """A young entry without MESSAGE is left for the next step; then it is counted as it is."""
    with LiveWriter(directory / "live.journal") as writer, Reader(directory) as reader:
        reader.to_tail()
        writer.say(Line(at=now(), message="error 1"), Line(at=now() + 1, message=None))
        waiting: list[int] = []

        def took_both() -> bool:
            waiting.append(reader.step().entries)
            return sum(waiting) == 2

        eventually(took_both)
        assert [1, 1] == [entries for entries in waiting if entries]
        assert 1 == len(reader.to_tail().found)


def test_file_that_appears(directory: Path) -> None:
    """A new file of the directory is followed, as after a rotation."""
    with Reader(directory) as reader:
        reader.to_tail()
        for part in range(4):
            write(directory, f"part{part}", lines(10, start=T0 + part * 10 * STEP))
            assert 10 * (part + 1) == reader.until(10 * (part + 1)).entries
        assert () == reader.to_tail().gaps


class DeafReader(_Reader):
    """A real reader on a machine without inotify watches left: it never hears of a new file."""

    def process(self) -> int:
        return 0


def test_file_that_nobody_tells_of(directory: Path) -> None:
    """Without inotify a new file is found all the same, a moment later."""
    write(directory, "old", lines(10))
    with Reader(directory, make=DeafReader) as reader:
        reader.to_tail()
        write(directory, "new", lines(10, start=T0 + 10 * STEP))
        assert (10, ()) == (reader.until(10).entries, reader.to_tail().gaps)


def test_directory_that_is_made_anew(directory: Path) -> None:
    """A directory that goes is an error, and one in its place is followed."""
    write(directory, "old", lines(10))
    with Reader(directory) as reader:
        reader.to_tail()
        shutil.rmtree(directory)
        eventually(lambda: read_on(reader))
        write(directory, "new", lines(10, start=T0 + 10 * STEP))
        assert 10 == reader.until(10).entries


def test_position_is_exact(directory: Path) -> None:
    """The position names the last entry, with its number."""
    write(directory, "system", lines(700))
    with Reader(directory, Position(cursor="").to_text()) as reader:
        position = Position.from_text(reader.to_tail().position or "")
    last = parse_cursor(cursors(directory)[-1])
    assert (cursors(directory)[-1], 1, last.number) == (position.cursor, position.consumed, position.last)
    assert ((last.sequence, last.number),) == position.lasts
    assert last.realtime == realtime_of(position.cursor)


def test_a_caught_up_reader_lets_its_maps_go(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long catch-up the files are closed once, and the next entry is read like any other."""
    monkeypatch.setattr("watcher.journal.hold.MOST_MAPPED", 1000)
    with LiveWriter(directory / "live.journal") as writer, Reader(directory) as reader:
        reader.to_tail()
        writer.say(*lines(1500, start=now(), errors=0))
        descriptors: list[tuple[int, ...]] = []

        def caught_up() -> bool:
            reader.step()
            descriptors.append(reader.follower.descriptors())
            return () in descriptors and reader.all is not None and reader.all.entries == 1500

        eventually(caught_up)
        writer.say(Line(at=now(), message="error afterwards"))
        assert (1501, 1) == (reader.until(1501).entries, len(reader.to_tail().found))
        assert () != reader.follower.descriptors()
