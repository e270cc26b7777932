"""Reading entries: whose they are, what is counted, what matches. journalctl is the oracle."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.parts.journals import START, STEP, Fields, open_reader, shown, write_journal
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.found import JobTally, Match
from watcher.core.names import JobName, RuleName
from watcher.core.rule import FieldCondition, Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.matcher import LONGEST_TEXT
from watcher.journal.patterns import PatternError
from watcher.journal.places import MOST_KNOWN
from watcher.journal.scan import Scanner, Tally

CORE_DUMP = "fc2e22bc6ee647b6b90729ab34a250b1"
EXEC_FAILED = "641257651c1b4ec9a8624d7a40a9e1e7"
UNIT_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
EXITED = "98e322203f7a4ed290d09fe03c09fe15"
START_FAILED = "be02cf6855d2428ba40df7e9d022f03d"
SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"
KERNEL_MISSED = "e9bf28e6e834481bb6f48f548ad13606"


def rule(name: str, match: str | None = None, *, severity: Severity = Severity.ERROR, **more: Any) -> Rule:
    """A rule."""
    return Rule(name=RuleName(name), severity=severity, match=match, **more)


ANY = rule("any", ".", severity=Severity.INFO)
ERROR = rule("error", "error")


def job(name: str, *units: str, rules: Sequence[Rule] = (ERROR,), identifiers: Sequence[str] = ()) -> WatchedJob:
    """A job."""
    return WatchedJob(name=JobName(name), units=units, identifiers=tuple(identifiers), rules=tuple(rules))


def line(text: str, unit: str = "import.service", **fields: Any) -> dict[str, Any]:
    """An ordinary line of a unit, as journald stores one of its standard output."""
    sender = {"_SYSTEMD_UNIT": unit, "_PID": "700", "_UID": "900", "_TRANSPORT": "stdout", "_STREAM_ID": "5" * 32}
    return {"MESSAGE": text, "PRIORITY": "6", **sender, **fields}


def record(
    text: str, message_id: str, unit: str = "import.service", run: str = "1" * 32, **more: Any
) -> dict[str, Any]:
    """A record of PID 1 about a unit."""
    sender = {"_SYSTEMD_UNIT": "init.scope", "_PID": "1", "_UID": "0", "_TRANSPORT": "journal"}
    return {"MESSAGE": text, "MESSAGE_ID": message_id, "UNIT": unit, "INVOCATION_ID": run, **sender, **more}


def instant(place: int) -> Usec:
    """When the entry at this place of a journal stands, the first one at place 0."""
    return Usec(START + place * STEP)


def scanned(directory: Path, jobs: Sequence[WatchedJob], entries: Sequence[Fields]) -> Tally:
    """The tally of a journal with these entries."""
    write_journal(directory / "journal", entries)
    return read_all(Scanner(jobs), directory / "journal")


def read_all(scanner: Scanner, directory: Path) -> Tally:
    """The tally of the whole journal."""
    with open_reader(directory) as reader:
        while scanner.scan(reader, entries=1000, matches=10**9):
            pass
    return scanner.drain()


def matches(tally: Tally) -> list[Match]:
    """What was matched, without the runs."""
    return [one for one in tally.found if isinstance(one, Match)]


def fired(tally: Tally) -> list[tuple[int, tuple[str, ...]]]:
    """Where in the journal which rules fired."""
    return [((match.at - START) // STEP, match.rules) for match in matches(tally)]


# ---------------------------------------------------------------------------------------------------------- whose


UNITS = (
    "a.service",
    "b@1.service",
    "b@22.service",
    "init.scope",
    "cron.service",
    "systemd-coredump@3.service",
    "c.slice",
)


def random_entries(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Entries with honest and forged fields in all combinations."""
    dice = random.Random(seed)

    def maybe(name: str, values: Sequence[Any], chance: float) -> Iterator[tuple[str, Any]]:
        if dice.random() < chance:
            yield name, dice.choice(values)

    def several(names: Sequence[str]) -> list[list[str]]:
        return [[name] for name in names] * 3 + [dice.sample(names, 2)]

    for number in range(count):
        yield dict(
            [
                (
                    "MESSAGE",
                    dice.choice(["fine", "error", "import.service: error", b"b\xe4d\nerror", ""]) or f"{number}",
                ),
                *maybe("_SYSTEMD_UNIT", UNITS, 0.8),
                *maybe("_PID", ["1", "1", "2", "11"], 0.9),
                *maybe("_UID", ["0", "0", "1000", "00"], 0.9),
                *maybe("UNIT", several(UNITS), 0.4),
                *maybe("OBJECT_SYSTEMD_UNIT", several(UNITS), 0.4),
                *maybe("COREDUMP_UNIT", several(UNITS), 0.4),
                *maybe("MESSAGE_ID", [[CORE_DUMP], [UNIT_FAILED], [UNIT_FAILED, CORE_DUMP]], 0.6),
                *maybe("_SYSTEMD_SLICE", ["c.slice", "system.slice", "a.service"], 0.5),
                *maybe("SYSLOG_IDENTIFIER", ["load", "other"], 0.5),
                *maybe("_TRANSPORT", ["driver", "stdout", "kernel"], 0.9),
            ]
        )


UNIT_LISTS: Mapping[str, tuple[str, ...]] = {
    "one": ("a",),
    "glob": ("b@*.service",),
    "some": ("a.service", "cron", "b@??.service"),
    "slice": ("c.slice",),
    "systemd": ("*.scope", "[!ac]*.service"),
    "nothing": ("nosuch@*.service",),
    "wide": ("c*",),
}


@pytest.mark.parametrize("seed", range(6))
def test_a_job_has_the_entries_that_journalctl_shows(tmp_path: Path, seed: int) -> None:
    """With whatever fields somebody forges, and whatever they say in files that no journald wrote."""
    write_journal(tmp_path, random_entries(seed, 400))
    for name, units in UNIT_LISTS.items():
        expected = cursors_shown(tmp_path, units)
        tally = read_all(Scanner([job(name, *units, rules=[ANY])]), tmp_path)
        assert expected == [match.cursor for match in matches(tally)]
        assert (400, len(expected)) == (tally.entries, sum(one.entries for one in tally.tallies))


@pytest.mark.parametrize("seed", range(4))
def test_many_jobs_have_the_entries_that_journalctl_shows(tmp_path: Path, seed: int) -> None:
    """Each as if it were alone, where PID 1 is root, as everywhere."""
    write_journal(tmp_path, map(with_pid_1_as_root, random_entries(seed, 400)))
    jobs = [job(name, *units, rules=[ANY]) for name, units in UNIT_LISTS.items()]
    tally = read_all(Scanner(jobs), tmp_path)
    for one in jobs:
        assert cursors_shown(tmp_path, one.units) == [match.cursor for match in matches(tally) if match.job == one.name]


def cursors_shown(directory: Path, units: Sequence[str]) -> list[str]:
    """The entries that `journalctl -u` shows for these units."""
    options = [option for unit in units for option in ("-u", unit)]
    return [entry["__CURSOR"] for entry in shown(directory, *options)]


def with_pid_1_as_root(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry whose trusted fields agree with each other."""
    return {**entry, "_UID": "0"} if entry.get("_PID") == "1" else entry


@pytest.mark.parametrize("seed", range(2))
def test_counts_do_not_depend_on_matches(tmp_path: Path, seed: int) -> None:
    """The short way, taken by entries without a match, counts as the long one does."""
    write_journal(tmp_path, random_entries(100 + seed, 400))
    names = list(UNIT_LISTS)
    short = read_all(
        Scanner([job(name, *UNIT_LISTS[name], identifiers=["load"], rules=[]) for name in names]), tmp_path
    )
    long = read_all(
        Scanner([job(name, *UNIT_LISTS[name], identifiers=["load"], rules=[ANY]) for name in names]), tmp_path
    )
    assert long.tallies == short.tallies


def test_identifiers_own_entries_too(tmp_path: Path) -> None:
    """Of any unit, and of none; once, where unit and identifier both do."""
    entries = [
        line("error", "cron.service", SYSLOG_IDENTIFIER="load"),
        line("error", "cron.service", SYSLOG_IDENTIFIER="other"),
        line("error", "import.service", SYSLOG_IDENTIFIER="load"),
        {"MESSAGE": "error", "SYSLOG_IDENTIFIER": "load"},
    ]
    tally = scanned(tmp_path, [job("import", "import", identifiers=["load"])], entries)
    assert [(0, ("error",)), (2, ("error",)), (3, ("error",))] == fired(tally)


def test_entries_of_our_own_belong_to_nobody(tmp_path: Path) -> None:
    """A daemon that counted its own lines would answer itself."""
    entries = [
        line("error", "release-watcher.service", SYSLOG_IDENTIFIER="load", _SYSTEMD_SLICE="system.slice"),
        line("error", "release-watcher-rollback@7.service", _UID="0", OBJECT_SYSTEMD_UNIT="import.service"),
        record("error", UNIT_FAILED, "release-watcher.service"),
        record("error", UNIT_FAILED, "release-watcher-rollback@7.service"),
    ]
    tally = scanned(tmp_path, [job("all", "release-watcher*", "import", identifiers=["load"]), job("b", "b")], entries)
    assert (4, (), ()) == (tally.entries, tally.tallies, tally.found)


def test_an_entry_of_two_jobs_matches_for_each(tmp_path: Path) -> None:
    """Each by its own rules."""
    jobs = [job("one", "import"), job("two", "im*.service", rules=[ERROR, ANY]), job("three", "x")]
    tally = scanned(tmp_path, jobs, [line("error"), line("fine")])
    assert [
        ("one", ("error",), Severity.ERROR),
        ("two", ("error", "any"), Severity.ERROR),
        ("two", ("any",), Severity.INFO),
    ] == [(match.job, match.rules, match.severity) for match in matches(tally)]


def test_more_units_than_are_remembered(tmp_path: Path) -> None:
    """Instances without end are counted, and forgotten again."""
    count = MOST_KNOWN + 100
    scanner = Scanner([job("import", "import@*.service")])
    write_journal(tmp_path, (line("fine", f"import@{number}.service") for number in range(count)))
    assert count == sum(tally.entries for tally in read_all(scanner, tmp_path).tallies)
    assert len(scanner._places.known) <= MOST_KNOWN


# ------------------------------------------------------------------------------------------------------------ what


def test_a_tally_tells_counts_and_instants(tmp_path: Path) -> None:
    """First and last entry of a job, and of anybody."""
    tally = scanned(
        tmp_path, [job("import", "import"), job("idle", "idle")], [line("x", "x"), *[line("error")] * 3, {}]
    )
    cursor = shown(tmp_path / "journal")[1]["__CURSOR"]
    counted = JobTally(job=JobName("import"), entries=3, first_at=instant(1), last_at=instant(3))
    assert (5, (counted,), instant(4)) == (tally.entries, tally.tallies, tally.last_at)
    first = Match(
        job=JobName("import"), rules=(RuleName("error"),), severity=Severity.ERROR, at=instant(1), cursor=cursor
    )
    assert first == tally.found[0]


def test_hostile_messages(tmp_path: Path) -> None:
    """Missing, empty, repeated, binary, wrong in UTF-8, of 2 MiB: all are counted, what can be read is matched."""
    far = b"x" * LONGEST_TEXT + b" error"
    near = b"x" * (LONGEST_TEXT - 6) + b" error" + b"y" * (2 << 20)
    texts: list[Any] = ["", ["fine", "error"], b"\x00error\xff", "grün error", b"\xff\xfe", near, far, b"gr\xfcn error"]
    entries = [{"_SYSTEMD_UNIT": "import.service", "_PID": "7"}, *(line(text) for text in texts)]
    tally = scanned(tmp_path, [job("import", "import")], entries)
    assert ([9], [3, 4, 6, 8]) == ([one.entries for one in tally.tallies], [place for place, _ in fired(tally)])


def test_any_text_of_a_bad_priority(tmp_path: Path) -> None:
    """A rule of a priority only fires for that; a priority that is no number is none."""
    wanted = rule("priority", ".", where=(FieldCondition(field="PRIORITY", at_most=3),))
    levels: list[Any] = ["3", "4", "0", "5" * 5000, "abc", "-1", b"3\n", "", "3 ", b"\xb2"]
    entries = [
        *(line("text", PRIORITY=level) for level in levels),
        {"MESSAGE": "text", "_SYSTEMD_UNIT": "import.service"},
    ]
    assert [(0, ("priority",)), (2, ("priority",))] == fired(
        scanned(tmp_path, [job("import", "import", rules=[wanted, ERROR])], entries)
    )


# ------------------------------------------------------------------------------------------------------ whom to trust

FAILED = rule("unit-failed", message_id=UNIT_FAILED)
DUMPED = rule("core-dump", message_id=CORE_DUMP)
EXEC = rule("exec-failed", message_id=EXEC_FAILED)


def test_message_ids_count_only_from_whom_they_are_believed(tmp_path: Path) -> None:
    """PID 1 for units, root for core dumps, a process of the job itself for a failed exec."""
    dump = {"MESSAGE_ID": CORE_DUMP, "COREDUMP_UNIT": "import.service", "_SYSTEMD_UNIT": "systemd-coredump@1.service"}
    spawn = "import.service: Failed at step EXEC spawning /nowhere: No such file or directory"
    entries = [
        record("import.service: Failed with result 'exit-code'.", UNIT_FAILED),
        line("import.service: Failed with result 'exit-code'.", MESSAGE_ID=UNIT_FAILED),
        {**record("x", UNIT_FAILED), "_PID": "2", "_SYSTEMD_UNIT": "import.service"},
        {**dump, "MESSAGE": "Process 7 (import) of user 900 dumped core.", "_UID": "0", "_PID": "8"},
        {**dump, "MESSAGE": "Process 7 (import) of user 900 dumped core.", "_UID": "900", "_PID": "8"},
        line("Process 7 dumped core.", MESSAGE_ID=CORE_DUMP, COREDUMP_UNIT="import.service"),
        line(spawn, MESSAGE_ID=EXEC_FAILED, _TRANSPORT="journal"),
        line(spawn, "other.service", MESSAGE_ID=EXEC_FAILED, SYSLOG_IDENTIFIER="load"),
        line(spawn),
    ]
    watched = job("import", "import", rules=[FAILED, DUMPED, EXEC], identifiers=["load"])
    assert [(0, ("unit-failed",)), (3, ("core-dump",)), (6, ("exec-failed",))] == fired(
        scanned(tmp_path, [watched], entries)
    )


def test_a_core_dump_of_a_unit_that_is_taken_with_its_helper(tmp_path: Path) -> None:
    """A job of every unit owns systemd-coredump's line for its own sake, and still believes it."""
    entry = {"MESSAGE": "Process 7 dumped core.", "MESSAGE_ID": CORE_DUMP, "COREDUMP_UNIT": "import.service"}
    sender = {"_SYSTEMD_UNIT": "systemd-coredump@1.service", "_UID": "0", "_PID": "8"}
    assert [(0, ("core-dump",))] == fired(
        scanned(tmp_path, [job("all", "*.service", rules=[DUMPED])], [{**entry, **sender}])
    )


SUPPRESSION = {
    "MESSAGE": "Suppressed 430 messages from import.service", "MESSAGE_ID": SUPPRESSED, "N_DROPPED": "430",
    "OBJECT_SYSTEMD_UNIT": "import.service", "_TRANSPORT": "driver", "_UID": "0", "_PID": "200",
    "_SYSTEMD_UNIT": "systemd-journald.service",
}  # fmt: skip


def test_suppressed_messages_are_a_gap_of_the_job(tmp_path: Path) -> None:
    """Journald says so itself; of other units it says nothing to us."""
    entries = [
        SUPPRESSION,
        {**SUPPRESSION, "OBJECT_SYSTEMD_UNIT": "x.service"},
        {**SUPPRESSION, "N_DROPPED": "9" * 5000},
    ]
    tally = scanned(tmp_path, [job("import", "import")], entries)
    assert [(GapReason.DROPPED, "import", 430, instant(0)), (GapReason.DROPPED, "import", None, instant(2))] == [
        (gap.reason, gap.job, gap.entries, gap.until) for gap in tally.gaps
    ]


@pytest.mark.parametrize(
    "forged", [{"_TRANSPORT": "journal"}, {"_SYSTEMD_UNIT": "import.service"}, {"_SYSTEMD_UNIT": "evil.service"}]
)
def test_a_forged_suppression_is_nothing(tmp_path: Path, forged: dict[str, str]) -> None:
    """Only journald can tell what it dropped."""
    assert () == scanned(tmp_path, [job("import", "import")], [{**SUPPRESSION, **forged}]).gaps


def test_missed_kernel_messages_are_a_gap_of_everybody(tmp_path: Path) -> None:
    """Nobody can know whose they were."""
    entry = {**SUPPRESSION, "MESSAGE_ID": KERNEL_MISSED, "MESSAGE": "Missed 12 kernel messages"}
    del entry["OBJECT_SYSTEMD_UNIT"]
    expected = Gap(reason=GapReason.KERNEL, since=Usec(START - 30 * SECOND), until=Usec(START))
    assert (expected,) == scanned(tmp_path, [job("import", "import")], [entry]).gaps


# --------------------------------------------------------------------------------------------------- once and until


ONCE = [
    rule("unit-failed", message_id=UNIT_FAILED, once="run"),
    rule("exec-failed", message_id=EXEC_FAILED, once="run"),
    rule("start-failed", message_id=START_FAILED, once="run"),
    rule("core-dump", message_id=CORE_DUMP, once="run"),
    ERROR,
]


def test_an_executable_that_is_missing_counts_once(tmp_path: Path) -> None:
    """Two records of the child and three of PID 1 are one failure, also with other jobs about."""
    run = "e" * 32
    spawn = line("import.service: Failed at step EXEC spawning /x: No such file", MESSAGE_ID=EXEC_FAILED, PRIORITY="3")
    entries = [
        {**spawn, "_SYSTEMD_INVOCATION_ID": run, "_TRANSPORT": "journal"},
        {**spawn, "_SYSTEMD_INVOCATION_ID": run, "_TRANSPORT": "journal"},
        record("import.service: Main process exited, code=exited, status=203/EXEC", EXITED, run=run),
        record("import.service: Failed with result 'exit-code'.", UNIT_FAILED, run=run),
        record("Failed to start import.service.", START_FAILED, run=run),
    ]
    for jobs in ([job("import", "import", rules=ONCE)], [job("import", "import", rules=ONCE), job("other", "o")]):
        assert [(0, ("exec-failed",))] == fired(scanned(tmp_path / str(len(jobs)), jobs, entries))


def test_a_crash_loop_counts_each_run_once(tmp_path: Path) -> None:
    """At the start limit PID 1 writes a second record of the last run: it is the same failure."""
    entries = [
        made
        for run in ("1" * 32, "2" * 32, "3" * 32)
        for made in (
            line("error in the run", _SYSTEMD_INVOCATION_ID=run),
            record("import.service: Main process exited", EXITED, run=run),
            record("import.service: Failed with result 'exit-code'.", UNIT_FAILED, run=run),
        )
    ]
    limit = [
        record("import.service: Failed with result 'exit-code'.", UNIT_FAILED, run="3" * 32),
        record("Failed to start import.service.", START_FAILED, run="3" * 32),
    ]
    tally = scanned(tmp_path, [job("import", "import", rules=ONCE)], entries + limit)
    assert [(place, ("error" if place % 3 == 0 else "unit-failed",)) for place in (0, 2, 3, 5, 6, 8)] == fired(tally)


@pytest.mark.parametrize("dump_first", [True, False])
def test_a_crash_that_dumps_core_counts_once(tmp_path: Path, *, dump_first: bool) -> None:
    """The dump names no run; it and PID 1's record come in either order."""
    dump = {
        "MESSAGE": "Process 7 dumped core.", "MESSAGE_ID": CORE_DUMP, "COREDUMP_UNIT": "import.service", "_UID": "0",
        "_SYSTEMD_UNIT": "systemd-coredump@1.service", "_SYSTEMD_INVOCATION_ID": "d" * 32, "_PID": "8",
    }  # fmt: skip
    failed = record("import.service: Failed with result 'core-dump'.", UNIT_FAILED)
    later = {**failed, "INVOCATION_ID": "2" * 32}
    entries = [dump, failed, later] if dump_first else [failed, dump, later]
    assert [0, 2] == [place for place, _ in fired(scanned(tmp_path, [job("import", "import", rules=ONCE)], entries))]


TRACEBACK = rule("traceback", r"^Traceback \(most recent call last\):", until=r"^[A-Za-z_.]+(Error|Exception)")


def test_a_traceback_counts_once(tmp_path: Path) -> None:
    """Its lines can't match, also when it is chained; other streams and what follows can."""
    texts = [
        "Traceback (most recent call last):", '  File "error.py", line 1', "KeyError: 'error'",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):", "    raise error", "ValueError: error",
        "error afterwards", "Traceback (most recent call last):", "    error", "error.Error: error", "another error",
    ]  # fmt: skip
    entries = [line(text) for text in texts]
    entries[2:2] = [line("error of another process", _PID="701"), line("error elsewhere", "b.service")]
    tally = scanned(tmp_path, [job("import", "import", "b", rules=[TRACEBACK, ERROR])], entries)
    names = {0: "traceback", 2: "error", 3: "error", 9: "error", 10: "traceback", 13: "error"}
    assert [(place, (name,)) for place, name in names.items()] == fired(tally)
    assert [14] == [one.entries for one in tally.tallies]


def test_hosts_whose_processes_are_called_the_same(tmp_path: Path) -> None:
    """Where their entries lie between each other, each one's traceback and each one's failed run count once."""
    texts = ["Traceback (most recent call last):", "    error", "ValueError: error"]
    failed = [record("Failed with result 'exit-code'.", UNIT_FAILED, run=run * 32) for run in "12"]
    limit = [record("Failed to start import.service.", START_FAILED, run=run * 32) for run in "12"]
    hosts = [{"_MACHINE_ID": host * 32} for host in "ab"]
    told = [
        *[{**line(text), **host} for text in texts for host in hosts],
        *[{**entry, **host} for pair in (failed, limit) for entry, host in zip(pair, hosts, strict=True)],
    ]
    directory = write_journal(tmp_path, told)
    tally = read_all(Scanner([job("import", "import", rules=[TRACEBACK, *ONCE])], by_host=True), directory)
    expected = [(0, "traceback"), (1, "traceback"), (6, "unit-failed"), (7, "unit-failed")]
    assert [(place, (name,)) for place, name in expected] == fired(tally)


def test_a_line_over_the_limit_of_journald_counts_once(tmp_path: Path) -> None:
    """However many of its pieces match; a worse rule counts by itself, and so do other streams and the next line."""
    cut = {"_LINE_BREAK": "line-max"}
    entries = [
        line("fine", **cut), line("error", **cut), line("error", _PID="701"), line("error", **cut), line("x", **cut),
        line("error at the end of the line"), line("error of the next one"), line("error", **cut), line("fatal error"),
    ]  # fmt: skip
    fatal = Rule(name=RuleName("fatal"), severity=Severity.CRITICAL, match="^fatal")
    tally = scanned(tmp_path, [job("import", "import", rules=[ERROR, fatal])], entries)
    expected = [(1, ("error",)), (2, ("error",)), (6, ("error",)), (7, ("error",)), (8, ("error", "fatal"))]
    assert expected == [(place, tuple(sorted(names))) for place, names in fired(tally)]
    assert [9] == [one.entries for one in tally.tallies]


# ---------------------------------------------------------------------------------------------- how it may be cut up


def mixed_entries(seed: int) -> list[dict[str, Any]]:
    """What a busy job leaves behind: joins, runs, gaps, foreign and forged entries."""
    dice = random.Random(seed)
    makers: list[Callable[[], dict[str, Any]]] = [
        lambda: line("fine"),
        lambda: line("error"),
        lambda: line("Traceback (most recent call last):"),
        lambda: line("  error"),
        lambda: line("ValueError: error"),
        lambda: line("error", _LINE_BREAK="line-max"),
        lambda: line("The above exception was the direct cause of the following exception:"),
        lambda: line("error", "b@1.service", _PID=dice.choice(["1", "2"])),
        lambda: line("Traceback (most recent call last):", "b@1.service"),
        lambda: record(
            "x: failed", UNIT_FAILED, dice.choice(["import.service", "b@1.service"]), dice.choice("12") * 32
        ),
        lambda: dict(SUPPRESSION),
        lambda: {"MESSAGE": "kernel"},
    ]
    return [dice.choice(makers)() for _ in range(400)]


@pytest.mark.parametrize("seed", range(4))
def test_any_cut_gives_the_same_tally(tmp_path: Path, seed: int) -> None:
    """Batches of any size, discarded ones and restarts in between change nothing."""
    write_journal(tmp_path, mixed_entries(seed))
    jobs = [
        job("import", "import", rules=[TRACEBACK, *ONCE]),
        job("b", "b@*.service", "init.scope", rules=[TRACEBACK, *ONCE]),
    ]
    whole = Scanner(jobs)
    expected = read_all(whole, tmp_path)
    dice, scanner = random.Random(seed), Scanner(jobs)
    pieces = []
    with open_reader(tmp_path) as reader:
        place = ""
        while True:
            size, limit = dice.choice([1, 2, 7, 50]), dice.choice([1, 2, 100])
            read = scanner.scan(reader, entries=size, matches=limit)
            if read and dice.random() < 0.3:
                scanner.discard()
                rewind(reader, place)
                continue
            if not read:
                break
            place = reader._get_cursor()
            pieces.append(scanner.drain())
            if dice.random() < 0.3:
                carry = scanner.carry()
                scanner = Scanner(jobs)
                scanner.resume(carry)
    assert expected.found == tuple(match for piece in pieces for match in piece.found)
    assert expected.gaps == tuple(gap for piece in pieces for gap in piece.gaps)
    assert expected.entries == sum(piece.entries for piece in pieces)
    assert {one.job: one.entries for one in expected.tallies} == {
        one.name: sum(tally.entries for piece in pieces for tally in piece.tallies if tally.job == one.name)
        for one in jobs
    }
    assert whole.carry() == scanner.carry()


def rewind(reader: Any, place: str) -> None:
    """Back to right after the entry at `place`, "" for the head."""
    if place:
        reader.seek_cursor(place)
        assert reader._next()
    else:
        reader.seek_head()


def test_reading_stops_right_after_the_match(tmp_path: Path) -> None:
    """So that the last match of a full tally is the last entry that it has."""
    write_journal(tmp_path, [line("fine"), line("error"), line("fine"), line("error"), line("fine")])
    scanner = Scanner([job("import", "import"), job("too", "im*.service")])
    with open_reader(tmp_path) as reader:
        reads = [scanner.scan(reader, entries=10, matches=limit) for limit in (1, 1, 2, 3, 3)]
    assert [2, 0, 2, 1, 0] == reads


class TornReader:
    """A reader of real entries to which one field can't be read, as in a damaged file."""

    def __init__(self, directory: Path, field: str, error: Exception) -> None:
        self._reader = open_reader(directory)
        self._field = field
        self._error = error
        self._next = self._reader._next
        self._get_all: Callable[[], dict[str, bytes | list[bytes]]] = self._reader._get_all
        self._get_cursor = self._reader._get_cursor
        self._get_realtime = self._reader._get_realtime

    def _get(self, field: str) -> bytes:
        if field == self._field:
            raise self._error
        return self._reader._get(field)


def test_an_error_of_the_library_keeps_the_whole_entries(tmp_path: Path) -> None:
    """It passes, and the tally is as it was after the last whole entry."""
    write_journal(tmp_path, [line("fine"), line("error"), record("error", UNIT_FAILED), line("fine")])
    scanner = Scanner([job("import", "import"), job("b", "b")])
    with pytest.raises(OSError, match="torn"):
        scanner.scan(TornReader(tmp_path, "UNIT", OSError("torn")), entries=10, matches=10)
    tally = scanner.drain()
    assert (2, [2], instant(1)) == (tally.entries, [one.entries for one in tally.tallies], tally.last_at)


def test_a_field_that_is_there_and_not_there(tmp_path: Path) -> None:
    """The library leaves out of `_get_all` what it can't read: that is an error, not an entry of somebody else's."""
    write_journal(tmp_path, [record("error", UNIT_FAILED)])
    reader = TornReader(tmp_path, "", OSError())
    reader._get_all = dict
    with pytest.raises(OSError, match="Bad message"):
        Scanner([job("import", "import")]).scan(reader, entries=1, matches=1)


def test_an_entry_on_which_our_own_code_fails_is_passed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted among the entries, told as a gap and logged; its neighbours are read."""
    write_journal(tmp_path, [line("error"), record("error", UNIT_FAILED), line("error")])
    scanner = Scanner([job("import", "import")])
    read = scanner.scan(TornReader(tmp_path, "UNIT", ZeroDivisionError("ours")), entries=10, matches=10)
    tally = scanner.drain()
    assert (3, 3, [2]) == (read, tally.entries, [one.entries for one in tally.tallies])
    assert [(0, ("error",)), (2, ("error",))] == fired(tally)
    assert (Gap(reason=GapReason.POISON, since=instant(1), until=instant(1), entries=1),) == tally.gaps
    assert "an entry can't be matched and is passed" in caplog.text


@pytest.mark.parametrize(
    "carry",
    [{}, {"joins": 7, "runs": "x"}, {"joins": [{}, 5, {"job": "import"}], "runs": [[], [1, 2, 3, 4], ["a"]]}],
)
def test_a_carry_that_is_no_carry(carry: dict[str, Any]) -> None:
    """What is malformed is left out."""
    scanner = Scanner([job("import", "import", rules=[TRACEBACK])])
    scanner.resume(carry)
    assert {"joins": [], "runs": [], "invocations": []} == scanner.carry()


def test_a_carry_of_rules_that_are_gone(tmp_path: Path) -> None:
    """An open join of a rule that joins nothing now is no join any more; with another end it has that."""
    scanner = Scanner([job("import", "import", rules=[TRACEBACK])])
    write_journal(tmp_path, [line("Traceback (most recent call last):")])
    read_all(scanner, tmp_path)
    carry = scanner.carry()
    assert 1 == len(carry["joins"])
    for until, left in ((None, []), ("other", carry["joins"])):
        changed = Scanner([job("import", "import", rules=[rule("traceback", "Traceback", until=until)])])
        changed.resume(carry)
        assert left == changed.carry()["joins"]


@pytest.mark.parametrize(
    "bad",
    [rule("bad", "("), rule("bad", "x", unless="["), rule("bad", "x", until="a)(b"), rule("bad", "x", until="(?=a)")],
)
def test_a_bad_pattern_is_said_at_once(bad: Rule) -> None:
    """Before anything is read."""
    with pytest.raises(PatternError):
        Scanner([job("import", "import", rules=[bad])])


def test_the_entry_of_our_own_that_is_waited_for(tmp_path: Path) -> None:
    """It is heard only from our own unit and with what was told; it is never counted, and nothing else changes."""
    beat = {"WATCHER_HEARTBEAT": "abc"}
    other = [line("error", **beat), line("error", "release-watcher.service", WATCHER_HEARTBEAT="old"), line("error")]
    for more, heard in (([], False), ([line("error", "release-watcher.service", **beat)], True)):
        directory = tmp_path / str(heard)
        write_journal(directory, [*other, *more])
        scanner = Scanner([job("all", "release-watcher*", "import")], heartbeat="abc")
        scanner.scan(open_reader(directory), entries=100, matches=100)
        assert heard is scanner.heard
        assert 2 == sum(tally.entries for tally in scanner.drain().tallies)
