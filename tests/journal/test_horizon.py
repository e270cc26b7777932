"""How far was read, over steps of the wall clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.journal.gathered import Gathered
from tests.journal.written import JOB, STEP, T0, Line, lines, write
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import HOUR, SECOND, Usec
from watcher.core.found import Match
from watcher.core.names import RuleName
from watcher.core.rule import Rule
from watcher.core.severity import Severity
from watcher.journal.clocks import Now
from watcher.journal.extent import read_extent
from watcher.journal.follow import Follower
from watcher.journal.reading import Reading
from watcher.journal.source import Source

MONOTONIC = 10_000_000_000_000
"""What is on that clock at T0, as `Line` writes it."""


def test_a_clock_that_is_set_is_told_with_its_span(tmp_path: Path) -> None:
    """By the entries on both sides of it, wherever a batch ends."""
    write(tmp_path, "system", lines(5))
    follower = Follower(Source(directory=str(tmp_path)), [JOB], since=Usec(T0))
    assert [] == [gap for _ in range(3) for gap in follower.step().gaps]
    late = T0 + HOUR
    write(tmp_path, "system", [Line(at=late, message="fine", monotonic_at=T0 + 6 * STEP)])
    gaps: list[Gap] = []
    for _ in range(5):
        gaps += follower.step().gaps
    follower.close()
    assert [(GapReason.CLOCK, T0 + 4 * STEP, late)] == [(gap.reason, gap.since, gap.until) for gap in gaps]


class Clock:
    """A machine's two clocks, of which the one can be set."""

    def __init__(self) -> None:
        self.wall, self.up = int(T0), MONOTONIC

    def passes(self, span: int) -> None:
        self.wall, self.up = self.wall + span, self.up + span

    def realtime(self) -> int:
        return self.wall

    def now(self) -> Now:
        return Now(self.wall, self.up)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_nothing_is_read_ahead_of_time_while_no_entry_shows_the_step(tmp_path: Path, step: int) -> None:
    """How far was read goes on by the old clock; with the first entry it is the new clock's, told with the gap."""
    clock = Clock()
    write(tmp_path, "system", lines(5))
    follower = Follower(Source(directory=str(tmp_path)), [JOB], since=Usec(T0), clock=clock.realtime, now=clock.now)
    _tail(follower)
    clock.passes(10 * SECOND)
    assert {T0 + 9 * SECOND} == {_tail(follower).read_until for _ in range(3)}

    clock.wall += step
    clock.passes(SECOND)
    reading = _tail(follower)
    assert (T0 + 10 * SECOND, (), step) == (reading.read_until, reading.gaps, follower.step_since_entry)

    clock.passes(SECOND)
    write(tmp_path, "system", [Line(at=clock.wall, message="fine", monotonic_at=T0 + 12 * SECOND)])
    told = [reading for _ in range(4) if (reading := follower.step()).entries]
    assert [[step]] == [[gap.step for gap in reading.gaps] for reading in told]
    clock.passes(SECOND)
    assert clock.wall - SECOND == _tail(follower).read_until
    assert 0 == follower.step_since_entry
    follower.close()


def test_a_step_inside_a_batch_begins_a_batch_of_its_own(tmp_path: Path) -> None:
    """All before it is by the old clock, all after it by the new one, and so is what is remembered of invocations."""
    late = [Line(at=one.at + HOUR, message=one.message, monotonic_at=one.at) for one in lines(60)[33:]]
    write(tmp_path, "system", lines(60)[:5])
    follower = Follower(Source(directory=str(tmp_path)), [JOB], since=Usec(T0))
    assert 5 == sum(follower.step().entries for _ in range(3))
    write(tmp_path, "system", [*lines(60)[5:33], *late])
    readings = [reading for _ in range(20) if (reading := follower.step()).entries]
    follower.close()
    assert 55 == sum(reading.entries for reading in readings)
    stepped = [number for number, reading in enumerate(readings) if reading.gaps]
    assert [[HOUR]] == [[gap.step for gap in readings[number].gaps] for number in stepped]
    assert 28 == sum(reading.entries for reading in readings[: stepped[0]])


@pytest.mark.parametrize("step", [HOUR, -HOUR, 5 * SECOND, -5 * SECOND])
@pytest.mark.parametrize("host", [None, "f" * 32])
def test_two_steps_inside_a_batch_are_found(tmp_path: Path, step: int, host: str | None) -> None:
    """The clock is set and put right while nobody reads: what was logged meanwhile is by a clock of its own."""
    plain = lines(4000, errors=400)
    told = [one if not 1300 <= k < 1700 else replace(one, at=one.at + step, monotonic_at=one.at)
            for k, one in enumerate(plain)]  # fmt: skip
    write(tmp_path, "system", [replace(one, host=host) for one in told])
    follower = Follower(Source(directory=str(tmp_path), host=host), [JOB], since=Usec(T0))
    with Gathered(follower) as gathered:
        reading = gathered.until(entries=len(plain))
    assert 10 == len([found for found in reading.found if isinstance(found, Match)])
    expected = [step, -step] if host is None else [0, 0]
    assert expected == [gap.step for gap in reading.gaps if gap.reason is GapReason.CLOCK]


@pytest.mark.parametrize("at", [10, 700, 2000, 2190])
def test_step_of_one_host_in_a_file_of_several_moves_no_window(tmp_path: Path, at: int) -> None:
    """Replay of it tells a gap at most, as reading each host by itself does live."""
    here = [replace(one, host="a" * 32) for one in lines(2200, errors=2)]
    ahead = [one if k < at else replace(one, at=one.at + HOUR, monotonic_at=one.at) for k, one in enumerate(here)]
    other = [replace(one, host="b" * 32) for one in lines(1000, start=T0 + 300 * STEP, boot="b" * 32, errors=3)]
    both = sorted([*ahead, *other], key=lambda one: one.monotonic_at or one.at)
    source = Source(directory=str(write(tmp_path, "system", both).parent))
    told = [gap for reading in read_extent(source, [JOB], since=Usec(T0)) for gap in reading.gaps]
    assert {0} >= {gap.step for gap in told}


def test_reboots_inside_a_batch_are_no_steps(tmp_path: Path) -> None:
    """The clocks of three boots lie apart by something else each; only those of one boot must not."""
    boots = [lines(300, start=T0 + k * HOUR, boot=f"{k}" * 32, errors=50) for k in range(3)]
    write(tmp_path, "system", [replace(one, monotonic_at=one.at - k * HOUR) for k in range(3) for one in boots[k]])
    follower = Follower(Source(directory=str(tmp_path)), [JOB], since=Usec(T0))
    with Gathered(follower) as gathered:
        reading = gathered.until(entries=900)
    assert () == reading.gaps


TRACE = ["Traceback (most recent call last):", "  error in the middle", "  error further on", "ValueError: error"]


@pytest.mark.parametrize("step", [HOUR, -HOUR])
@pytest.mark.parametrize("known", [1, 5, 7])
def test_an_error_that_goes_over_a_step_is_one(tmp_path: Path, step: int, known: int) -> None:
    """Wherever a batch ends: a traceback of which a part was stamped by the new clock."""
    traced = Rule(name=RuleName("trace"), severity=Severity.ERROR, match="^Traceback", until="^ValueError")
    job = replace(JOB, rules=(*JOB.rules, traced))
    said = [Line(at=T0 + k * STEP, message=text) for k, text in enumerate(["fine"] * 4 + TRACE + ["fine"] * 4)]
    stepped = [*said[:6], *(replace(one, at=one.at + step, monotonic_at=one.at) for one in said[6:])]
    write(tmp_path, "system", stepped[:known])
    follower = Follower(Source(directory=str(tmp_path)), [job], since=Usec(T0))
    with Gathered(follower) as gathered:
        gathered.to_tail()
        write(tmp_path, "system", stepped[known:])
        reading = gathered.until(entries=len(said))
    assert [("trace",)] == [found.rules for found in reading.found if isinstance(found, Match)]


def test_an_entry_stamped_ahead_of_our_clock_is_no_sign_of_what_comes_until_then(tmp_path: Path) -> None:
    """Another host's clock is wrong, or it has started anew with a wrong one: nothing is over before its time."""
    clock = Clock()
    write(tmp_path, "system", lines(5))
    follower = Follower(Source(directory=str(tmp_path)), [JOB], since=Usec(T0), clock=clock.realtime, now=clock.now)
    _tail(follower)
    clock.passes(10 * SECOND)
    ahead = [Line(at=clock.wall + HOUR + k * STEP, boot="d" * 32, monotonic_at=T0 + k * STEP) for k in range(600)]
    write(tmp_path, "system", ahead)
    readings = [follower.step() for _ in range(4)]
    assert 600 == sum(reading.entries for reading in readings)
    assert {False, True} == {reading.at_tail for reading in readings}
    assert max(reading.read_until for reading in readings) <= clock.wall
    follower.close()


def _tail(follower: Follower) -> Reading:
    while not (reading := follower.step()).at_tail:
        pass
    return reading
