"""Lines read again by their cursors: the child process on real journal files, and the daemon's side of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from systemd._reader import _Reader

from tests.dispatch.scene import until
from tests.journal.written import REMOTE, T0, cursors
from tests.parts.journals import LiveJournal
from watcher.core.duration import MINUTE, Usec
from watcher.core.excerpt import Capture, Excerpt, ReadAgain
from watcher.core.names import JobName, ReleaseId, RuleName
from watcher.core.policy import JobPolicy, Mode, ReleasePolicy
from watcher.core.release import Phase, Release, ReleaseRequest
from watcher.core.trial import Sighting, new_trial
from watcher.journal.excerpt import ANSWER_LIMIT, read_lines
from watcher.journal.excerpts import read_excerpts
from watcher.journal.joins import Reach
from watcher.journal.source import Source

TRACEBACK = RuleName("traceback")
Fields = Mapping[str, str | bytes]


def write(directory: Path, *entries: Fields, name: str = "host", start: int = 0) -> list[str]:
    """Append entries of one microsecond apart to a file of the directory; the cursors of all, oldest first."""
    directory.mkdir(exist_ok=True)
    export = b"".join(_export(start + number, entry) for number, entry in enumerate(entries))
    command = [REMOTE, "-o", str(directory / f"{name}.journal"), "--compress=no", "--seal=no", "-"]
    subprocess.run(command, input=export, check=True, capture_output=True)
    return cursors(directory)


def _export(number: int, fields: Fields) -> bytes:
    """The journal export format; binary values are written with their length."""
    head = {
        "__REALTIME_TIMESTAMP": str(T0 + number),
        "__MONOTONIC_TIMESTAMP": str(1_000_000_000 + number),
        "_BOOT_ID": "a" * 32,
    }
    text = b""
    for name, value in {**head, **fields}.items():
        raw = value if isinstance(value, bytes) else value.encode()
        text += (
            name.encode() + b"\n" + len(raw).to_bytes(8, "little") + raw + b"\n"
            if b"\n" in raw or not (raw.isascii() and raw.decode().isprintable())
            else name.encode() + b"=" + raw + b"\n"
        )
    return text + b"\n"


def line(message: str | bytes, unit: str = "import.service", **fields: str) -> Fields:
    return {"MESSAGE": message, "_SYSTEMD_UNIT": unit, "SYSLOG_IDENTIFIER": "import", "_PID": "7", **fields}


def release(*cursors: str, journalctl: tuple[str, ...] = ("-u", "import.service")) -> Release:
    sightings = tuple(
        Sighting(rules=(TRACEBACK,), at=Usec(T0 + number), cursor=cursor) for number, cursor in enumerate(cursors)
    )
    judged = ReleasePolicy(mode=Mode.OBSERVE, window=MINUTE, settle=Usec(0), thresholds=())
    policy = JobPolicy(name=JobName("import"), owner="", rules={}, rules_hash="", release=judged, journalctl=journalctl)
    return Release(
        id=ReleaseId("r1"),
        request=ReleaseRequest(job=JobName("import"), version="2", author="alice"),
        policy=policy,
        mode=Mode.OBSERVE,
        owner="",
        previous=None,
        registered_at=T0,
        window=MINUTE,
        phase=Phase.WATCHING,
        trial=replace(new_trial(()), sightings=sightings),
    )


async def read(directory: Path, of: Release, **options: Any) -> ReadAgain:
    return await read_excerpts(Source(directory=str(directory)), of, **{"timeout": 20.0, **options})


def messages(excerpt: Excerpt) -> tuple[list[str], str | None, list[str]]:
    line = None if excerpt.line is None else excerpt.line.message
    return [one.message for one in excerpt.before], line, [one.message for one in excerpt.after]


async def test_line_comes_with_three_of_its_unit_on_either_side(tmp_path: Path) -> None:
    """Lines of other units that stand between are passed."""
    entries = [
        line(f"line {number}", unit="import.service" if number % 2 == 0 else "other.service") for number in range(30)
    ]
    every = write(tmp_path / "j", *entries)
    again = await read(tmp_path / "j", release(every[14], every[0], every[28]))
    assert "" == again.problem
    middle, first, last = map(messages, again.excerpts)
    assert (["line 8", "line 10", "line 12"], "line 14", ["line 16", "line 18", "line 20"]) == middle
    assert ([], "line 0", ["line 2", "line 4", "line 6"]) == first
    assert (["line 22", "line 24", "line 26"], "line 28", []) == last


async def test_line_has_what_people_look_for(tmp_path: Path) -> None:
    """Instant, unit, pid, identifier and priority are the entry's own; what it lacks is empty."""
    every = write(tmp_path / "j", line("boom", PRIORITY="3"), {"_SYSTEMD_UNIT": "import.service", "_COMM": "python3"})
    first, bare = (await read(tmp_path / "j", release(*every))).excerpts
    assert first.line is not None
    assert (T0, "import.service", "7", "import", "3", "boom") == (
        first.line.at, first.line.unit, first.line.pid, first.line.identifier, first.line.priority, first.line.message,
    )  # fmt: skip
    assert bare.line is not None
    assert ("", "", "", "python3") == (bare.line.message, bare.line.pid, bare.line.priority, bare.line.identifier)


async def test_records_of_pid_1_stand_with_their_unit(tmp_path: Path) -> None:
    """PID 1 says of the unit that it failed; the unit's own lines are around that, those of other units are not."""
    pid1 = {"_PID": "1", "_SYSTEMD_UNIT": "init.scope", "SYSLOG_IDENTIFIER": "systemd"}
    forged = {"_PID": "8", "_SYSTEMD_UNIT": "evil.service", "UNIT": "import.service"}
    every = write(
        tmp_path / "j",
        {**pid1, "UNIT": "other.service", "MESSAGE": "other failed"},
        line("last words"),
        {**forged, "MESSAGE": "forged"},
        {**pid1, "UNIT": "import.service", "MESSAGE": "import failed"},
        line("first words"),
    )
    (excerpt,) = (await read(tmp_path / "j", release(every[3]))).excerpts
    assert (["last words"], "import failed", ["first words"]) == messages(excerpt)


async def test_job_of_identifiers_has_the_lines_of_its_identifier(tmp_path: Path) -> None:
    """All of cron runs in one unit; what the job's identifier said belongs together, whatever unit it came from."""
    names = ["backup", "nightly", "backup", "nightly", "backup"]
    every = write(
        tmp_path / "j",
        *(line(f"{name} {number}", "cron.service", SYSLOG_IDENTIFIER=name) for number, name in enumerate(names)),
    )
    (excerpt,) = (await read(tmp_path / "j", release(every[2], journalctl=("-t", "backup")))).excerpts
    assert (["backup 0"], "backup 2", ["backup 4"]) == messages(excerpt)


async def test_lines_of_one_unit_on_another_host_are_no_neighbours(tmp_path: Path) -> None:
    """A directory may hold the journals of several hosts."""
    every = write(tmp_path / "j", *(line(f"{host}", _MACHINE_ID=host * 32) for host in "abab"))
    (excerpt,) = (await read(tmp_path / "j", release(every[2]))).excerpts
    assert (["a"], "a", []) == messages(excerpt)


async def test_vanished_entry_is_said_to_be_gone(tmp_path: Path) -> None:
    """A seek lands silently on the next entry: its text must not stand for the one that is gone."""
    every = write(tmp_path / "j", line("kept"))
    old = write(tmp_path / "other", line("vacuumed"), start=500)[0]
    gone, kept = (await read(tmp_path / "j", release(old, every[0]))).excerpts
    assert gone.line is None
    assert () == gone.before + gone.after
    assert ([], "kept", []) == messages(kept)


async def test_entry_that_got_another_number_is_found(tmp_path: Path) -> None:
    """A flush from /run to /var gives new numbers; boot, times and hash stay."""
    every = write(tmp_path / "j", line("one"), line("two"), line("three"))
    number = every[1].split(";")[1]
    renumbered = every[0].replace(
        every[0].split(";", 2)[2], every[1].split(";", 2)[2]
    )  # the number of one, the rest of two
    assert number not in renumbered
    (excerpt,) = (await read(tmp_path / "j", release(renumbered))).excerpts
    assert (["one"], "two", ["three"]) == messages(excerpt)


async def test_identical_lines_of_one_instant_are_each_their_own_neighbours(tmp_path: Path) -> None:
    """Lines of one write share everything but their number."""
    same = {"__REALTIME_TIMESTAMP": str(T0), "__MONOTONIC_TIMESTAMP": "1000000000"}
    every = write(tmp_path / "j", *({**line("same"), **same} for _ in range(4)))
    (excerpt,) = (await read(tmp_path / "j", release(every[2]))).excerpts
    assert (["same", "same"], "same", ["same"]) == messages(excerpt)


async def test_hostile_messages_arrive_as_text(tmp_path: Path) -> None:
    """No bytes make the reading fail: they become characters, and raw, as escaping is the note's."""
    every = write(tmp_path / "j", line(b"\xff\x00\x1b[2J\n```\xed\xa0\x80"), line("x" * 100_000))
    raw, long = (await read(tmp_path / "j", release(*every))).excerpts
    assert raw.line is not None
    assert "\ufffd\x00\x1b[2J\n```\ufffd\ufffd\ufffd" == raw.line.message
    assert long.line is not None
    assert "x" * 2048 + "…" == long.line.message


async def test_captures_of_the_rules_are_evidence(tmp_path: Path) -> None:
    """The first group, or the whole match, of the message's first 16 KiB; what does not match is not there."""
    message = 'Traceback (most recent call last):\n  File "x"\nValueError: row 12'
    every = write(tmp_path / "j", line(message))
    patterns = {TRACEBACK: {"exception": r"(?m)^(\w+Error)", "row": r"row \d+", "none": "(nothing)"}}
    (excerpt,) = (await read(tmp_path / "j", release(every[0]), captures=patterns)).excerpts
    assert (
        Capture(rule=TRACEBACK, name="exception", text="ValueError"),
        Capture(rule=TRACEBACK, name="row", text="row 12"),
    ) == excerpt.captures


async def test_the_exception_at_the_end_of_a_joined_traceback_is_evidence(tmp_path: Path) -> None:
    """Captures see the lines that the rule joined, of that process alone, and the note shows them."""
    own = [
        "Traceback (most recent call last):",
        *[f'  File "x", line {number}' for number in range(6)],
        "KeyError: 'id'",
    ]
    other = {"_PID": "4", "_STREAM_ID": "b" * 32}
    entries = [line(own[0]), {**line("KeyError: other"), **other}, *map(line, own[1:]), line("OSError: later")]
    every = write(tmp_path / "j", *entries)
    captures = {TRACEBACK: {"exception": r"(?m)^(\w+Error: .*)$"}}
    joins = {TRACEBACK: Reach(r"^\w+Error")}
    (excerpt,) = (await read(tmp_path / "j", release(every[0]), captures=captures, joins=joins)).excerpts
    assert (Capture(rule=TRACEBACK, name="exception", text="KeyError: 'id'"),) == excerpt.captures
    assert ["KeyError: other", *own[1:7]] == [one.message for one in excerpt.after]


def test_the_rest_of_an_error_that_is_just_being_written_is_waited_for(tmp_path: Path) -> None:
    """The first line decided about the release; its exception comes a moment later, and is in the note."""
    journal = LiveJournal(tmp_path / "j")
    journal.append(line("Traceback (most recent call last):"))
    (cursor,) = cursors(tmp_path / "j")
    later = [line('  File "x", line 1'), line("KeyError: 'id'")]
    waited = []

    def wait(reader: _Reader) -> None:
        waited.append(len(later))
        if later:
            journal.append(later.pop(0))
        reader.process()

    request = {
        "directory": str(tmp_path / "j"),
        "namespace": None,
        "identifiers": [],
        "around": 3,
        "lines": [{"cursor": cursor, "rules": ["traceback"]}],
        "captures": {"traceback": {"exception": r"(?m)^(\w+Error: .*)$"}},
        "joins": {"traceback": {"until": r"^\w+Error", "continues": None}},
    }
    (found,) = read_lines(request, wait=wait)
    journal.close()
    assert [("traceback", "exception", "KeyError: 'id'")] == found["captures"]
    assert [2, 1] == waited, "no longer than until the end"
    assert ['  File "x", line 1', "KeyError: 'id'"] == [one["message"] for one in found["after"]]


def test_an_error_without_an_end_is_not_waited_for_long(tmp_path: Path) -> None:
    """A process that died in the middle of its traceback, many times over: the waits are counted for all together."""
    every = write(tmp_path / "j", *[line("Traceback", _PID=str(pid)) for pid in range(20)])
    waited: list[_Reader] = []
    request = {
        "directory": str(tmp_path / "j"),
        "namespace": None,
        "identifiers": [],
        "around": 3,
        "lines": [{"cursor": cursor, "rules": ["traceback"]} for cursor in every],
        "captures": {},
        "joins": {"traceback": {"until": "Error", "continues": None}},
    }
    assert 20 == len(read_lines(request, wait=waited.append))
    assert 8 == len(waited)


def _child(request: Mapping[str, Any]) -> bytes:
    command = [sys.executable, "-m", "watcher.journal.excerpt"]
    return subprocess.run(command, input=json.dumps(request).encode(), capture_output=True, check=True).stdout


def test_answer_stays_within_64_kib(tmp_path: Path) -> None:
    """Twenty sightings of the worst text, six JSON characters for each byte of it, still fit; neighbours go first."""
    every = write(tmp_path / "j", *(line(b"\x01" * 3000) for _ in range(30)))
    wanted = [{"cursor": cursor, "rules": ["r"]} for cursor in every[5:25]]
    captures = {"r": {f"name-{number}": "\\x01+" for number in range(100)}}
    request: dict[str, Any] = {"directory": str(tmp_path / "j"), "namespace": None, "identifiers": [], "around": 3}
    output = _child({**request, "lines": wanted, "captures": captures})
    answer = json.loads(output)["lines"]
    assert len(output) <= ANSWER_LIMIT
    assert 20 == len(answer)
    assert all(one["line"]["message"].startswith("\x01" * 100) for one in answer)


async def test_far_neighbours_are_not_searched_for_without_end(tmp_path: Path) -> None:
    """After 2,000 entries of others the search ends, and the line stands alone."""
    others = [line("noise", unit="noise.service")] * 2001
    every = write(tmp_path / "j", line("before"), *others, line("alone"), *others, line("after"))
    (excerpt,) = (await read(tmp_path / "j", release(every[2002]))).excerpts
    assert ([], "alone", []) == messages(excerpt)


async def test_without_sightings_no_process_is_started(tmp_path: Path) -> None:
    """There is nothing to read, and nothing to complain about."""
    assert ReadAgain() == await read(tmp_path, release(), program=("/nonexistent",))


@pytest.mark.parametrize(
    ("expected", "cursor"),
    [
        ("journal directory {directory}: No such file or directory", None),
        ('"garbage" is not a journal cursor', "garbage"),
        ('"t=5" is not a journal cursor', "t=5"),
    ],
)
async def test_what_can_not_be_read_says_why(tmp_path: Path, expected: str, cursor: str | None) -> None:
    """A missing journal and a damaged record become words for the note."""
    directory = tmp_path / "j"
    known = "s=1;i=1;b=2;m=3;t=4;x=5"
    if cursor is not None:
        write(directory, line("x"))
    again = await read(directory, release(cursor or known))
    assert () == again.excerpts
    assert again.problem == expected.format(directory=directory)


@pytest.mark.parametrize(
    ("expected", "script"),
    [
        (
            "the process that reads it ended with exit code 3: \\x1b[31mbad",
            "cat >/dev/null; printf 'x\\n\\033[31mbad\\n' >&2; exit 3",
        ),
        ("the process that reads it ended with signal 7", "kill -BUS $$"),
        ("the process that reads it gave no answer", "cat >/dev/null"),
        ("the process that reads it gave no answer", "cat /dev/zero | head -c 1000000"),
        ("the process that reads it gave an answer of another form", "echo '[]'"),
        ("the process that reads it gave an answer of another form", "echo '{\"lines\": []}'"),
        ("the process that reads it gave an answer of another form", 'echo \'{"lines": [{"line": 7}]}\''),
        ("out of \\u202e memory", 'echo \'{"error": "out of \\u202e memory"}\''),
        ("the process that reads it was silent for 0.2 s and was ended", "exec sleep 60"),
    ],
)
async def test_failing_child_is_words_and_never_an_error(tmp_path: Path, expected: str, script: str) -> None:
    """However the child ends, lies or hangs, the daemon gets a reason, at once, and no process is left."""
    begun = time.monotonic()
    child = ("sh", "-c", script)
    timeout = 0.2 if "sleep" in script else 20.0
    again = await read(tmp_path, release("s=1;i=1;b=2;m=3;t=4;x=5"), program=child, timeout=timeout)
    assert ReadAgain(problem=expected) == again
    assert time.monotonic() - begun < 5


async def test_missing_program_is_words_too(tmp_path: Path) -> None:
    """Even an interpreter that is gone, as in the middle of an upgrade, does not harm the daemon."""
    again = await read(tmp_path, release("s=1;i=1;b=2;m=3;t=4;x=5"), program=("/nonexistent/python",))
    assert "the process that reads it could not be started: No such file or directory" == again.problem


async def test_cancelled_reading_leaves_no_process(tmp_path: Path) -> None:
    """A daemon that stops does not leave a hanging child behind, and the cancellation goes on."""
    mark = tmp_path / "pid"
    child = ("sh", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 60")
    task = asyncio.ensure_future(read(tmp_path, release("s=1;i=1;b=2;m=3;t=4;x=5"), program=child))
    while not mark.exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_orphan_ends_by_itself() -> None:
    """If libsystemd hangs and the daemon is gone, the alarm ends the process, also inside a call into C."""
    script = "import watcher.journal.excerpt as e, time; e._LONGEST_SECONDS = 1; e.main()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as child:
        assert -signal.SIGALRM == child.wait(timeout=20)  # nobody ever finishes the request


@pytest.mark.parametrize("module", ["excerpt", "leftover", "past"])
def test_what_reads_hostile_entries_goes_first(module: str) -> None:
    """When memory is short such a child is killed, and not the daemon; it leaves no core with log text either way."""
    argv = [sys.executable, "-m", f"watcher.journal.{module}"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        proc = Path(f"/proc/{child.pid}")
        until(lambda: (proc / "oom_score_adj").read_text().strip() == "500")
        limits = next(line for line in (proc / "limits").read_text().splitlines() if "core file" in line)
        assert ["0", "0"] == limits.split()[4:6]
        child.kill()


async def test_child_is_not_given_the_way_to_speak_for_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NOTIFY_SOCKET and everything else that it has no use for stay with the daemon."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    monkeypatch.setenv("SECRET", "x")
    child = ("sh", "-c", "env >&2; echo last; env | grep -c 'NOTIFY_SOCKET\\|SECRET' >&2; exit 1")
    again = await read(tmp_path, release("s=1;i=1;b=2;m=3;t=4;x=5"), program=child)
    assert again.problem.endswith("exit code 1: 0")


async def test_lines_are_read_from_all_files_of_the_directory(tmp_path: Path) -> None:
    """Rotated files are one stream."""
    write(tmp_path / "j", line("old"), name="one")
    every = write(tmp_path / "j", line("new"), name="two", start=10)
    (excerpt,) = (await read(tmp_path / "j", release(every[1]))).excerpts
    assert (["old"], "new", []) == messages(excerpt)
    moved = replace(release(every[0]), id=ReleaseId("r2"))
    (excerpt,) = (await read(tmp_path / "j", moved)).excerpts
    assert ([], "old", ["new"]) == messages(excerpt)
