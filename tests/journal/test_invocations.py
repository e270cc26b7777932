"""Runs by PID 1's records: what real systemds wrote, read from journal files by the scanner."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.parts.journals import START, STEP, Fields, open_reader, write_journal
from tests.parts.pid1 import STOPPING, UNIT, breaks, fails, invocation, line, record, service_starts, succeeds
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import Usec
from watcher.core.found import Found, Match, RunBegan, RunEnded, RunOutcome
from watcher.core.job_runs import JOB_FIELD, RESULT_FIELD, RUN_BEGAN, RUN_FAILED, RUN_FIELD, RUN_SUCCEEDED, STATUS_FIELD
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.extent import read_extent
from watcher.journal.invocations import DEACTIVATED, MOST_KEPT, STARTED, STARTING, Ended, Invocations, Record
from watcher.journal.scan import Scanner, Tally
from watcher.journal.source import Source

GOLDEN = Path(__file__).parent.parent / "golden" / "runs"
SYSTEMDS = sorted(path.stem for path in GOLDEN.glob("*.export"))
ERROR = Rule(name=RuleName("error"), severity=Severity.ERROR, match="error")


def job(*units: str, identifiers: tuple[str, ...] = (), run_as: int | None = None) -> WatchedJob:
    return WatchedJob(name=JobName("import"), units=units, identifiers=identifiers, rules=(ERROR,), run_as=run_as)


def scanned(directory: Path, entries: Sequence[Fields], watched: WatchedJob) -> Tally:
    """What one pass over a journal of these entries finds."""
    scanner, reader = Scanner([watched]), open_reader(write_journal(directory, entries))
    while scanner.scan(reader, entries=1000, matches=10**9):
        pass
    return scanner.drain()


def ended(tally: Tally) -> list[tuple[str, str, str, str]]:
    """Each run that ended: unit, outcome, result and status."""
    runs = [one for one in tally.found if isinstance(one, RunEnded)]
    return [(run.unit, str(run.outcome), run.result, run.status) for run in runs]


def exported(name: str) -> Iterator[Fields]:
    """The entries of a stored export."""
    entry: dict[str, str | int] = {}
    for text in (GOLDEN / f"{name}.export").read_text().split("\n"):
        if text.startswith("#"):
            continue
        if not text and entry:
            yield entry
            entry = {}
        elif text:
            key, _, value = text.partition("=")
            entry[key] = value


@pytest.mark.parametrize("systemd", SYSTEMDS)
def test_what_systemd_really_wrote(tmp_path: Path, systemd: str) -> None:
    """Every kind of unit and end, from a booted machine: each run once, with its outcome."""
    expected = json.loads((GOLDEN / f"{systemd}.json").read_text())
    tally = scanned(tmp_path, list(exported(systemd)), job("r-*"))
    runs: dict[str, list[list[str]]] = {}
    for unit, *how in ended(tally):
        runs.setdefault(unit, []).append(how)
    assert expected == runs
    begun = [one for one in tally.found if isinstance(one, RunBegan)]
    assert len(begun) == len({one.invocation for one in begun}) == sum(map(len, runs.values()))
    assert all(one.began is not None for one in tally.found if isinstance(one, RunEnded))


def test_a_run_has_its_begin_and_its_end(tmp_path: Path) -> None:
    """So that its duration is known, and whether it is older than a release."""
    tally = scanned(tmp_path, [*succeeds(1), line("error", 1)], job(UNIT))
    begin, end = tally.found[0], tally.found[1]
    assert isinstance(begin, RunBegan)
    assert isinstance(end, RunEnded)
    assert (begin.at, invocation(1), RunOutcome.SUCCEEDED) == (end.began, end.invocation, end.outcome)
    assert end.at > begin.at


def test_a_match_knows_when_its_invocation_began(tmp_path: Path) -> None:
    """Also one that is about a unit, by PID 1; of an invocation that nobody saw begin it is not known."""
    lines: list[Fields] = [line("error 0", 9), *service_starts(1), line("error 1", 1), line("error 2", 9)]
    tally = scanned(tmp_path, lines, job(UNIT))
    begin = next(one.at for one in tally.found if isinstance(one, RunBegan))
    matches = [(one.invocation, one.began) for one in tally.found if isinstance(one, Match)]
    assert [(invocation(9), None), (invocation(1), begin), (invocation(9), None)] == matches


def test_a_line_of_another_unit_has_no_invocation(tmp_path: Path) -> None:
    """A job that is known by an identifier does not know whose runs those are."""
    entry = line("error", 3, unit="cron.service", SYSLOG_IDENTIFIER="import")
    (match,) = scanned(tmp_path, [entry], job(identifiers=("import",))).found
    assert isinstance(match, Match)
    assert ("", None) == (match.invocation, match.began)


@pytest.mark.parametrize("forged", [{"_PID": 700}, {"UNIT": "import.timer"}, {"INVOCATION_ID": ""}])
def test_what_is_no_record_of_a_run_is_none(tmp_path: Path, forged: Fields) -> None:
    """Not from PID 1, not about a service, or about no invocation (a failed dependency)."""
    entries = [{**entry, "_SYSTEMD_UNIT": "init.scope", **forged} for entry in fails(1)]
    assert [] == ended(scanned(tmp_path, entries, job(UNIT, "import.timer")))


def test_any_cut_finds_the_same_runs(tmp_path: Path) -> None:
    """Batches that end anywhere, are thrown away and read again, or go on in another process."""
    entries: list[Fields] = []
    for number in range(12):
        entries += [*fails(number), line("error", number)] if number % 3 else succeeds(number)
    directory = write_journal(tmp_path, entries)
    whole = scanned(tmp_path / "whole", entries, job(UNIT)).found
    chance = random.Random(7)
    for _ in range(30):
        scanner, reader = Scanner([job(UNIT)]), open_reader(directory)
        found: list[Found] = []
        position = 0
        while True:
            size = chance.randint(1, 6)
            read = scanner.scan(reader, entries=size, matches=10**9)
            if read and chance.random() < 0.3:
                scanner.discard()
                reader.seek_head()
                for _ in range(position):
                    reader._next()
                continue
            found += scanner.drain().found
            position += read
            if not read:
                break
            if chance.random() < 0.3:
                carry = json.loads(json.dumps(scanner.carry()))
                scanner = Scanner([job(UNIT)])
                scanner.resume(carry)
        assert [(type(one), one.job, one.at) for one in whole] == [(type(one), one.job, one.at) for one in found]


A: Fields = {"_MACHINE_ID": "a" * 32, "_BOOT_ID": "c" * 32}
B: Fields = {"_MACHINE_ID": "b" * 32, "_BOOT_ID": "d" * 32}


def of_hosts(a: Sequence[Fields], b: Sequence[Fields], order: str) -> list[Fields]:
    """The entries of two hosts in this order."""
    left = {"a": [{**one, **A} for one in a], "b": [{**one, **B} for one in b]}
    assert [len(a), len(b)] == [order.count(host) for host in "ab"]
    return [left[host].pop(0) for host in order]


@pytest.mark.parametrize("order", ["aaabbb", "abaabb", "abbaab", "ababab", "bbaaab"])
def test_runs_of_two_hosts_that_are_called_the_same(tmp_path: Path, order: str) -> None:
    """However they lie between each other, no begin is lost, and each end knows the begin of its own run."""
    directory = write_journal(tmp_path, of_hosts(succeeds(1), succeeds(2), order))
    readings = list(read_extent(Source(directory=str(directory)), [job(UNIT)], since=Usec(START)))
    found = [one for reading in readings for one in reading.found]
    begun = {one.invocation: one.at for one in found if isinstance(one, RunBegan)}
    assert {invocation(run): Usec(START + order.index(host) * STEP) for run, host in ((1, "a"), (2, "b"))} == begun
    over = {one.invocation: (one.outcome, one.began) for one in found if isinstance(one, RunEnded)}
    assert {run: (RunOutcome.SUCCEEDED, at) for run, at in begun.items()} == over
    assert [] == [gap for reading in readings for gap in reading.gaps]


def test_a_lost_begin_is_found_among_two_hosts(tmp_path: Path) -> None:
    """A host's record that is missing is missed, whatever the other one tells, and over a restart as well."""
    lost = of_hosts([*succeeds(1), *succeeds(3)[1:]], succeeds(2), "abaabbaa")
    directory = write_journal(tmp_path, lost)
    for cut in range(len(lost)):
        reader, gaps = open_reader(directory), list[Gap]()
        carry: dict[str, object] = {}
        for size in (cut, len(lost) - cut):
            scanner = Scanner([job(UNIT)], by_host=True)
            scanner.resume(json.loads(json.dumps(carry)))
            scanner.scan(reader, entries=size, matches=10**9)
            gaps += scanner.drain().gaps
            carry = scanner.carry()
        assert [(GapReason.MISSING, START + 3 * STEP, START + 6 * STEP)] == [
            (gap.reason, gap.since, gap.until) for gap in gaps
        ]


def test_units_without_end_are_bounded() -> None:
    """Those that spoke last are remembered, over a restart as well; what is malformed is left out."""
    known = Invocations()
    for number in range(MOST_KEPT + 10):
        known.take(Record(what=STARTED, unit=f"u{number}", invocation="i", at=Usec(number), text="Started u."))
    assert (MOST_KEPT, "", "i") == (len(known.dump()), known.last("u9"), known.last("u10"))
    again = Invocations()
    again.load([*known.dump(), ["half"], 7, None])
    assert known.dump() == again.dump()
    again.load("nothing")
    assert [] == again.dump()


def test_runs_that_came_and_went_do_not_crowd_out_a_service(tmp_path: Path) -> None:
    """Each command of `watcher job exec` is a run of its own; the service's errors stay those of its invocation."""
    told: Fields = {JOB_FIELD: "import", "_UID": 0, "SYSLOG_IDENTIFIER": "import", "PRIORITY": 6}
    runs: list[Fields] = [
        {**told, "MESSAGE": "a run", "MESSAGE_ID": what, RUN_FIELD: f"run-{number}"}
        for number in range(2 * MOST_KEPT)
        for what in (RUN_BEGAN, RUN_SUCCEEDED)
    ]
    entries = [*service_starts(1), *runs, line("error", 1)]
    tally = scanned(tmp_path, entries, job(UNIT, identifiers=("import",)))
    (error,) = [one for one in tally.found if isinstance(one, Match)]
    assert (invocation(1), tally.found[0].at) == (error.invocation, error.began)


def test_reading_that_begins_in_the_middle_of_a_run_knows_no_begin() -> None:
    """A oneshot that is finished did not begin then."""
    ends = Invocations().take(Record(what=STARTED, unit="u", invocation="i", at=Usec(5), text="Finished u."))
    assert [(RunOutcome.SUCCEEDED, None)] == [(one.outcome, one.began) for one in ends if isinstance(one, Ended)]
    assert 1 == len(ends)


def test_a_new_invocation_ends_what_nobody_saw_end() -> None:
    """After a power cut: the old one is forgotten, the new one is begun, and nothing is counted twice."""
    known = Invocations()
    known.take(Record(what=STARTING, unit="u", invocation="1", at=Usec(1)))
    assert 1 == len(known.take(Record(what=STARTING, unit="u", invocation="2", at=Usec(2))))
    assert (2, None) == (known.began("u", "2"), known.began("u", "1"))


# ------------------------------------------------------------------------------------------------ watcher job exec


def command(what: str, run: str = "c1", *, uid: int = 1000, of: str = "import", **more: str) -> Fields:
    """A record of `watcher job exec`."""
    sender = {"_UID": uid, "_PID": 99, "_SYSTEMD_UNIT": "cron.service", "SYSLOG_IDENTIFIER": "nightly"}
    return {"MESSAGE": "run", "MESSAGE_ID": what, JOB_FIELD: of, RUN_FIELD: run, **sender, **more}


def test_runs_of_commands_count_like_others(tmp_path: Path) -> None:
    """From the user that the job runs as, and from root."""
    failed = command(RUN_FAILED, "c2", uid=0, **{RESULT_FIELD: "exit-code", STATUS_FIELD: "4"})
    entries = [command(RUN_BEGAN), command(RUN_BEGAN, "c2", uid=0), command(RUN_SUCCEEDED), failed]
    tally = scanned(tmp_path, entries, job(identifiers=("nightly",), run_as=1000))
    assert [("succeeded", "", ""), ("failed", "exit-code", "4")] == [run[1:] for run in ended(tally)]
    assert 2 == sum(isinstance(one, RunBegan) for one in tally.found)


@pytest.mark.parametrize("forged", [command(RUN_FAILED, uid=1001), command(RUN_FAILED, of="export")])
def test_another_user_can_forge_no_run(tmp_path: Path, forged: Fields) -> None:
    """Journald says who sent it; and it is a run of the job that it names."""
    assert () == scanned(tmp_path, [forged], job(identifiers=("nightly",), run_as=1000)).found


def test_a_run_that_is_said_to_end_twice_counts_once(tmp_path: Path) -> None:
    """Whatever comes after its end says it again."""
    entries = [command(RUN_BEGAN), command(RUN_FAILED), command(RUN_SUCCEEDED), command(RUN_FAILED)]
    assert 1 == len(ended(scanned(tmp_path, entries, job(identifiers=("nightly",), run_as=1000))))


def test_a_crash_of_a_service_is_one_run_and_one_match(tmp_path: Path) -> None:
    """The rule on its record and the run are two things that are found, once each."""
    rule = Rule(name=RuleName("failed"), severity=Severity.CRITICAL, message_id="d9b373ed55a64feb8242e02dbe79a49c")
    watched = WatchedJob(name=JobName("import"), units=(UNIT,), identifiers=(), rules=(rule,))
    entries = [*service_starts(1), *breaks(1), record("be02cf6855d2428ba40df7e9d022f03d", 1)]
    assert [RunBegan, RunEnded, Match] == [type(one) for one in scanned(tmp_path, entries, watched).found]


@pytest.mark.parametrize("first", ["exited", "failed", "stopping"])
def test_run_whose_begin_is_lost_is_a_hole(tmp_path: Path, first: str) -> None:
    """A unit has one invocation at a time, so a record of a second one that never began tells of a missing entry."""
    later = {
        "exited": breaks(2),
        "failed": breaks(2)[1:],
        "stopping": [record(STOPPING, 2)],
    }[first]
    entries = [*succeeds(1), *later]
    found = scanned(tmp_path, entries, job(UNIT))
    assert [(GapReason.MISSING, START + 2 * STEP, START + 3 * STEP, None)] == [
        (gap.reason, gap.since, gap.until, gap.entries) for gap in found.gaps
    ]


def test_run_that_was_there_before_anybody_looked_is_no_hole(tmp_path: Path) -> None:
    """Of the first invocation that is seen of a unit nobody can tell whether its begin was logged."""
    found = scanned(tmp_path, [*breaks(1), *fails(2), *service_starts(3)], job(UNIT))
    assert [] == list(found.gaps)


def test_a_clock_that_is_set_moves_what_is_remembered() -> None:
    """When an invocation began is told by the clock that later entries have; one that was there before stays so."""
    runs = Invocations()
    runs.take(Record(what=STARTING, unit="a.service", invocation="a1", at=Usec(5000)))
    runs.take(Record(what=DEACTIVATED, unit="b.service", invocation="b1", at=Usec(6000)))
    runs.set_clock(-1000)
    assert (4000, None) == (runs.began("a.service", "a1"), runs.began("b.service", "b1"))
    assert [4000, 5000] == [item[2] for item in runs.dump()]
