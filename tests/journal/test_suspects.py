"""A unit that journald cut off and that ended before that was told: found in real journal files by the reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journal.bursts import (
    BEGIN,
    BY_CRON,
    BY_IDENTIFIER,
    BY_PID_1,
    BY_ROOT,
    BY_SLICE,
    BY_SLICE_GLOB,
    IN_SLICE,
    JOB,
    NAMED,
    Live,
    around,
    at,
    burst,
    moved,
    replayed,
    report,
    suspect,
    told,
    when,
    with_fields,
)
from tests.journal.written import renumber
from tests.parts.journals import START, Fields, write_journal
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.rule import WatchedJob
from watcher.journal import batch, follow, recount
from watcher.journal.extent import read_extent
from watcher.journal.probe import ProbingReader
from watcher.journal.source import Source


def test_another_host_tells_nothing_of_a_unit_that_is_called_the_same(tmp_path: Path) -> None:
    """Its journald told what it dropped of its own; what was dropped here was told by nobody."""
    elsewhere = {"_MACHINE_ID": "b" * 32, "_BOOT_ID": "b" * 32}
    gaps = replayed(tmp_path, *around(burst(10_000), [{**report(31), **elsewhere}]))
    assert [suspect()] == [gap for gap in gaps if gap.reason is GapReason.SUSPECT]


@pytest.mark.parametrize("job", [JOB, NAMED], ids=["by glob", "by name"])
@pytest.mark.parametrize(
    ("count", "expected"),
    [(9_999, []), (10_000, [suspect()]), (10_001, []), (12_500, [suspect()]), (20_000, [suspect()])],
)
def test_unit_that_ends_at_the_limit(tmp_path: Path, job: WatchedJob, count: int, expected: list[Gap]) -> None:
    """Stored was just as much as journald stores at most, which it raises by quarters with its room: a gap."""
    assert expected == replayed(tmp_path, *around(burst(count)), job=job)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([burst(10_000, lasts=40)], [], id="spread over two intervals"),
        pytest.param([burst(10_000, lasts=29.9)], [suspect()], id="spread over one interval"),
        pytest.param([burst(5_000), burst(5_000, PRIORITY=3)], [], id="two pools that share the number"),
        pytest.param([burst(5_000), burst(5_000, PRIORITY=5)], [suspect()], id="two priorities of one pool"),
        pytest.param([burst(10_000, PRIORITY=3), burst(77)], [suspect()], id="one pool of two"),
        pytest.param(
            [burst(5_000), burst(5_000, _SYSTEMD_UNIT="import@1.service")], [], id="two units of the job share it"
        ),
        pytest.param([burst(10_000, _SYSTEMD_UNIT="import@1.service")], [suspect()], id="an instance"),
        pytest.param([burst(10_000, _SYSTEMD_UNIT="other.service")], [], id="a unit of nobody"),
        pytest.param([burst(10_000, PRIORITY="")], [suspect()], id="without a priority"),
        pytest.param([burst(10_000), [report(31), at(31.1)]], ["dropped"], id="journald told"),
        pytest.param(
            [burst(10_000), [report(31, unit="other.service")]], [suspect()], id="journald told of another unit"
        ),
        pytest.param([burst(10_000), [{**report(31), "_TRANSPORT": "journal"}]], [suspect()], id="somebody else told"),
        pytest.param([burst(10_000), burst(10_000, begin=50)], [suspect(), suspect(50)], id="twice"),
        pytest.param([[at(-20)], burst(10_000)], [], id="in an interval that began before"),
        pytest.param([[at(-20)], burst(9_999)], [suspect(-20)], id="with the one that began the interval"),
        pytest.param([[at(-40), at(-20)], burst(10_000)], [suspect()], id="in the second interval after silence"),
    ],
)
def test_what_is_counted_together(tmp_path: Path, pieces: list[Iterable[Fields]], expected: list[Gap | str]) -> None:
    """Each unit and pool for itself, in intervals that begin with the first message after the last one ran out."""
    found = [
        gap if gap.reason is GapReason.SUSPECT else str(gap.reason) for gap in replayed(tmp_path, *around(*pieces))
    ]
    assert expected == found


@pytest.mark.parametrize(
    ("job", "fields", "expected"),
    [
        pytest.param(BY_SLICE, IN_SLICE, [suspect()], id="by slice"),
        pytest.param(BY_SLICE_GLOB, IN_SLICE, [suspect()], id="by a glob that names the slice"),
        pytest.param(BY_SLICE, {**IN_SLICE, "_SYSTEMD_UNIT": "release-watcher.service"}, [], id="our own, by slice"),
        pytest.param(NAMED, BY_PID_1, [], id="what PID 1 says of the unit"),
        pytest.param(JOB, BY_PID_1, [], id="what PID 1 says of the unit, by glob"),
        pytest.param(NAMED, BY_ROOT, [], id="what root says of the unit"),
        pytest.param(BY_IDENTIFIER, BY_CRON, [], id="by identifier"),
        pytest.param(replace(BY_IDENTIFIER, units=()), BY_CRON, [], id="by identifier alone"),
        pytest.param(replace(JOB, identifiers=("importer",)), BY_CRON, [], id="by identifier, beside a glob"),
    ],
)
@pytest.mark.parametrize("count", [10_000, 14_000])
def test_whatever_a_job_is_counted_by(
    tmp_path: Path, job: WatchedJob, fields: Fields, expected: list[Gap], count: int
) -> None:
    """All that was counted is found again: nothing is `unreadable`. Only what its own units wrote can have been cut."""
    assert (expected if count == 10_000 else []) == replayed(
        tmp_path, *around(with_fields(burst(count), fields)), job=job
    )


@pytest.mark.parametrize("job", [BY_SLICE, BY_SLICE_GLOB])
def test_what_was_dropped_of_a_unit_in_a_slice(tmp_path: Path, job: WatchedJob) -> None:
    """Its report names both, so the job that is counted by the slice has the gap."""
    told_of = {**report(31, unit="worker.service"), "OBJECT_SYSTEMD_SLICE": "import.slice"}
    (gap,) = replayed(tmp_path, *around(with_fields(burst(10_000), IN_SLICE), [told_of]), job=job)
    assert (GapReason.DROPPED, "import", 430) == (gap.reason, gap.job, gap.entries)


def test_job_that_never_was_silent_is_not_suspected(tmp_path: Path) -> None:
    """Nobody can know when its interval began, so no number tells anything."""
    assert [] == replayed(tmp_path, *around(burst(200, begin=-99.9, lasts=99.9), burst(10_000)))


BACK = 60
"""By how many seconds the clock is set back, at the begin of the burst."""


def set_back(entries: Iterable[Fields]) -> list[Fields]:
    """The same entries, with a wall clock that was set back."""
    return [moved(one, by=-BACK) if when(one) >= BEGIN else one for one in entries]


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        pytest.param(10, GapReason.SUSPECT, id="while the same instants come again"),
        pytest.param(-2.5, GapReason.UNREADABLE, id="over the step"),
        pytest.param(-5.1, GapReason.UNREADABLE, id="right before"),
        pytest.param(BACK + 40, GapReason.SUSPECT, id="after all of them"),
    ],
)
def test_clock_that_was_set_back(tmp_path: Path, begin: float, reason: GapReason) -> None:
    """What was stamped before with the same instants is passed over; over the step nothing can be told."""
    entries = set_back(around(burst(10_000, begin=begin), until=180))
    gaps = replayed(tmp_path, *entries)
    assert [GapReason.CLOCK, reason] == sorted((gap.reason for gap in gaps), key=[GapReason.CLOCK, reason].index)


@pytest.mark.parametrize("step", [-3600, -30, 30, 3600])
def test_surge_before_a_step_is_told_by_both_clocks(tmp_path: Path, step: int) -> None:
    """Windows move with the clock, so a window of then is known by the new one only; and another job's may not move."""
    entries = [moved(one, by=step) if when(one) >= BEGIN else one for one in around(burst(10_000, begin=-6), until=60)]
    (gap,) = [gap for gap in replayed(tmp_path, *entries) if gap.reason is GapReason.UNREADABLE]
    for clock in (0, step):
        end = BEGIN + (clock - 1) * SECOND
        assert gap.touches(JOB.name, Usec(end - SECOND), Usec(end))


@pytest.mark.parametrize("step", [60, 3600])
def test_clock_set_forward_within_a_burst(tmp_path: Path, step: int) -> None:
    """A look by the wall clock may find a half of it only: a gap in what was logged by the new clock."""
    entries = [
        moved(one, by=step) if when(one) >= BEGIN else one for one in around(burst(10_000, begin=-2.5), until=60)
    ]
    (gap,) = [gap for gap in replayed(tmp_path, *entries) if gap.reason is not GapReason.CLOCK]
    assert GapReason.UNREADABLE is gap.reason
    assert BEGIN + step * SECOND < gap.since <= BEGIN + (step + 2.4) * SECOND
    assert gap.until < BEGIN + (step + 33) * SECOND


def reboot(entry: Fields, *, at: int, back: int, boot: str = "b" * 32) -> Fields:
    """The entry, if it comes so many seconds after the begin, in another boot with the clock so much behind."""
    if when(entry) < BEGIN + at * SECOND:
        return entry
    up = when(entry) - BEGIN - (at - 1) * SECOND
    return {**moved(entry, by=-back), "_BOOT_ID": boot, "__MONOTONIC_TIMESTAMP": up}


@pytest.mark.parametrize("fast", [200, 4096], ids=["small batches", "one batch"])
def test_clock_that_is_behind_after_a_reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: int) -> None:
    """It shows instants of two boots before, also where one batch hides that it went back."""
    monkeypatch.setattr(follow, "FAST_ENTRIES", fast)
    entries = around(burst(10_000, begin=450), until=1500)
    entries = [reboot(reboot(one, at=300, back=0), at=400, back=300, boot="c" * 32) for one in entries]
    assert [GapReason.SUSPECT] == [gap.reason for gap in replayed(tmp_path, *entries)]


def test_surge_before_a_clock_that_was_set_back_holds_nothing_back(tmp_path: Path) -> None:
    """It is told at once; until then nothing was taken as read, and from then on all is."""
    before, after = around(burst(10_000, begin=-6), until=0), around(until=20)[60:]
    live = Live(Source(directory=str(write_journal(tmp_path, set_back([*before, *after])))))
    live.now = BEGIN + (20 - BACK) * SECOND
    assert {GapReason.CLOCK, GapReason.UNREADABLE} == {gap.reason for gap in live.read()}
    assert live.now - SECOND == live.readings[-1].read_until
    live.restart()
    assert [] == live.read()
    live.follower.close()


@pytest.mark.parametrize("restart", [False, True], ids=["one reader", "a reader a batch"])
def test_live_as_in_replay(tmp_path: Path, *, restart: bool) -> None:
    """Told as soon as journald's report would have come, once; until then nothing behind the burst is taken as read."""
    last = BEGIN + int(5 * SECOND * 9_999 / 10_000)
    entries = around(burst(10_000), until=6)
    expected = replayed(tmp_path / "replay", *entries)
    live = Live(Source(directory=str(write_journal(tmp_path / "live", entries))))
    assert [] == live.read(restart=restart)
    live.now = last + 35 * SECOND
    assert ([], last) == (live.read(), live.readings[-1].read_until)
    if restart:
        live.restart()
    live.now += 2 * SECOND
    assert expected == [suspect()] == live.read()
    assert live.now - SECOND == live.readings[-1].read_until
    live.restart()
    assert [] == live.read()
    live.follower.close()


@pytest.mark.parametrize(("fast", "careful"), [(4096, 500), (700, 11), (10, 3), (1, 1), (100_000, 500)])
def test_cut_into_any_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: int, careful: int) -> None:
    """Where batches end changes nothing, even if a tally lies in each entry."""
    monkeypatch.setattr(follow, "FAST_ENTRIES", fast)
    monkeypatch.setattr(follow, "CAREFUL_ENTRIES", careful)
    monkeypatch.setattr(batch, "CHUNK", min(fast, batch.CHUNK))
    assert [suspect(), suspect(50)] == replayed(tmp_path, *around(burst(10_000, lasts=29), burst(10_000, begin=50)))


def test_second_look_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be read again may have been cut: the job's gap is of another name."""

    def fails(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(recount, "_count", fails)
    (gap,) = replayed(tmp_path, *around(burst(10_000)))
    assert (GapReason.UNREADABLE, "import") == (gap.reason, gap.job)


def test_surge_that_was_deleted_before_the_second_look(tmp_path: Path) -> None:
    """A journal so small that nobody can tell any more: a gap, not silence."""
    live = Live(Source(directory=str(write_journal(tmp_path, around(burst(10_000), until=6), name="old"))))
    assert [] == live.read()
    write_journal(tmp_path, [at(second, _SYSTEMD_UNIT="other.service") for second in range(6, 60)])
    (tmp_path / "old.journal").unlink()
    live.now = BEGIN + 60 * SECOND
    told_then = live.read()
    live.follower.close()
    assert [GapReason.UNREADABLE] == [gap.reason for gap in told_then if gap.job == JOB.name]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [(-120, [suspect(-20)]), (-21, [suspect(-20)]), (-19, [GapReason.UNREADABLE]), (-1, [GapReason.UNREADABLE])],
)
@pytest.mark.parametrize("job", [JOB, NAMED], ids=["by glob", "by name"])
def test_begin_that_was_deleted_before_the_second_look(
    tmp_path: Path, job: WatchedJob, kept: int, expected: list[Gap | GapReason]
) -> None:
    """The interval began with a line that a vacuum took: a number too small by one would tell of no cut."""
    entries = around([at(-20)], burst(9_999), until=6)
    old, new = ([one for one in entries if (when(one) < BEGIN + kept * SECOND) is early] for early in (True, False))
    for name, part in (("old", old), ("new", new)):
        write_journal(tmp_path, part, name=name)
    renumber(tmp_path / "new.journal", like=tmp_path / "old.journal", by=len(old))
    live = Live(Source(directory=str(tmp_path)), job)
    assert [] == live.read()
    (tmp_path / "old.journal").unlink()
    live.now = BEGIN + 60 * SECOND
    found = live.read()
    live.follower.close()
    assert expected == [gap if gap.reason is GapReason.SUSPECT else gap.reason for gap in found]


def test_reader_that_died_does_not_look_again(tmp_path: Path) -> None:
    """It may have died of that look; it would do so for ever."""
    source = Source(directory=str(write_journal(tmp_path, around(burst(10_000)))))
    probing = lambda *given, **named: ProbingReader(*given, announce=lambda _: None, pinned=frozenset(), **named)  # noqa: E731
    (gap,) = told(read_extent(source, [JOB], since=Usec(START), make=probing))
    assert (GapReason.UNREADABLE, "import") == (gap.reason, gap.job)


def test_job_that_logs_too_much_for_a_second_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is known of it, so it is a gap of the job over the loud stretch, and the log tells why."""
    monkeypatch.setattr(recount, "MOST_ENTRIES", 9_000)
    (gap,) = replayed(tmp_path, *around(burst(10_000)))
    assert (GapReason.UNREADABLE, "import") == (gap.reason, gap.job)
    assert BEGIN < gap.since < BEGIN + 5 * SECOND < gap.until < BEGIN + 35 * SECOND
    assert "job import: can't tell" in caplog.text
    assert "it logged too much" in caplog.text
