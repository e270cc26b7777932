"""What is fuzzed: each target takes any bytes, and raises when the product does what it must not do with any.

Knows the functions that strangers' bytes reach first, and what holds for all of them; nothing of how bytes are found.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.dispatch.scene import now
from tests.events import JOB, START, policy
from tests.events import configured as configured_state
from tests.parts.front import MemoryFront
from watcher.adapters.bodies import Decided, Held, Nothing, Registration, Resumed, read_body
from watcher.adapters.control import ControlServer
from watcher.adapters.problem import RequestError
from watcher.config.document import parse_document
from watcher.config.load import examine_root
from watcher.config.packs import Shelf, load_packs, shipped_packs
from watcher.config.problem import Problem
from watcher.config.scenarios import read_scenario
from watcher.core.coverage import GapReason
from watcher.core.duration import Usec
from watcher.core.engine import decide
from watcher.core.excerpt import ReadAgain
from watcher.core.fingerprint import fingerprint, mask
from watcher.core.messages import ReleaseRequested
from watcher.core.names import JobName, ReleaseId
from watcher.core.note import render_note
from watcher.core.record import from_record, to_record
from watcher.core.rule import WatchedJob
from watcher.core.shown import shown_release
from watcher.core.text import code, prose, shown
from watcher.dispatch import jsontext
from watcher.dispatch.claim import ClaimError, read_claim
from watcher.dispatch.files import open_directory
from watcher.dispatch.order import OrderError, read_order
from watcher.journal.memory import MemoryEntry, MemoryReader
from watcher.journal.position import Position, PositionError
from watcher.journal.said import said_in
from watcher.journal.scan import Scanner
from watcher.journal.spread import Spread
from watcher.journal.structured import read_fields
from watcher.journal.wire import WireError, decode_control, decode_message, decode_plan
from watcher.scenario import play

FOUND = Path(__file__).parent / "found"


@dataclass(frozen=True, slots=True)
class Target:
    """`run` raises on a defect; `seeds` are bytes that get far."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _check_problems(problems: Iterable[Problem]) -> None:
    """A problem is shown as it is: nothing in it may move a terminal's cursor."""
    for problem in problems:
        assert all(line.isprintable() for line in str(problem).split("\n")), problem
        json.dumps(problem.to_json(), ensure_ascii=False).encode()


# ------------------------------------------------------------------------------------------------- configuration


@cache
def _shelf() -> Shelf:
    return load_packs(Path("/nonexistent"), shipped_packs())


def fuzz_config(data: bytes) -> None:
    """A configuration is taken or refused with its problems; one that is taken can be used."""
    document = parse_document(data, file="watcher.yaml")
    _check_problems(document.problems)
    if document.root is None:
        return
    examined = examine_root(document.root, _shelf(), Path("/nonexistent/watcher.yaml"), document.problems)
    _check_problems(examined.problems)
    if examined.settings is not None:
        Scanner(examined.settings.jobs)


@cache
def _room() -> Path:
    """A directory that lives as long as the process, in memory where it can be."""
    room = tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
    _rooms.append(room)
    return Path(room.name)


_MEMORY = "/dev/shm"
_rooms: list[tempfile.TemporaryDirectory[str]] = []


def fuzz_scenario(data: bytes) -> None:
    """A scenario is refused with its problems, or can be played."""
    path = _room() / "scenario.yaml"
    path.write_bytes(data)
    read = read_scenario(path, _room() / "watcher.yaml")
    _check_problems(replace(one, place=replace(one.place, file="x")) for one in read.problems)
    if read.scenario is not None:
        play(read.scenario)


# ------------------------------------------------------------------------------------------------------ requests


def fuzz_body(data: bytes) -> None:
    """A body is refused in words that can be sent; what is taken can be decided on, stored, read back and shown."""
    for model in (Decided, Held, Nothing, Resumed, Registration):
        try:
            body = read_body(data, model)
        except RequestError as error:
            json.dumps([error.message, error.hint, *error.problems], ensure_ascii=False).encode()
            continue
        if isinstance(body, Registration):
            _register(body)


def _register(body: Registration) -> None:
    at = START
    event = ReleaseRequested(at=at, request=body.request("nobody"), fresh_id=ReleaseId("fresh-1"))
    for release in decide(configured_state(policy()), event).changed:
        stored = json.dumps(to_record(release)).encode()
        assert release == from_record(json.loads(stored))
        json.dumps(shown_release(release), ensure_ascii=False).encode()
        note = render_note(release, transitions=(), excerpts=ReadAgain(), journalctl_directory=None)
        assert all(line.isprintable() for line in note.split("\n"))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _server() -> Path:
    """A control socket that is served for as long as the process lives."""
    path = _room() / "control.sock"
    logging.getLogger("watcher.http").addHandler(_Raised())
    server = ControlServer(MemoryFront(), path)
    _loop().run_until_complete(server.__aenter__())
    _servers.append(server)
    return path


_servers: list[ControlServer] = []
_said: list[str] = []


class _Raised(logging.Handler):
    """Keeps what the server says, for the one who sent the request."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        _said.append(logging.Formatter().format(record))


def fuzz_http(data: bytes) -> None:
    """Any request is answered, never with 500 (that would be a bug of ours), and puts nothing into our log."""
    path = _server()
    _said.clear()
    answer = _loop().run_until_complete(_asked(path, data))
    assert [] == _said
    assert answer == b"" or answer.startswith(b"HTTP/1."), answer[:80]
    assert not answer.startswith((b"HTTP/1.1 500", b"HTTP/1.0 500")), answer[:400]


async def _asked(path: Path, data: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        async with asyncio.timeout(10):
            writer.write(data)
            writer.write_eof()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


# ------------------------------------------------------------------------------------------------------- entries

FIELDS = (
    "MESSAGE",
    "PRIORITY",
    "_SYSTEMD_UNIT",
    "_PID",
    "_UID",
    "UNIT",
    "MESSAGE_ID",
    "COREDUMP_UNIT",
    "OBJECT_SYSTEMD_UNIT",
    "N_DROPPED",
    "_TRANSPORT",
    "_STREAM_ID",
    "INVOCATION_ID",
    "_SYSTEMD_INVOCATION_ID",
    "_SYSTEMD_SLICE",
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "EXIT_CODE",
    "EXIT_STATUS",
    "UNIT_RESULT",
    "JOB_TYPE",
    "JOB_RESULT",
    "COREDUMP_TIMESTAMP",
    "WATCHER_HEARTBEAT",
    "WATCHER_JOB",
    "WATCHER_OUTCOME",
    "CODE_FILE",
)


def entries_in(data: bytes) -> list[MemoryEntry]:
    """Entries, 0xFE between them; fields, 0xFF between them; the first byte of a field is its name's number."""
    entries = []
    for number, chunk in enumerate(data.split(b"\xfe")[:64]):
        fields: dict[str, tuple[bytes, ...]] = {}
        for part in chunk.split(b"\xff")[:64]:
            if part:
                name = FIELDS[part[0] % len(FIELDS)]
                fields[name] = (*fields.get(name, ()), part[1:])
        entries.append(MemoryEntry(at=Usec(START + number), fields=fields))
    return entries


def entry_bytes(*entries: Mapping[str, str | bytes]) -> bytes:
    """The bytes that `entries_in` makes these entries of."""
    return b"\xfe".join(
        b"\xff".join(
            bytes([FIELDS.index(name)]) + (value.encode() if isinstance(value, str) else value)
            for name, value in entry.items()
        )
        for entry in entries
    )


@cache
def _scanner() -> Scanner:
    rules = tuple(entry.rule for pack in _shelf().packs.values() for entry in pack.entries if entry.rule is not None)
    one = WatchedJob(name=JobName("import"), units=("import@*.service",), identifiers=(), rules=rules, kinds=True)
    two = WatchedJob(name=JobName("cron"), units=("a.slice",), identifiers=("cron",), rules=rules, run_as=1000)
    return Scanner((one, two))


def fuzz_entry(data: bytes) -> None:
    """Entries of any bytes are counted and matched without an error of ours, and what is carried on survives JSON."""
    scanner, reader = _scanner(), MemoryReader(entries_in(data))
    while scanner.scan(reader, entries=1000, matches=10**6):
        continue
    tally = scanner.drain()
    assert not [gap for gap in tally.gaps if gap.reason is GapReason.POISON]
    assert len(data.split(b"\xfe")[:64]) == tally.entries
    scanner.resume(json.loads(json.dumps(scanner.carry())))


def fuzz_text(data: bytes) -> None:
    """A message is taken apart, its kind told and shown, in printable characters, whatever it is."""
    read_fields(data)
    said = said_in(data)
    texts = [data.decode("utf-8", "replace"), data.decode("utf-8", "surrogateescape"), said.text]
    for text in texts:
        assert fingerprint(text).key == fingerprint(text).key
        mask(text).encode("utf-8", "replace")
        for limit in (1, 2, 7, 80, 4000):
            assert shown(text, limit=limit).isprintable()
            assert len(shown(text, limit=limit)) <= limit
        assert prose(text, limit=200).isprintable()
        assert code(text, limit=200).isprintable()


# --------------------------------------------------------------------------------------------- pipes and files


def fuzz_wire(data: bytes) -> None:
    """A line of the pipe is a message or a WireError."""
    for decode in (decode_plan, decode_control, decode_message):
        try:
            decode(data)
        except WireError:
            continue
    text = data.decode("utf-8", "replace")
    for parse in (Position.from_text, Spread.from_text):
        try:
            known = parse(text)
        except PositionError:
            continue
        parse(known.to_text())


@cache
def _queue() -> tuple[int, Path]:
    directory = _room() / "queue"
    directory.mkdir()
    return open_directory(directory), directory


def fuzz_order(data: bytes) -> None:
    """A file in the queue, or one that claims a rollback, is believed as a whole or refused; both stay one line."""
    at, directory = _queue()
    for name in ("one.json", "one.claim"):
        (directory / name).write_bytes(data)
    try:
        facts = read_order(at, "one.json", owner=os.getuid(), now=now())
    except OrderError as error:
        str(error).encode("utf-8", "replace")
    else:
        assert (facts.version + (facts.previous or "") + facts.job + facts.reason_code).isprintable()
        assert facts.as_object() == jsontext.parse_object(jsontext.render(facts.as_object()))
    try:
        read_claim(at, "one")
    except (ClaimError, OSError):
        return


# ------------------------------------------------------------------------------------------------------ the table


def _files(*names: str) -> tuple[bytes, ...]:
    root = Path(__file__).parents[2]
    return tuple(file.read_bytes() for name in names for file in sorted(root.glob(name)))


REGISTRATION = {
    "job": JOB,
    "version": "2.0",
    "id": "import-1",
    "previous": "1.9",
    "owner": "data-team",
    "reason": "because\n$(reboot)",
    "rollback_note": "none",
    "files": ["/a", "b"],
    "mode": "ask",
    "window": "15m",
    "prepare": True,
    "backup": {"command": ["/bin/true"], "exit_code": 0, "started_at": 1, "finished_at": 2, "output": "\u001b[2J"},
    "force": False,
}
_BODIES = tuple(
    json.dumps(one).encode() for one in (REGISTRATION, {"reason": "x", "by": "5m"}, {"reason": "x", "for": "1h"}, {})
)


def _request(line: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [line, "Host: localhost", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


_REQUESTS = (
    _request("GET / HTTP/1.1"),
    _request("GET /metrics HTTP/1.1"),
    _request("GET /api/v1/status HTTP/1.1"),
    _request("GET /api/v1/releases?job=import&limit=5 HTTP/1.1"),
    _request("GET /api/v1/releases/import-1?wait=1ms HTTP/1.1", b"", 'If-None-Match: "x"'),
    _request("POST /api/v1/releases HTTP/1.1", _BODIES[0], "Content-Type: application/json"),
    _request("POST /api/v1/releases/import-1/extend HTTP/1.1", _BODIES[1]),
    _request("POST /api/v1/pause HTTP/1.1", _BODIES[2]),
    b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST /api/v1/resume HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nExpect: 100-continue\r\n\r\n{}",
)
_ENTRIES = (
    entry_bytes(
        {"MESSAGE": "Traceback (most recent call last):", "_SYSTEMD_UNIT": "import@1.service", "_PID": "7"},
        {"MESSAGE": '  File "x", line 1, in f', "_SYSTEMD_UNIT": "import@1.service", "_PID": "7"},
        {"MESSAGE": "ValueError: no", "_SYSTEMD_UNIT": "import@1.service", "_PID": "7", "PRIORITY": "3"},
    ),
    entry_bytes(
        {
            "MESSAGE": "import@1.service: Failed with result 'exit-code'.",
            "MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c",
            "UNIT": "import@1.service",
            "INVOCATION_ID": "0" * 31 + "1",
            "_PID": "1",
            "_UID": "0",
            "UNIT_RESULT": "exit-code",
        },
        {
            "MESSAGE_ID": "98e322203f7a4ed290d09fe03c09fe15",
            "UNIT": "import@1.service",
            "INVOCATION_ID": "0" * 31 + "1",
            "_PID": "1",
            "EXIT_CODE": "killed",
            "EXIT_STATUS": "9",
        },
    ),
    entry_bytes(
        {
            "MESSAGE_ID": "fc2e22bc6ee647b6b90729ab34a250b1",
            "COREDUMP_UNIT": "import@1.service",
            "_UID": "0",
            "COREDUMP_TIMESTAMP": "1" * 30,
        },
        {
            "MESSAGE_ID": "a596d6fe7bfa4994828e72309e95d61e",
            "OBJECT_SYSTEMD_UNIT": "import@1.service",
            "N_DROPPED": "7",
            "_TRANSPORT": "driver",
        },
    ),
    entry_bytes(
        {"MESSAGE": '{"level":"error","msg":"no"}', "SYSLOG_IDENTIFIER": "cron", "_UID": "1000"},
        {"MESSAGE": "level=fatal msg=no", "_SYSTEMD_SLICE": "a.slice"},
        {"MESSAGE": b"\xc0\x80 panic: \xed\xa0\x80", "_SYSTEMD_UNIT": "import@2.service"},
    ),
)
_TEXTS = (
    b'{"level":"error","msg":"connection to 10.0.0.1:80 refused","error":{"message":"x"},"n":1e999}',
    b'time=2026-11-24T00:00:00Z level=error msg="can\'t open /var/x" id=0b5c3f1e-1111-2222-3333-444455556666',
    b'@cee: {"@timestamp":"x","log.level":"fatal"}',
    b"Nov 24 00:00:00 host app[12]: failed after 1.5s at fe80::1%eth0 user@example.org 'quoted' \"text\"",
    b'Traceback (most recent call last):\n  File "x"\nValueError: \x1b[31m\xe2\x80\xae<script>|`*_[&#x41;]\r\n',
)
_WIRES = (
    b'{"poll_usec": 250000}',
    b'{"trouble": "no"}',
    b'{"at": ["s=1;i=2", false]}',
    (
        b'{"batch":{"until":5,"last":4,"jobs":[["import",1,2,3]],"found":[],"gaps":[["missing",1,2,3,null,0]],'
        b'"position":null,"entries":1,"tail":true,"visible":true,"heard":false,"trouble":""}}'
    ),
    (
        b'{"plan":{"source":{"directory":"/x","namespace":null},"jobs":[],"position":null,"probe":false,"pinned":[],'
        b'"poll":1,"heartbeat":null}}'
    ),
    b'{"v":1,"cursor":"s=a;i=1;b=b;m=1;t=1;x=1","n":1,"last":1,"lasts":[["a",1]],"carry":{}}',
    b'{"v":2,"began":1,"hosts":[{"host":"a","gone":true,"position":{"v":1,"cursor":"","n":0,"last":null,"lasts":[],"carry":{}}}]}',
    b'{"v":1,"cursor":"","n":Infinity,"last":1,"lasts":[],"carry":{}}',
)
_ORDERS = (
    jsontext.render(
        {"schema": 1, "id": "one", "job": "import", "version": "2", "previous": None, "reason_code": "matches"}
    ),
    jsontext.render(
        {
            "schema": 1,
            "facts": {"schema": 1, "id": "one", "job": "j", "version": "2", "previous": "1", "reason_code": "runs"},
            "command": ["/bin/true"],
            "timeout_usec": 1,
            "timeout": "1us",
            "user": None,
            "idempotent": False,
            "claimed_at": 1,
            "kill_after_usec": 1,
        }
    ),
)

TARGETS: Mapping[str, Target] = {
    "config": Target(fuzz_config, _files("tests/config/contract.yaml", "tests/config/bad/*.yaml", "rules/go.yaml")),
    "scenario": Target(fuzz_scenario, _files("deploy/examples/scenarios/*.yaml")),
    "body": Target(fuzz_body, _BODIES),
    "http": Target(fuzz_http, _REQUESTS),
    "entry": Target(fuzz_entry, _ENTRIES),
    "text": Target(fuzz_text, _TEXTS),
    "wire": Target(fuzz_wire, _WIRES),
    "order": Target(fuzz_order, _ORDERS),
}
