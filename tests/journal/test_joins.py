"""Joins and counted runs: which lines belong to what has been counted."""

from __future__ import annotations

import json

import pytest

from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName, RuleName
from watcher.journal.joins import LONGEST_TIME, MOST_BYTES, MOST_LINES, MOST_OPEN, Join, Joins, Reach, Stream
from watcher.journal.patterns import PatternError
from watcher.journal.runs import MOST_KEPT, SAME_CRASH, CountedRuns

UNTIL = Reach("^[A-Za-z.]+Error")
CONTINUES = Reach(continues=r"^(\tat |Caused by: )")
JOB = JobName("import")
STREAM = Stream(JOB, b"import.service", b"7", b"stdout")
T0 = Usec(1_700_000_000_000_000)


def opened(text: bytes = b"Traceback", stream: Stream = STREAM) -> Joins:
    """A join that was opened at T0."""
    joins = Joins([UNTIL])
    joins.open(stream, Join(rule=RuleName("traceback"), reach=UNTIL, at=T0), text)
    return joins


def taken(joins: Joins, *texts: bytes, at: int = T0) -> list[bool]:
    """Which of the next entries of the stream are joined."""
    return [joins.takes(STREAM, text, Usec(at)) for text in texts]


def test_lines_are_joined_up_to_the_end() -> None:
    """The end itself is joined, what follows is not."""
    assert [True, True, False, False] == taken(opened(), b"  error", b"KeyError: 1", b"error", b"  error")


def test_a_chain_is_one_error() -> None:
    """Blank lines and the runtime's own words lead on to its next part."""
    handling = b"During handling of the above exception, another exception occurred:"
    texts = (b"KeyError: 1", b"", handling, b"Traceback", b"OSError: 2", b" ", b"error")
    assert [True] * 6 + [False] == taken(opened(), *texts)


def test_other_streams_are_not_joined() -> None:
    """Another process, job, unit or channel."""
    joins = opened()
    others = [STREAM._replace(pid=b"8"), STREAM._replace(job=JobName("x")), STREAM._replace(channel=None)]
    assert [False] * 3 == [joins.takes(other, b"error", T0) for other in others]
    assert [True] == taken(joins, b"error")


def test_an_entry_that_holds_its_own_end_joins_nothing() -> None:
    """A traceback in one entry of many lines is over with it; but it may be chained."""
    whole = b"Traceback\n  error\nKeyError: 1"
    assert [[False], [True, True, False]] == [
        taken(opened(whole), b"error"), taken(opened(whole), b"Caused by: x", b"OSError", b"error")
    ]  # fmt: skip


def test_a_first_line_that_looks_like_the_end_is_none() -> None:
    """Only what follows the match can end its join."""
    assert [True] == taken(opened(b"KeyError"), b"error")


@pytest.mark.parametrize(
    ("lines", "text", "after", "expected"),
    [
        (MOST_LINES, b"x", 0, True),
        (MOST_LINES + 1, b"x", 0, False),
        (1, b"x" * MOST_BYTES, 0, True),
        (1, b"x" * (MOST_BYTES + 1), 0, False),
        (1, b"x", LONGEST_TIME, True),
        (1, b"x", LONGEST_TIME + 1, False),
        (1, b"x", -1, False),
    ],
)
def test_a_join_without_an_end_ends(lines: int, text: bytes, after: int, *, expected: bool) -> None:
    """By lines, bytes and time; also when the clock was set back."""
    assert expected == taken(opened(), *[text] * lines, at=T0 + after)[-1]


@pytest.mark.parametrize("step", [-3600 * SECOND, 3600 * SECOND])
def test_a_join_goes_on_over_a_clock_that_is_set(step: int) -> None:
    """The error is one, and its time runs by what has passed."""
    joins = opened()
    joins.set_clock(step)
    assert [True] == taken(joins, b"  error", at=T0 + step + LONGEST_TIME)
    assert [False] == taken(joins, b"  error", at=T0 + step + LONGEST_TIME + 1)


def test_units_with_open_joins_are_known() -> None:
    """That is all that an entry of another unit pays."""
    joins = opened()
    joins.open(STREAM._replace(pid=b"8"), Join(rule=RuleName("traceback"), reach=UNTIL, at=T0), b"")
    assert {b"import.service": 2} == joins.units
    taken(joins, b"KeyError", b"next")
    assert {b"import.service": 1} == joins.units


def test_so_many_joins_and_no_more() -> None:
    """A further one closes the oldest."""
    joins = Joins([UNTIL])
    for number in range(MOST_OPEN + 5):
        stream = STREAM._replace(unit=b"import@%d.service" % number)
        joins.open(stream, Join(rule=RuleName("traceback"), reach=UNTIL, at=T0), b"")
    assert (MOST_OPEN, MOST_OPEN) == (len(joins.units), len(joins.dump()))
    assert b"import@0.service" not in joins.units


def test_joins_go_on_after_a_restart() -> None:
    """Through JSON, with names of any bytes, as if nothing had been."""
    odd = STREAM._replace(unit=b"\xff\xc3.service", pid=None)
    before = opened(b"Traceback", odd)
    assert before.takes(odd, b"KeyError: 1", T0)
    after = Joins([UNTIL])
    after.load(json.loads(json.dumps(before.dump())), lambda _job, _rule: UNTIL)
    assert (before.dump(), before.units) == (after.dump(), after.units)
    assert [True, False] == [after.takes(odd, text, T0) for text in (b"", b"error")]


def test_a_stack_goes_on_after_a_restart() -> None:
    """What continues a join is known again by its rule; without the rule nothing is joined any more."""
    before = Joins([CONTINUES])
    before.open(STREAM, Join(rule=RuleName("stack"), reach=CONTINUES, at=T0), b"Exception")
    dumped = json.loads(json.dumps(before.dump()))
    after, without = Joins([CONTINUES]), Joins([CONTINUES])
    after.load(dumped, lambda _job, _rule: CONTINUES)
    without.load(dumped, lambda _job, _rule: None)
    assert [True, False] == taken(after, b"\tat a.B", b"Error")
    assert [False] == taken(without, b"\tat a.B")


def test_a_copy_is_on_its_own() -> None:
    """What happens to one does not happen to the other."""
    joins = opened()
    twin = joins.copy()
    taken(joins, b"KeyError", b"error")
    assert ({}, {b"import.service": 1}) == (joins.units, twin.units)


@pytest.mark.parametrize("until", ["(", "a)(b"])
def test_a_reach_that_is_no_pattern(until: str) -> None:
    """It is said before anything is joined."""
    for reach in (Reach(until), Reach(continues=until)):
        with pytest.raises(PatternError):
            Joins([reach])


def test_lines_are_joined_as_long_as_they_continue() -> None:
    """The first that does not is an entry of its own, and so is what follows it."""
    joins = Joins([UNTIL, CONTINUES])
    joins.open(STREAM, Join(rule=RuleName("stack"), reach=CONTINUES, at=T0), b"Exception in thread main")
    texts = (b"\tat a.B.c(B.java:7)", b"Caused by: x.IOError", b"\tat a.B", b"Error", b"\tat a.B")
    assert [True, True, True, False, False] == taken(joins, *texts)


def test_continuing_has_the_same_bounds() -> None:
    """Lines, bytes and time, as for any join."""
    bounds = [([b"\tat x"] * (MOST_LINES + 1), 0), ([b"\tat " + b"x" * MOST_BYTES], 0), ([b"\tat "], LONGEST_TIME + 1)]
    for texts, after in bounds:
        joins = Joins([CONTINUES])
        joins.open(STREAM, Join(rule=RuleName("stack"), reach=CONTINUES, at=T0), b"")
        assert not taken(joins, *texts, at=T0 + after)[-1]
        assert {} == joins.units


# ------------------------------------------------------------------------------------------------------------- runs


def counted(*records: tuple[str, str, int]) -> list[bool]:
    """Which of these records (unit, invocation, seconds) count."""
    runs = CountedRuns()
    return [runs.count(JOB, unit, invocation, Usec(T0 + at * SECOND)) for unit, invocation, at in records]


def test_a_run_counts_once() -> None:
    """However long its records take; another run and another unit count by themselves."""
    assert [True, False, True] == counted(("a", "1", 0), ("a", "1", 900), ("a", "2", 901))
    assert [True, True, False] == counted(("a", "2", 0), ("b", "2", 0), ("b", "2", 1))


def test_a_record_without_a_run_belongs_to_the_failure_next_to_it() -> None:
    """Before or after it; farther off it is another one."""
    near, far = SAME_CRASH // SECOND, SAME_CRASH // SECOND + 1
    assert [True, False, True] == counted(("a", "1", 0), ("a", "", near), ("a", "", far))
    assert [True, False, False, True] == counted(("a", "", 0), ("a", "1", near), ("a", "1", far), ("a", "2", far))
    assert [True, True] == counted(("a", "", 0), ("a", "1", far))


@pytest.mark.parametrize("step", [-3600 * SECOND, 3600 * SECOND])
def test_a_crash_and_its_core_dump_on_both_sides_of_a_step(step: int) -> None:
    """They are one error, and an earlier one is not taken for it."""
    runs = CountedRuns()
    assert runs.count(JOB, "a", "1", T0)
    assert runs.count(JOB, "b", "1", Usec(T0 - step))
    runs.set_clock(step)
    at = Usec(T0 + step + SAME_CRASH)
    assert (False, True) == (runs.count(JOB, "a", "", at), runs.count(JOB, "b", "", at))


def test_so_many_units_and_no_more() -> None:
    """The one that was counted longest ago is forgotten, and all others survive a restart."""
    runs = CountedRuns()
    for number in range(MOST_KEPT + 1):
        assert runs.count(JOB, f"a@{number}", "1", T0)
    after = CountedRuns()
    after.load(json.loads(json.dumps(runs.dump())))
    assert MOST_KEPT == len(after.dump())
    assert not after.count(JOB, "a@1", "1", T0)
    assert after.count(JOB, "a@0", "1", T0)
