"""What is found in a unit's last days, in real journal files; and how a threshold counts a burst."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.parts.journals import Fields, write_journal
from watcher.core.duration import HOUR, MINUTE, SECOND, Usec
from watcher.core.names import RuleName
from watcher.core.rule import Rule
from watcher.core.severity import Severity
from watcher.journal.source import Source
from watcher.survey import Survey, fitting, most_within, survey

BEGIN = Usec(1_763_900_000_000_000)
UNIT = "import@eu.service"
STARTING, STARTED, ENDED, FAILED = (
    "7d4958e842da4a758f6c1cdc7b36dcc5",
    "39f53479d3a045ac8e11786248231fbf",
    "7ad2d189f7e94e70a38c781354912448",
    "d9b373ed55a64feb8242e02dbe79a49c",
)
PACKS = {
    "app": [Rule(name=RuleName("boom"), severity=Severity.ERROR, match="^boom")],
    "deadly": [Rule(name=RuleName("dead"), severity=Severity.CRITICAL, match="dead")],
    "other": [Rule(name=RuleName("never"), severity=Severity.ERROR, match="never")],
}


def said(at: int, message: str) -> Fields:
    return {"__REALTIME_TIMESTAMP": BEGIN + at, "_SYSTEMD_UNIT": UNIT, "MESSAGE": message}


def record(at: int, message_id: str, pid: str = "1", run: int = 0) -> Fields:
    facts = {"_PID": pid, "UNIT": UNIT, "MESSAGE_ID": message_id, "MESSAGE": "Started it.", "JOB_RESULT": "done"}
    return {"__REALTIME_TIMESTAMP": BEGIN + at, **facts, "INVOCATION_ID": f"{run + 1:032x}", "UNIT_RESULT": "exit-code"}


def surveyed(directory: Path, *entries: Fields, span: int = 48 * HOUR) -> Survey:
    write_journal(directory, entries)
    source = Source(directory=str(directory))
    return survey(source, "import@*.service", PACKS, since=BEGIN, until=Usec(BEGIN + span))


def test_a_job_that_a_timer_starts(tmp_path: Path) -> None:
    """Runs, their rhythm and how they came out; matches by pack; errors by day, each entry once."""
    run = 6 * HOUR
    entries = []
    for number in range(8):
        entries += [record(number * run, STARTING, run=number), said(number * run + SECOND, "hello")]
        entries += [record(number * run + MINUTE, FAILED if number == 5 else ENDED, run=number)]
        if number != 5:
            entries += [record(number * run + MINUTE + 1, STARTED, run=number)]
        if number == 5:
            entries += [said(number * run + MINUTE + 2, "boom dead")]
    found = surveyed(tmp_path, *entries)
    assert 32 == found.entries
    assert 6 * HOUR == found.rhythm
    assert (8, 7, 1, 1) == (len(found.started), found.ended, found.failed, found.row)
    assert {"app": {"boom": 1}, "deadly": {"dead": 1}} == found.matches
    assert [0, 1] == found.errors_by_day()
    assert ("app",) == found.fits
    assert (1, 0) == (len(found.errors), len(found.criticals))


def test_a_service_that_runs_on(tmp_path: Path) -> None:
    """Restarts of a service are no rhythm: its runs do not end by themselves."""
    found = surveyed(tmp_path, *(record(number * HOUR, STARTED, run=number) for number in range(5)))
    assert found.rhythm is None
    assert 5 == len(found.started)


def test_nobody_else_tells_of_runs(tmp_path: Path) -> None:
    """A record that any user can send starts and fails nothing."""
    forged = [record(number, FAILED, pid="4711") for number in range(3)]
    found = surveyed(tmp_path, *forged, said(10, "hello"))
    assert (0, 0) == (found.failed, len(found.started))


def test_entries_outside_the_span_are_left_out(tmp_path: Path) -> None:
    """`until` itself is outside."""
    found = surveyed(tmp_path, said(-1, "boom"), said(0, "boom"), said(HOUR - 1, "boom"), said(HOUR, "boom"), span=HOUR)
    assert 2 == found.entries
    assert [2] == found.errors_by_day()


def test_packs_that_see_the_same_failure() -> None:
    """The one that sees most is enough, of two the one that sees it first; what stands alone is worth a pack."""
    seen = {"node": [101, 20_000_101], "python": [100, 20_000_100], "go": [100], "generic": [100, 90_000_000]}
    instants = {name: [Usec(at) for at in found] for name, found in seen.items()}
    assert ["python", "generic"] == list(fitting(instants))
    assert [] == list(fitting({}))


@given(st.lists(st.integers(0, 50), max_size=12).map(sorted), st.integers(1, 20))
def test_the_largest_burst(instants: list[int], span: int) -> None:
    """As counted by trying every beginning; both ends of a threshold's span lie less than it apart."""
    at = [Usec(instant) for instant in instants]
    expected = max((sum(begin <= one < begin + span for one in at) for begin in at), default=0)
    assert expected == most_within(at, Usec(span))
