"""A job's past is added up exactly, with its holes left out."""

from __future__ import annotations

import pytest

from tests.events import ERROR, JOB, ODD, OTHER_JOB, batch, error, gap, instant, match, run, span
from watcher.core.baseline import MOST_KINDS, OldRuns, Past, unread
from watcher.core.coverage import GapReason
from watcher.core.found import RunOutcome
from watcher.core.messages import BatchRead
from watcher.core.severity import Severity
from watcher.core.statistics import Share


def past(*batches: BatchRead, until: str = "1h") -> Past:
    gathered = Past(JOB, since=instant("0s"), until=instant(until))
    for one in batches:
        gathered.add(tallies=one.tallies, found=one.found, gaps=one.gaps)
    return gathered


def test_minutes_with_errors() -> None:
    """Each counts once for its severity and for all milder ones; neighbours make one burst."""
    read = past(
        batch(match("0s"), match("59s"), match("1m"), match("10m", ODD), at="11m"), batch(match("30m"), at="31m")
    ).result()
    assert (Share(3, 60), 2.0) == read.of_minutes(Severity.ERROR)
    warnings, thinned = read.of_minutes(Severity.WARNING)
    assert Share(4, 60) == warnings
    assert thinned == pytest.approx(5 / 3)
    assert (Share(0, 60), 1.0) == read.of_minutes(Severity.CRITICAL)
    assert ((ERROR, 4), (ODD, 1)) == read.matches


def test_what_came_before_the_job_is_not_observed() -> None:
    """The time before its first entry says nothing about it."""
    read = past(batch(at="20m", entries=5)).result()
    assert (5, 40, instant("20m")) == (read.entries, read.minutes, read.heard_from)


def test_holes_are_left_out() -> None:
    """Minutes that a hole touches were not observed; overlapping ones count once; the last one begins what is whole."""
    holes = (gap("5m", "9m30s"), gap("9m", "10m"), gap("50m", "50m", reason=GapReason.POISON))
    read = past(batch(at="0s", entries=1), batch(at="55m", entries=1, gaps=holes)).result()
    assert 60 - 6 - 1 == read.minutes
    assert span("10m") == read.whole


def test_another_job_is_not_this_one() -> None:
    """Neither its entries nor its errors nor its holes."""
    read = past(
        batch(match("1m", job=OTHER_JOB), at="2m", job=OTHER_JOB, gaps=(gap("1m", "9m", job=OTHER_JOB),))
    ).result()
    assert (0, 0, 0) == (read.entries, read.minutes, read.whole)


def test_kinds_are_bounded() -> None:
    """A job with more kinds than that knows them no longer."""
    many = [error("1m", f"kind-{number}") for number in range(MOST_KINDS + 1)]
    read = past(batch(*many, at="2m")).result()
    assert (MOST_KINDS, True) == (len(read.kinds), read.kinds_cut)
    assert read.knows("kind-7")
    assert not read.knows(f"kind-{MOST_KINDS}")


def test_reading_that_ended_early() -> None:
    """What was read up to there is what is known."""
    read = past(batch(at="0s", entries=1)).result(until=instant("10m"))
    assert (True, 10, instant("10m")) == (read.limited, read.minutes, read.until)


def test_what_could_not_be_read_says_why() -> None:
    """All of it is zero."""
    read = unread("no such directory", since=instant("0s"), until=instant("1h"))
    assert ("no such directory", 0, 0) == (read.problem, read.minutes, read.whole)


def test_runs_before() -> None:
    """How they ended and how long they took; one that was stopped is neither."""
    ended = [
        run("10m", 1, since="0s"),
        run("20m", 2, since="18m"),
        run("30m", 3, since=None, failed=True),
        run("40m", 4, since="35m", outcome=RunOutcome.STOPPED),
        run("50m", 5, since="49m"),
    ]
    runs = past(batch(*ended, at="50m")).result().runs
    assert OldRuns(succeeded=3, failed=1, median=span("2m"), longest=span("10m")) == runs
    assert Share(1, 4) == runs.share
