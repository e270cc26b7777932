from __future__ import annotations

import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systemd._reader import _Reader

from tests.journal.gathered import Gathered, now
from tests.journal.written import JOB, STEP, Line, LiveWriter, counted, eventually, renumber, write
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import HOUR, MINUTE, SECOND, Usec
from watcher.core.found import TALLY_WIDTH
from watcher.journal.follow import Follower
from watcher.journal.hosts import MOST_HOSTS, Hosts
from watcher.journal.opening import JournalError, MakeReader
from watcher.journal.position import Position
from watcher.journal.reading import Reading
from watcher.journal.sheaf import MOST_FOUND
from watcher.journal.source import Source
from watcher.journal.spread import Spread

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


def said(host: str | None, at: int, message: str = "fine") -> Line:
    """One entry of a host, each of which has a boot of its own."""
    return Line(at=at, message=message, host=host, boot=host or "0" * 32)


def errors(host: str | None, at: int, count: int, *, step: int = STEP) -> list[Line]:
    return [said(host, at + k * step, f"error {k}") for k in range(count)]


class Reader(Gathered):
    """The hosts of one directory, with everything that was read of them; the clock can be put forward."""

    def __init__(self, directory: Path, position: str | None = None, *, make: MakeReader = _Reader) -> None:
        self.ahead = 0
        self.source = Source(directory=str(directory))
        self.hosts = Hosts(self.source, [JOB], position=position, clock=lambda: now() + self.ahead, make=make)
        super().__init__(self.hosts)

    @property
    def position(self) -> str:
        assert self.all is not None
        assert self.all.position is not None
        return self.all.position

    def look(self) -> Reading:
        """As when the time has come to look whether there are other files and hosts."""
        self.ahead += 3 * SECOND
        return self.to_tail()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "journal"
    place.mkdir()
    return place


def two(directory: Path, at: int, count: int = 5) -> None:
    """A file of each of two hosts."""
    write(directory, "a", errors(A, at, count))
    write(directory, "b", errors(B, at, count))


def first_start(directory: Path) -> str:
    """The position of a first start: all that is there is old."""
    with Reader(directory) as reader:
        reader.to_tail()
        return reader.position


# ---------------------------------------------------------------------------------------------------- late entries


@pytest.mark.parametrize("late", [SECOND, 5 * SECOND, 10 * MINUTE, 3 * HOUR])
def test_late_entries_of_a_second_host(directory: Path, late: int) -> None:
    """What comes from one host with an earlier time than what was read of another is seen, each entry once."""
    two(directory, now() - 5 * HOUR)
    with (
        Reader(directory) as reader,
        LiveWriter(directory / "a.journal") as a,
        LiveWriter(directory / "b.journal") as b,
    ):
        assert 0 == reader.to_tail().entries
        for k in range(5):
            a.say(said(A, now(), "error a"))
            reader.until(2 * k + 1)
            b.say(said(B, now() - late, "error b"))
            reader.until(2 * k + 2)
        whole = reader.to_tail()
        assert (10, 10, ()) == (whole.entries, len(whole.found), whole.gaps)
        assert counted(directory) == 10 + whole.entries


def test_one_reader_for_both_misses_them(directory: Path) -> None:
    """The fault itself: it is there without a follower for each host."""
    two(directory, now() - 5 * HOUR)
    with LiveWriter(directory / "a.journal") as a, LiveWriter(directory / "b.journal") as b:
        follower = Follower(Source(directory=str(directory)), [JOB], clock=now)
        follower.step()
        a.say(said(A, now()))
        eventually(lambda: follower.step().entries == 1)
        b.say(said(B, now() - MINUTE))
        eventually(lambda: counted(directory) == 12)
        assert 0 == sum(follower.step().entries for _ in range(5))
        follower.close()


def test_how_far_was_read_is_what_each_host_was_read_to(directory: Path) -> None:
    """A host with a backlog holds the others' word back, so that no window closes over what is still to come."""
    at = now() - HOUR
    two(directory, at)
    position = first_start(directory)
    write(directory, "a", errors(A, at + MINUTE, 9000))
    write(directory, "b", errors(B, at + 30 * MINUTE, 2))
    with Reader(directory, position) as reader:
        untils = []
        while not (reading := reader.step()).at_tail:
            untils.append(reading.read_until)
        assert len(untils) > 3
        assert max(untils) < at + 2 * MINUTE
        eventually(lambda: reader.step().read_until > now() - 3 * SECOND)


# ---------------------------------------------------------------------------------------------- one, then several


class Noting(_Reader):
    """Tells which matches were asked for."""

    matches: ClassVar[Counter[bytes]] = Counter()

    def add_match(self, match: bytes, /) -> None:
        self.matches[match] += 1
        super().add_match(match)


@pytest.mark.parametrize("host", [A, None])
def test_directory_of_one_host_is_read_plainly(directory: Path, host: str | None) -> None:
    """One host, or none that is named, costs nothing more than before: no match, one reader, the old position."""
    Noting.matches.clear()
    write(directory, "a", errors(host, now() - HOUR, 20))
    with Reader(directory, Position(cursor="").to_text(), make=Noting) as reader:
        assert 20 == reader.look().entries
        assert 20 == Position.from_text(reader.position).last
        assert 1 == reader.hosts.breadth
        assert 1 == len(reader.hosts.descriptors())
    assert not Noting.matches


def test_second_host_appears(directory: Path) -> None:
    """It is read from when the watching began: late entries since then are seen, older ones not, and nothing twice."""
    began = now() - 20 * MINUTE
    write(directory, "a", errors(A, began, 20))
    position = Position.from_text(_plain(directory))
    start = replace(position, began=Usec(began)).to_text()
    with Reader(directory, start) as reader:
        assert 0 == reader.to_tail().entries
        write(directory, "a", errors(A, now() - SECOND, 3))
        reader.until(3)
        write(
            directory, "b", [*errors(B, began - 30 * MINUTE, 7), *errors(B, began + MINUTE, 4), said(B, now(), "error")]
        )
        assert 8 == reader.look().entries
        assert 2 == reader.hosts.breadth
        assert () == reader.to_tail().gaps
        assert {A, B} == {place.host for place in Spread.from_text(reader.position).places}


def _plain(directory: Path) -> str:
    """The position of a single follower of all, as an earlier version stored it, at the end of what is there."""
    follower = Follower(Source(directory=str(directory)), [JOB], clock=now, position=Position(cursor="").to_text())
    position = ""
    while not (reading := follower.step()).at_tail or reading.position:
        position = reading.position or position
    follower.close()
    return position


def test_second_host_of_long_ago_is_not_read(directory: Path) -> None:
    """Years of history are not what happens now, however old the state is."""
    write(directory, "a", errors(A, now() - HOUR, 3))
    start = replace(Position.from_text(_plain(directory)), began=Usec(0)).to_text()
    with Reader(directory, start) as reader:
        reader.to_tail()
        write(directory, "b", [*errors(B, now() - 8 * 24 * HOUR, 50), *errors(B, now() - 6 * 24 * HOUR, 5)])
        assert (5, ()) == (reader.look().entries, reader.to_tail().gaps)


def test_second_host_in_a_file_that_was_empty(directory: Path) -> None:
    """Its very first entries are recognised before one of them is taken."""
    write(directory, "a", errors(A, now() - HOUR, 3))
    with (
        Reader(directory) as reader,
        LiveWriter(directory / "a.journal") as a,
        LiveWriter(directory / "b.journal") as b,
    ):
        reader.to_tail()
        a.say(said(A, now()))
        reader.until(1)
        b.say(said(B, now()), said(B, now() + 1))
        reader.until(3)
        b.say(said(B, now() - MINUTE))
        reader.until(4)
        a.say(said(A, now()))
        assert (5, ()) == (reader.until(5).entries, reader.to_tail().gaps)
        assert counted(directory) == 3 + 5


def test_position_of_one_reader_for_both(directory: Path) -> None:
    """A position of an earlier version, which read all hosts with one reader, goes on: nothing lost, nothing twice."""
    at = now() - HOUR
    write(directory, "a", errors(A, at, 20))
    write(directory, "b", errors(B, at + 7 * STEP, 5))
    write(directory, "c", errors(C, at + 3 * STEP, 2))
    old = _plain(directory)
    write(directory, "b", errors(B, at + 8 * STEP, 6))
    write(directory, "a", errors(A, at + MINUTE, 4))
    with Reader(directory, old) as reader:
        assert (10, ()) == (reader.to_tail().entries, reader.to_tail().gaps)
        assert 3 == reader.hosts.breadth


@pytest.mark.parametrize("text", ["", '{"v":3,"hosts":[]}', '{"v":2,"began":1,"hosts":[{"host":1}]}'])
def test_position_that_is_none(directory: Path, text: str) -> None:
    """Garbage is a lost place: told for each host, and read again as far back as that goes."""
    two(directory, now() - HOUR)
    with Reader(directory, text) as reader:
        assert 10 == reader.to_tail().entries
        assert [GapReason.CURSOR] * 2 == [gap.reason for gap in reader.to_tail().gaps]


# -------------------------------------------------------------------------------------------------------- restarts


def test_restart_in_the_middle(directory: Path) -> None:
    """From any position of several hosts all that is left is read, whichever host was how far."""
    at = now() - HOUR
    two(directory, at, 3)
    position = first_start(directory)
    write(directory, "a", errors(A, at + MINUTE, 7000))
    write(directory, "b", errors(B, at + SECOND, 3000))
    entries, stops = 0, 0
    while entries < 10_000:
        with Reader(directory, position) as reader:
            reading = reader.step()
            assert () == reading.gaps
            entries, position, stops = entries + reading.entries, reading.position or position, stops + 1
    with Reader(directory, position) as reader:
        assert 0 == reader.to_tail().entries
    assert 10_000 == entries
    assert stops > 3


def test_backlog_of_two_hosts_at_a_start(directory: Path) -> None:
    """From the first batch on it is told how far reading is behind: by where each host stood, not by 1970."""
    at = Usec(now() - HOUR)
    two(directory, at)
    position = first_start(directory)
    write(directory, "a2", errors(A, at + MINUTE, 3000))
    write(directory, "b2", errors(B, at + MINUTE, 3000))
    with Reader(directory, position) as reader:
        first = reader.step()
    assert not first.at_tail
    assert at + 4 * STEP <= first.read_until <= at + MINUTE + 2000 * STEP


def test_each_host_gets_its_turn(directory: Path) -> None:
    """A backlog of one host that is more than goes out at once keeps no other one waiting past its time."""
    at = now() - HOUR
    two(directory, at)
    position = first_start(directory)
    write(directory, "a", errors(A, at + MINUTE, 20_000))
    write(directory, "b", errors(B, at + MINUTE, 3))
    seen = []
    with Reader(directory, position) as reader:
        for _ in range(2):
            reading = reader.step()
            assert len(reading.found) <= MOST_FOUND + 1000
            seen += [found for found in reading.found if B in found.cursor]
    assert 3 == len(seen)


def in_time(reading: Reading) -> bool:
    instants = [found.at for found in reading.found]
    return instants == sorted(instants)


@pytest.mark.parametrize(("loud", "quiet"), [(3, 4), (900, 700), (1, 1500)])
def test_backlog_of_several_hosts_is_told_in_the_order_of_time(directory: Path, loud: int, quiet: int) -> None:
    """What came while nobody read is one reading, as one reader of all would have it, whoever wrote how much."""
    at = now() - HOUR
    two(directory, at)
    position = first_start(directory)
    write(directory, "a", errors(A, at + MINUTE + 7, loud, step=2 * SECOND // loud))
    write(directory, "b", errors(B, at + MINUTE, quiet, step=2 * SECOND // quiet))
    with Reader(directory, position) as reader:
        first = reader.step()
        assert (loud + quiet, loud + quiet, True) == (first.entries, len(first.found), first.at_tail)
        assert in_time(first)
        assert {A, B} == {found.cursor.split(";b=")[1][:32] for found in first.found[:2]}
        assert loud + quiet == sum(tally.entries for tally in first.tallies)
        assert all(tally.last_at - tally.first_at < TALLY_WIDTH for tally in first.tallies)
        position = reader.position
    with Reader(directory, position) as reader:
        assert 0 == reader.to_tail().entries


def test_backlog_that_is_more_than_goes_out_at_once(directory: Path) -> None:
    """Each reading is in the order of time, and whoever has come least far is read next."""
    at = now() - HOUR
    two(directory, at)
    write(directory, "c", errors(C, at, 5))
    position = first_start(directory)
    for host, name, step in ((A, "a", STEP), (B, "b", 10 * STEP), (C, "c", STEP)):
        write(directory, name, errors(host, at + MINUTE, 3000, step=step))
    with Reader(directory, position) as reader:
        readings = [reader.step()]
        while not readings[-1].at_tail:
            readings.append(reader.step())
    assert len(readings) > 3
    assert all(in_time(reading) and len(reading.found) <= MOST_FOUND + 1000 for reading in readings)
    assert 9000 == sum(len(reading.found) for reading in readings)
    reached = Usec(0)
    for reading in readings:
        behind = [reached - found.at for found in reading.found]
        assert max(behind, default=0) <= 1000 * 10 * STEP
        reached = max([reached, *(found.at for found in reading.found)])


def test_order_of_a_host_whose_clock_went_back(directory: Path) -> None:
    """What one host wrote stays in the order in which it wrote it."""
    at = now() - HOUR
    two(directory, at)
    position = first_start(directory)
    put = [at + MINUTE, at + 2 * MINUTE, at + 90 * SECOND, at + 4 * MINUTE]
    lines = [replace(said(A, one, f"error {k}"), monotonic_at=at + MINUTE + k) for k, one in enumerate(put)]
    write(directory, "a", lines)
    write(directory, "b", [said(B, at + 100 * SECOND, "error b"), said(B, at + 3 * MINUTE, "error b")])
    with Reader(directory, position) as reader:
        whole = reader.to_tail()
    first, early, second, third, late, last = (found.at for found in whole.found)
    assert put == [first, second, third, last]
    assert [at + 100 * SECOND, at + 3 * MINUTE] == [early, late]


Arrival = tuple[str, int, int]
"""Whose, how many, and how late."""


@settings(max_examples=8, deadline=None)
@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from((A, B)), st.integers(1, 40), st.integers(0, 900)), min_size=2, max_size=8
    ),
    restarts=st.sets(st.integers(0, 8)),
)
def test_any_arrivals_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[Arrival], restarts: set[int]
) -> None:
    """However entries of two hosts arrive, and wherever reading stops and goes on, all are read, once."""
    directory = tmp_path_factory.mktemp("hosts")
    at = now() - 2 * HOUR
    two(directory, at, 1)
    with ExitStack() as stack:
        writers = {
            host: stack.enter_context(LiveWriter(directory / f"{name}.journal")) for host, name in ((A, "a"), (B, "b"))
        }
        latest = dict.fromkeys(writers, at + STEP)
        reader = Reader(directory)
        reader.to_tail()
        position, entries, found, gaps = reader.position, 0, 0, 0
        for k, (host, count, late) in enumerate(arrivals):
            start = latest[host] = max(latest[host] + STEP, at + (k + 20) * MINUTE - late * SECOND)
            writers[host].say(*errors(host, start, count))
            latest[host] += count * STEP
            reader.until((reader.all.entries if reader.all else 0) + count)
            if k in restarts:
                whole = reader.to_tail()
                entries, found, gaps = entries + whole.entries, found + len(whole.found), gaps + len(whole.gaps)
                position = whole.position or position
                reader.hosts.close()
                reader = Reader(directory, position)
        whole = reader.to_tail()
        reader.hosts.close()
    assert (counted(directory) - 2, 0) == (entries + whole.entries, gaps + len(whole.gaps))
    assert counted(directory) - 2 == found + len(whole.found)


# ----------------------------------------------------------------------------------------------- files and numbers


def mixed(at: int, count: int) -> list[Line]:
    """Entries of two hosts in turns, and some of the one that follow each other."""
    return [said((A, B, B)[k % 3], at + k * STEP, f"error {k}") for k in range(count)]


def test_both_hosts_in_one_file(directory: Path) -> None:
    """The numbers that one host lacks are the other's: no hole, and none is told."""
    at = now() - HOUR
    write(directory, "both", mixed(at, 9))
    position = first_start(directory)
    write(directory, "both", mixed(at + MINUTE, 3000))
    with Reader(directory, position) as reader:
        assert (3000, ()) == (reader.to_tail().entries, reader.to_tail().gaps)


def test_quiet_host_in_the_file_of_a_loud_one(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many numbers that they are looked at in several goes are no hole either."""
    monkeypatch.setattr("watcher.journal.census.MOST_LOOKED", 100)
    at = now() - HOUR
    write(directory, "both", [said(A, at), said(B, at + 1)])
    position = first_start(directory)
    write(directory, "both", [*errors(A, at + MINUTE, 1000), said(B, at + 2 * MINUTE, "error b")])
    with Reader(directory, position) as reader:
        assert (1001, ()) == (reader.until(1001).entries, reader.to_tail().gaps)


@pytest.mark.parametrize("shared", [True, False])
def test_hole_in_the_numbers(directory: Path, *, shared: bool) -> None:
    """Entries that are in no file are told as missing, also where several hosts share the numbers."""
    at = now() - HOUR
    first = [said(A, at), said(B, at + 1)] if shared else [said(B, at), said(B, at + 1)]
    like = write(directory, "first", first)
    write(directory, "other", [said(C, at)])
    position = first_start(directory)
    path = write(directory, "second", [said(B, at + MINUTE, "error b")])
    renumber(path, like=like, by=7)
    with Reader(directory, position) as reader:
        whole = reader.until(1)
        assert [(GapReason.MISSING, 5)] == [(gap.reason, gap.entries) for gap in whole.gaps]


def test_rotation(directory: Path) -> None:
    """The file of a host is renamed and another one goes on, while the other host is late: all are seen."""
    at = now() - HOUR
    two(directory, at)
    with Reader(directory) as reader:
        reader.to_tail()
        write(directory, "b", errors(B, at + 2 * MINUTE, 10))
        reader.until(10)
        (directory / "b.journal").rename(directory / "b@1.journal")
        path = write(directory.parent / "aside", "b", errors(B, at + 3 * MINUTE, 10))
        renumber(path, like=directory / "b@1.journal", by=15)
        path.rename(directory / "b.journal")
        write(directory, "a", errors(A, at + MINUTE, 10))
        reader.ahead += 3 * SECOND
        assert (30, ()) == (reader.until(30).entries, reader.to_tail().gaps)


def test_files_of_a_host_go_away_and_come_back(directory: Path) -> None:
    """A host that was read to its end may leave: no gap; and when its files are back it goes on where it was."""
    at = now() - HOUR
    two(directory, at)
    with Reader(directory) as reader:
        reader.to_tail()
        write(directory, "b", errors(B, at + MINUTE, 3))
        reader.until(3)
        shutil.move(directory / "b.journal", directory.parent / "b.journal")
        assert (3, ()) == (reader.look().entries, reader.to_tail().gaps)
        assert [True] == [place.is_gone for place in Spread.from_text(reader.position).places if place.host == B]
        write(directory.parent, "b", errors(B, at + 2 * MINUTE, 2))
        position = reader.position
    with Reader(directory, position) as reader:
        reader.to_tail()
        shutil.move(directory.parent / "b.journal", directory / "b.journal")
        assert (2, ()) == (reader.look().entries, reader.to_tail().gaps)


def test_files_of_a_host_are_missed_by_its_own_reader_first(directory: Path) -> None:
    """Whoever notices it first, a place is not given up because nothing is there to look for it in."""
    two(directory, now() - HOUR)
    with Reader(directory) as reader:
        reader.to_tail()
        shutil.move(directory / "b.journal", directory.parent / "b.journal")
        reader.hosts.reopen(_Reader)
        assert (0, ()) == (reader.to_tail().entries, reader.to_tail().gaps)
        shutil.move(directory.parent / "b.journal", directory / "b.journal")
        write(directory, "b", errors(B, now() - MINUTE, 2))
        assert (2, ()) == (reader.look().entries, reader.to_tail().gaps)


def test_files_of_a_host_are_gone_at_the_start(directory: Path) -> None:
    """Nobody knows what else was lost with them: that is a gap, told once."""
    at = now() - HOUR
    two(directory, at)
    position = first_start(directory)
    (directory / "b.journal").unlink()
    with Reader(directory, position) as reader:
        assert [GapReason.CURSOR] == [gap.reason for gap in reader.to_tail().gaps]
        position = reader.position
    with Reader(directory, position) as reader:
        assert () == reader.to_tail().gaps


def test_all_files_are_gone(directory: Path) -> None:
    """A directory without anything of a known host is a trouble, and no place is lost by it."""
    two(directory, now() - HOUR)
    with Reader(directory) as reader:
        reader.to_tail()
        shutil.move(directory, directory.parent / "away")
        directory.mkdir()
        with pytest.raises(JournalError, match="nothing of a known host"):
            reader.look()
        directory.rmdir()
        shutil.move(directory.parent / "away", directory)
        write(directory, "b", errors(B, now() - MINUTE, 2))
        assert (2, ()) == (reader.look().entries, reader.to_tail().gaps)


# ----------------------------------------------------------------------------------------- what is not read, and said


def test_more_hosts_than_are_read(directory: Path) -> None:
    """Beyond the limit the others are still read, and it is said: as trouble with a way out, and as gaps."""
    hosts = [f"{k:032x}" for k in range(MOST_HOSTS + 2)]
    write(directory, "all", [said(host, now() - HOUR + k) for k, host in enumerate(hosts)])
    with Reader(directory) as reader:
        reader.to_tail()
        write(directory, "all", [said(hosts[0], now(), "error")])
        reader.until(1)
        assert "holds entries of 34 hosts, of which 32 are read" in reader.look().trouble
        assert {GapReason.UNREADABLE} == {gap.reason for gap in reader.to_tail().gaps}
        assert MOST_HOSTS == reader.hosts.breadth


def test_entries_of_nobody(directory: Path) -> None:
    """Entries that do not say whose they are can't be read among several hosts: a trouble, and gaps where they lie."""
    at = now() - HOUR
    two(directory, at)
    with Reader(directory) as reader:
        reader.to_tail()
        write(directory, "nobody", errors(None, now(), 3))
        whole = reader.look()
        assert "nobody.journal: entries without _MACHINE_ID are not read" in whole.trouble
        assert [GapReason.MISSING] == [gap.reason for gap in whole.gaps]
        write(directory, "a", errors(A, now(), 1))
        assert (1, whole.gaps) == (reader.until(1).entries, reader.look().gaps)


def test_entries_of_nobody_among_others(directory: Path) -> None:
    """In the file of a host they are holes in its numbers."""
    at = now() - HOUR
    two(directory, at)
    with Reader(directory) as reader:
        reader.to_tail()
        write(directory, "a", [said(A, at + MINUTE), said(None, at + MINUTE + 1), said(A, at + MINUTE + 2)])
        whole = reader.until(2)
        assert [Gap(reason=GapReason.MISSING, since=Usec(at + MINUTE), until=Usec(at + MINUTE + 2), entries=1)] == [
            *whole.gaps
        ]


def test_host_that_can_not_be_read(directory: Path) -> None:
    """One host whose file is damaged holds no other one up; it is said, and the word how far was read waits for it."""
    two(directory, now() - HOUR)
    broken = _broken_for(B)
    with Reader(directory, make=broken) as reader, LiveWriter(directory / "a.journal") as a:
        reader.to_tail()
        write(directory, "b", errors(B, now(), 2))
        a.say(*errors(A, now(), 2))
        reader.until(2)
        eventually(lambda: "host bbb" in reader.step().trouble)
        a.say(*errors(A, now(), 2))
        assert reader.until(4).read_until < now()


def _broken_for(host: str) -> MakeReader:
    class Broken(_Reader):
        def _next(self, skip: int = 1, /) -> bool:
            found = bool(super()._next(skip))
            if found and host in self._get_cursor() and self._get("MESSAGE").startswith(b"error") and _is_new(self):
                raise OSError(74, "Bad message")
            return found

    def _is_new(reader: _Reader) -> bool:
        return reader._get_realtime() > now() - MINUTE

    return Broken
