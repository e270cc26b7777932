from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journal.written import JOB, T0, Line, LiveWriter, lines, write
from watcher.core.duration import Usec
from watcher.journal.position import Position, Spot
from watcher.journal.reading import Reading
from watcher.journal.source import Source
from watcher.journal.wire import (
    OFTEN,
    Announced,
    Control,
    Message,
    Plan,
    Trouble,
    decode_message,
    encode_control,
    encode_plan,
)


class Child:
    """A reader process with its two pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._buffer = b""

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def next(self, within: float = 10.0) -> Message:
        """The next message."""
        assert self.process.stdout is not None
        end = time.monotonic() + within
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))
            assert ready, "the reader said nothing"
            piece = os.read(self.process.stdout.fileno(), 1 << 20)
            assert piece, "the reader ended"
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\n", 1)
        return decode_message(line)

    def until(self, wanted: Callable[[Reading], bool]) -> list[Reading]:
        """Readings up to the first that is wanted."""
        readings: list[Reading] = []
        while not readings or not wanted(readings[-1]):
            message = self.next()
            if isinstance(message, Reading):
                readings.append(message)
        return readings


@contextmanager
def reading(plan: Plan, **environment: str) -> Iterator[Child]:
    """A reader process at work; nothing of it is left afterwards."""
    command = [sys.executable, "-m", "watcher.journal.process"]
    with subprocess.Popen(
        command, env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        child = Child(process)
        child.send(encode_plan(plan))
        try:
            yield child
        finally:
            process.kill()


def plan(directory: Path, *, from_head: bool = False, **more: object) -> Plan:
    position = Position(cursor="").to_text() if from_head else None
    made = {"source": Source(directory=str(directory)), "jobs": (JOB,), "position": position} | more
    return Plan(**made)  # type: ignore[arg-type]  # test data


def test_batches_go_out(tmp_path: Path) -> None:
    """A backlog comes in batches, the last of them at the tail."""
    write(tmp_path, "system", lines(9000))
    with reading(plan(tmp_path, from_head=True)) as child:
        readings = child.until(lambda reading: reading.at_tail)
    assert 9000 == sum(reading.entries for reading in readings)
    assert 900 == sum(len(reading.found) for reading in readings)
    assert all(len(reading.found) < 1000 for reading in readings)


def test_end_of_input_ends_it(tmp_path: Path) -> None:
    """Without a daemon there is no reader, at the tail or anywhere."""
    with reading(plan(tmp_path)) as child:
        child.next()
        assert child.process.stdin is not None
        child.process.stdin.close()
        assert 0 == child.process.wait(1)


def test_end_of_input_instead_of_a_plan(tmp_path: Path) -> None:
    """A daemon that dies before it sends the plan leaves no reader either."""
    command = [sys.executable, "-m", "watcher.journal.process"]
    assert 0 == subprocess.run(command, stdin=subprocess.DEVNULL, cwd=tmp_path, timeout=10, check=False).returncode


def test_daemon_that_no_longer_reads(tmp_path: Path) -> None:
    """A closed output ends it quietly."""
    write(tmp_path, "system", lines(100))
    with reading(plan(tmp_path, from_head=True)) as child:
        child.next()
        assert child.process.stdout is not None
        child.process.stdout.close()
        assert 0 == child.process.wait(5)


@pytest.mark.parametrize("wait", [True, False])
def test_sigterm(tmp_path: Path, *, wait: bool) -> None:
    """SIGTERM ends it within a second, at the tail and in a catch-up with nobody taking its output."""
    write(tmp_path, "system", lines(30_000, errors=1))
    with reading(plan(tmp_path, from_head=True)) as child:
        if wait:
            child.until(lambda reading: reading.at_tail)
        else:
            child.next()
        child.process.send_signal(signal.SIGTERM)
        assert 0 == child.process.wait(1)


def test_beat_of_an_idle_reader(tmp_path: Path) -> None:
    """With nothing to read something is said each second, four times as often with a window open."""
    with reading(plan(tmp_path)) as child:
        child.next()
        first = time.monotonic()
        child.next()
        assert 0.8 < time.monotonic() - first < 2.5
        child.send(encode_control(Control(poll=OFTEN)))
        child.next()
        begin, readings = time.monotonic(), [child.next() for _ in range(4)]
        assert 0.7 < time.monotonic() - begin < 2.0
        assert all(isinstance(item, Reading) and item.position is None for item in readings)
        untils = [item.read_until for item in readings if isinstance(item, Reading)]
        assert sorted(set(untils)) == untils


def test_match_while_a_window_is_open(tmp_path: Path) -> None:
    """A match goes out at once."""
    with LiveWriter(tmp_path / "live.journal") as writer, reading(plan(tmp_path, poll=OFTEN)) as child:
        child.next()
        spans = []
        for k in range(10):
            begin = time.monotonic()
            writer.tell(f"error {k}")
            child.until(lambda reading: bool(reading.found))
            spans.append(time.monotonic() - begin)
        assert sorted(spans)[5] < 0.1


def test_match_while_no_window_is_open(tmp_path: Path) -> None:
    """Matches wait for company, a second at most; opening a window lets them go."""
    with LiveWriter(tmp_path / "live.journal") as writer, reading(plan(tmp_path)) as child:
        child.next()
        writer.tell("error 1")
        assert 1 == sum(len(reading.found) for reading in child.until(lambda reading: bool(reading.found)))
        begin = time.monotonic()
        writer.tell("error 2")
        child.send(encode_control(Control(poll=OFTEN)))
        child.until(lambda reading: bool(reading.found))
        assert time.monotonic() - begin < 0.5


def test_missing_directory_then_there(tmp_path: Path) -> None:
    """The reason is told, again and again but not in a loop, and once it can be read it is."""
    late = tmp_path / "late"
    with reading(plan(late)) as child:
        troubles = [child.next() for _ in range(3)]
        assert [Trouble] * 3 == [type(trouble) for trouble in troubles]
        assert "late: No such file or directory" in str(troubles[0])
        write(tmp_path / "late", "new", [Line(at=time.time_ns() // 1000, message="error 1")])
        readings = child.until(lambda reading: reading.entries > 0)
        assert 1 == sum(len(reading.found) for reading in readings)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - spent < 2


def test_out_of_descriptors(tmp_path: Path) -> None:
    """Too few descriptors is a trouble with a word on what to raise."""
    with reading(plan(tmp_path / "late")) as child:
        child.next()
        resource.prlimit(child.process.pid, resource.RLIMIT_NOFILE, (4, 4))
        write(tmp_path / "late", "system", lines(10))
        texts = [str(child.next()) for _ in range(2)]
    assert "Too many open files" in texts[-1]
    assert "LimitNOFILE" in texts[-1]


def test_probing_tells_each_step(tmp_path: Path) -> None:
    """A probing reader says where it is before each entry, until it has reached the tail."""
    write(tmp_path, "system", lines(20))
    with reading(plan(tmp_path, from_head=True, probe=True)) as child:
        spots: list[Spot | None] = []
        entries = 0
        while not entries or spots[-1] is not None:
            message = child.next()
            if isinstance(message, Announced):
                spots.append(message.spot)
            elif isinstance(message, Reading):
                entries += message.entries
        places = [spot.cursor for spot in spots if spot is not None and not spot.stepping]
    assert 20 == len(set(places))


def test_reader_is_the_first_to_go(tmp_path: Path) -> None:
    """It offers itself to the kernel when memory is short, and dumps no core."""
    with reading(plan(tmp_path)) as child:
        child.next()
        proc = Path("/proc") / str(child.process.pid)
        assert "500" == (proc / "oom_score_adj").read_text().strip()
        limits = next(line for line in (proc / "limits").read_text().splitlines() if "core file" in line)
        assert ["0", "0"] == limits.split()[4:6]


def test_catch_up_is_not_told_line_by_line(tmp_path: Path) -> None:
    """Without matches a long backlog comes in few batches."""
    write(tmp_path, "system", lines(30_000, errors=0, start=Usec(T0 - 10**9)))
    with reading(plan(tmp_path, from_head=True)) as child:
        readings = child.until(lambda reading: reading.at_tail)
    assert 30_000 == sum(reading.entries for reading in readings)
    assert len(readings) < 5
