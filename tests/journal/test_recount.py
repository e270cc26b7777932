"""Where a second look at a burst stands on an edge: of its seconds, a step of the clock, a reload, a vacuum."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journal.bursts import (
    BEGIN,
    BY_CRON,
    BY_PID_1,
    BY_ROOT,
    IN_SLICE,
    JOB,
    NAMED,
    Live,
    around,
    at,
    burst,
    moved,
    replayed,
    suspect,
    told,
    when,
    with_fields,
)
from tests.journal.written import renumber
from tests.parts.journals import START, Fields, write_journal
from watcher.core.coverage import GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.rule import WatchedJob
from watcher.journal import batch, follow, ratelimit, recount, surges
from watcher.journal.extent import read_extent
from watcher.journal.source import Source

CHATTY = {"_SYSTEMD_UNIT": "chatty.service"}
OTHER_HOST = {"_MACHINE_ID": "b" * 32, "_BOOT_ID": "b" * 32}


def later(entries: Sequence[Fields], *, by: float) -> list[Fields]:
    """The same story so much later, by both clocks."""
    clock = "__MONOTONIC_TIMESTAMP"
    return [{**moved(one, by=by), clock: int(str(one[clock])) + int(by * SECOND)} for one in entries]


def behind_from_begin(entries: Sequence[Fields], *, by: float) -> list[Fields]:
    """The same entries, stamped by a clock that was set back when the burst began."""
    return [moved(one, by=-by) if when(one) >= BEGIN else one for one in entries]


@pytest.mark.parametrize("by", range(10))
def test_it_goes_back_far_enough_in_each_second(tmp_path: Path, by: int) -> None:
    """A unit that is cut 84 s before the end of the job's loud stretch is found, wherever the tens of seconds lie."""
    one, other = ({"_SYSTEMD_UNIT": f"import@{number}.service"} for number in (1, 2))
    story = around(with_fields(burst(10_000), one), with_fields(burst(28_001, begin=6, lasts=78.0), other), until=140)
    assert [suspect(by)] == replayed(tmp_path, *later(story, by=by))


@pytest.mark.parametrize("job", [JOB, NAMED], ids=["by glob", "by name"])
@pytest.mark.parametrize("behind", [0.005, 0.4, 0.9])
def test_host_whose_clock_is_a_little_behind_in_the_same_file(tmp_path: Path, job: WatchedJob, behind: float) -> None:
    """Stamps that go back and forth by less than a step are nothing to suspect."""
    other = [moved(one, by=-behind) for one in with_fields(around(burst(6_007)), OTHER_HOST)]
    both = sorted([*around(burst(6_003)), *other], key=lambda one: int(str(one["__MONOTONIC_TIMESTAMP"])))
    assert [] == replayed(tmp_path, *both, job=job)


def test_clock_that_is_set_back_by_half_a_second(tmp_path: Path) -> None:
    """That is no step; a healthy burst over it is none to suspect, and one that was cut is found."""
    healthy = around(burst(9_950, begin=-10, lasts=9), burst(100, begin=-0.9, lasts=0.9), [at(0.0001)], until=60)
    assert [] == replayed(tmp_path / "healthy", *behind_from_begin(healthy, by=0.5))
    parts = burst(9_899, begin=-10, lasts=9), burst(50, begin=-0.1, lasts=0.09), burst(51, begin=0, lasts=0.01)
    (gap,) = replayed(tmp_path / "cut", *behind_from_begin(around(*parts, until=60), by=0.5))
    assert GapReason.SUSPECT is gap.reason


@pytest.mark.parametrize("step", [1.5, 5, 60, 3600])
@pytest.mark.parametrize("by", [0, 3, 6])
def test_burst_a_minute_after_a_step_forward(tmp_path: Path, step: float, by: int) -> None:
    """What a steady job logged by the old clock can't be found by the new one, and is not asked for."""
    story = around(burst(560, begin=-99, lasts=139), burst(9_950, begin=41), until=120)
    stepped = [moved(one, by=step) if when(one) >= BEGIN - 20 * SECOND else one for one in story]
    assert [GapReason.CLOCK] == [gap.reason for gap in replayed(tmp_path, *later(stepped, by=by))]


@pytest.mark.parametrize("count", [9_950, 10_000])
@pytest.mark.parametrize(
    ("step", "later"), [(-1.5, 61), (-60, 61), (-60, 10), (-3600, 61), (-3600, 300), (-3600, 1500)]
)
def test_burst_after_the_clock_was_set_back(tmp_path: Path, count: int, step: float, later: int) -> None:
    """What was stamped before with the same instants is passed over, for as long as there is any."""
    story = around(burst(count, begin=later), until=later + 60)
    stepped = [moved(one, by=step) if when(one) >= BEGIN else one for one in story]
    expected = [GapReason.CLOCK, *([GapReason.SUSPECT] if count == 10_000 else [])]
    assert expected == [gap.reason for gap in replayed(tmp_path, *stepped)]


@pytest.mark.parametrize("fast", [20, 4096], ids=["two steps", "hidden in a batch"])
@pytest.mark.parametrize(("count", "expected"), [(9_950, []), (10_000, [GapReason.SUSPECT])])
def test_burst_after_the_clock_was_put_right_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, expected: list[GapReason], fast: int
) -> None:
    """It was ahead for half a minute; the burst comes while the stamps of then come again."""
    monkeypatch.setattr(follow, "FAST_ENTRIES", fast)
    monkeypatch.setattr(follow, "CAREFUL_ENTRIES", min(fast, 500))
    ahead = range(BEGIN, BEGIN + 30 * SECOND)
    story = around(burst(count, begin=70), until=130)
    found = replayed(tmp_path, *(moved(one, by=300) if when(one) in ahead else one for one in story))
    assert expected == [gap.reason for gap in found if gap.reason is not GapReason.CLOCK]
    assert (2 if fast == 20 else 0) == len(found) - len(expected)


def test_quiet_job_after_reboots_with_the_clock_behind(tmp_path: Path) -> None:
    """What was loud before is long ago, whatever the clock says now."""
    hours = 5 * 3600
    loud = around(burst(12_001, begin=-60, lasts=50), until=0)
    other = {"_BOOT_ID": "b" * 32}
    behind = [moved(one, by=-hours) for one in with_fields(around(until=60)[60:], other)]
    right = with_fields(around(burst(50, begin=1800), burst(50, begin=3600), until=3700)[120:], other)
    assert {GapReason.CLOCK} >= {gap.reason for gap in replayed(tmp_path, *loud, *behind, *right) if gap.since > BEGIN}


@pytest.mark.parametrize("reloads", [1, 2, 3])
def test_reloads_within_a_burst_that_is_cut(tmp_path: Path, reloads: int) -> None:
    """What was counted by the old units still tells that the job is loud, also where a second holds several."""
    story = around(burst(10_000, lasts=20), until=60)
    live = Live(Source(directory=str(tmp_path)))
    begin = START
    for number in range(reloads):
        end = BEGIN + int((10 + number / 10) * SECOND)
        write_journal(tmp_path, [one for one in story if begin <= when(one) < end], name=f"before-{number}")
        live.now = begin = end
        assert [] == live.read()
        live.job = replace(JOB, units=(*JOB.units, f"chatty-{number}.service"))
        live.restart()
    write_journal(tmp_path, [one for one in story if when(one) >= begin], name="after")
    live.now = BEGIN + 90 * SECOND
    assert [suspect()] == live.read()
    live.follower.close()


@pytest.mark.parametrize("known", [-1, 6], ids=["before the burst", "after the burst"])
@pytest.mark.parametrize("wide", [True, False], ids=["to fewer units", "to more units"])
def test_reload_that_changes_the_units_of_a_job(tmp_path: Path, known: int, *, wide: bool) -> None:
    """What was counted of units that are no longer the job's is not asked for."""
    more = replace(JOB, units=(*JOB.units, "chatty.service"))
    story = around(with_fields(burst(500, begin=-60, lasts=59), CHATTY), burst(9_950), until=60)
    end = BEGIN + known * SECOND
    write_journal(tmp_path, [one for one in story if when(one) < end], name="before")
    live = Live(Source(directory=str(tmp_path)), more if wide else JOB)
    live.now = end
    assert [] == live.read()
    live.job = JOB if wide else more
    live.restart()
    write_journal(tmp_path, [one for one in story if when(one) >= end], name="after")
    live.now = BEGIN + 60 * SECOND
    assert [] == live.read()
    live.follower.close()


def test_nothing_else_makes_up_for_a_line_that_was_deleted(tmp_path: Path) -> None:
    """A line right before those that are counted, in another user's file that stays, is not one of them."""
    story = around([at(-20)], burst(9_999), until=6)
    looked_from = surges.Surge(job=JOB.name, since=Usec(BEGIN), until=Usec(BEGIN + 5 * SECOND), entries=1).looked_from
    old, new = ([one for one in story if (when(one) < BEGIN - 19 * SECOND) is early] for early in (True, False))
    other = {**at((looked_from - BEGIN) / SECOND - 0.5), "_SYSTEMD_UNIT": "import@7.service"}
    for name, entries in (("old", old), ("new", new), ("user-1000", [other])):
        write_journal(tmp_path, entries, name=name)
    renumber(tmp_path / "new.journal", like=tmp_path / "old.journal", by=len(old))
    live = Live(Source(directory=str(tmp_path)))
    assert [] == live.read()
    (tmp_path / "old.journal").unlink()
    live.now = BEGIN + 60 * SECOND
    assert [GapReason.UNREADABLE] == [gap.reason for gap in live.read()]
    live.follower.close()


@pytest.mark.parametrize("names", [8, 9, 300])
def test_job_of_many_units(tmp_path: Path, names: int) -> None:
    """By however many names: the library leaves others out, or the look does."""
    job = replace(JOB, units=("import.service", *(f"unit-{number}.service" for number in range(names - 1))))
    noise = with_fields(burst(2_000, begin=1), {"_SYSTEMD_UNIT": "noise.service"})
    assert [suspect()] == replayed(tmp_path, *around(burst(10_000), noise), job=job)


SMALL = 200
UNITS = [
    ("import@*.service", "import.service"),
    ("import", "import@1"),
    ("import.slice", "import"),
    ("import*",),
    ("*",),
]
FORGED = {"_SYSTEMD_UNIT": "evil.service", "UNIT": "import.service", "OBJECT_SYSTEMD_UNIT": "import.service"}
KINDS: list[Fields] = [
    {},
    {"_SYSTEMD_UNIT": "import@1.service"},
    {"_SYSTEMD_UNIT": "import@2.service", "PRIORITY": 3},
    {"_SYSTEMD_SLICE": "import.slice", "SYSLOG_IDENTIFIER": "importer"},
    {"_SYSTEMD_UNIT": "release-watcher.service", "_SYSTEMD_SLICE": "import.slice", "SYSLOG_IDENTIFIER": "importer"},
    {"_SYSTEMD_UNIT": "systemd-coredump@1.service", "_UID": 0, "COREDUMP_UNIT": "import.service",
     "MESSAGE_ID": "fc2e22bc6ee647b6b90729ab34a250b1"},
    {"_SYSTEMD_UNIT": "noise.service"},
    FORGED, IN_SLICE, BY_PID_1, BY_ROOT, BY_CRON,
]  # fmt: skip


def world(chance: random.Random) -> list[Fields]:
    """Seven minutes of bursts and silence, of all that can be the job's, or seem to be."""
    pieces, begin = [], -95.0
    while begin < 330:
        count, lasts = chance.choice(
            [
                (chance.randint(1, 60), chance.uniform(0.01, 40)),
                (chance.randint(150, 700), chance.uniform(0.5, 40)),
                (1, 0.1),
            ]
        )
        piece = burst(count, begin=begin, lasts=lasts)
        pieces.append([{**one, **(chance.choice(KINDS) if chance.random() < 0.6 else {})} for one in piece])
        begin += chance.choice([chance.uniform(0, 10), chance.uniform(0, 60), chance.uniform(25, 45)])
    return later(around(*pieces, until=400), by=chance.uniform(0, 10))


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "BURST", SMALL)
    monkeypatch.setattr(ratelimit, "_STEP", SMALL // 4)
    monkeypatch.setattr(ratelimit, "_MOST", 6 * SMALL)
    monkeypatch.setattr(surges, "LOUD", SMALL - 10)
    monkeypatch.setattr(surges, "FORGOTTEN", 10)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("seed", range(12))
def test_all_that_was_counted_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever makes an entry the job's, in whichever files and batches: no healthy journal is `unreadable`."""
    chance = random.Random(seed)
    looks, count = [], recount._count

    def counted(*given: object) -> int:
        looks.append(1)
        return count(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(recount, "_count", counted)
    job = replace(JOB, units=chance.choice(UNITS), identifiers=chance.choice([(), ("importer",)]))
    entries, files = world(chance), chance.choice([1, 1, 2, 3])
    for number in range(files):
        part = [one for place, one in enumerate(entries) if (place * 2_654_435_761 >> 7) % files == number]
        write_journal(tmp_path, part, name=f"file-{number}")
    size = chance.choice([50, 300, 4096])
    monkeypatch.setattr(follow, "FAST_ENTRIES", size)
    monkeypatch.setattr(follow, "CAREFUL_ENTRIES", min(size, 500))
    monkeypatch.setattr(batch, "CHUNK", chance.choice([5, 64, 512]))
    source = Source(directory=str(tmp_path))
    stop = Usec(BEGIN + int(chance.uniform(0, 300) * SECOND))
    replayed_gaps = told(read_extent(source, [job], since=Usec(START), stop=stop, until=Usec(BEGIN + 600 * SECOND)))
    live = Live(source, job)
    live.now = BEGIN + 700 * SECOND
    live_gaps = live.read(restart=chance.random() < 0.5)
    live.follower.close()
    assert looks
    assert {GapReason.SUSPECT} >= {gap.reason for gap in (*replayed_gaps, *live_gaps)}
    assert files > 1 or replayed_gaps == live_gaps
