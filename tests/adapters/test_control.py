from __future__ import annotations

import asyncio
import errno
import json
import os
import pwd
import select
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.events import JOB, RELEASE, batch, policy, request
from tests.parts.front import MemoryFront
from watcher.adapters.control import LIMITS, ControlServer
from watcher.adapters.gate import Limits
from watcher.adapters.listener import SocketError
from watcher.adapters.reads import PIECE
from watcher.core.messages import PauseRequested, ReleaseRequested
from watcher.core.names import ReleaseId
from watcher.core.release import Phase

ME = pwd.getpwuid(os.getuid()).pw_name
QUICK = Limits(connections=4, each_user=4, receive=0.2, answer=5, send=0.2)


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Client:
    """Speaks raw HTTP to the socket, so that it can also speak badly."""

    path: Path

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return await self.raw("\r\n".join([*lines, "", ""]).encode() + content)

    async def raw(self, request: bytes) -> Reply:
        async with connected(self.path) as (reader, writer):
            writer.write(request)
            answer = b""
            with suppress(ConnectionResetError):  # who is refused before it asked has its question thrown away
                while piece := await reader.read(65_536):
                    answer += piece
            return taken_apart(answer)

    async def register(self, **body: object) -> Reply:
        return await self.ask("POST", "/api/v1/releases", {"job": JOB, "version": "2.0", **body})


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def taken_apart(answer: bytes) -> Reply:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Reply(int(first.split()[1]), headers, body)


@asynccontextmanager
async def served(front: MemoryFront, path: Path, *, limits: Limits = LIMITS) -> AsyncIterator[Client]:
    async with ControlServer(front, path, limits=limits):
        yield Client(path)


@pytest.fixture
def front() -> MemoryFront:
    return MemoryFront()


@pytest.fixture
async def client(front: MemoryFront, tmp_path: Path) -> AsyncIterator[Client]:
    async with served(front, tmp_path / "control.sock") as client:
        yield client


# ------------------------------------------------------------------------------------------------------ registration


async def test_registration_is_answered_with_the_open_release(client: Client) -> None:
    """A new release is 201 with the contract's JSON, its clock running."""
    reply = await client.register(reason="faster import", files=["a.py", "b.py"])
    assert (201, "watching", ["a.py", "b.py"]) == (reply.status, reply.json["phase"], reply.json["files"])
    assert 1 == reply.json["schema"]


async def test_a_dry_run_registers_nothing(front: MemoryFront, client: Client) -> None:
    """It tells the mode, why that is not the one asked for, and whether the release is there already."""
    first = await client.register(id="r-1", mode="rollback", dry_run=True)
    assert (200, {"schema": 1, "known": False, "mode": "rollback", "mode_reason": None}) == (first.status, first.json)
    assert {} == front.records
    inside = await client.register(mode="rollback", inside_rollback="r-0", dry_run=True)
    assert "observe" == inside.json["mode"]
    assert "registered from within the rollback of r-0" in inside.json["mode_reason"]
    await client.register(id="r-1")
    assert (await client.register(id="r-1", dry_run=True)).json["known"]
    assert (409, 400) == (
        (await client.register(id="r-1", reason="x", dry_run=True)).status,
        (await client.register(mode="rollback", window="1ms", dry_run=True)).status,
    )


async def test_registering_the_same_again_gives_the_same_release(front: MemoryFront, client: Client) -> None:
    """The same id and content are the same release, this time 200."""
    first = await client.register(id="r-1")
    front.pass_time(1)
    again = await client.register(id="r-1")
    assert [201, 200] == [first.status, again.status]
    assert first.json["registered_at"] == again.json["registered_at"]


async def test_same_id_with_other_content_is_a_conflict(client: Client) -> None:
    """Another release under a used id is refused."""
    await client.register(id="r-1")
    reply = await client.register(id="r-1", version="3.0")
    assert (409, "urn:release-watcher:problem:conflict") == (reply.status, reply.json["type"])


async def test_unknown_job_is_404_with_a_hint(client: Client) -> None:
    """The refusal is problem+json and names the jobs that there are."""
    reply = await client.register(job="imprt")
    assert (404, "application/problem+json; charset=utf-8") == (reply.status, reply.headers["content-type"])
    assert "configured jobs: import" == reply.json["hint"]


async def test_author_is_the_user_at_the_other_end(front: MemoryFront, client: Client) -> None:
    """The uid comes from the socket; a body can't claim another author."""
    assert 400 == (await client.register(author="somebody")).status
    await client.register()
    (event,) = front.asked
    assert isinstance(event, ReleaseRequested)
    assert ME == event.request.author


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_recorded_as_such(front: MemoryFront, client: Client) -> None:
    """A process of user `nobody` is the author `nobody`."""
    client.path.chmod(0o666)
    client.path.parent.chmod(0o755)
    for parent in client.path.parents[:-1]:
        parent.chmod(parent.stat().st_mode | 0o011)
    script = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        'b = b\'{"reason": "calm"}\';'
        "s.sendall(b'POST /api/v1/pause HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(b) + b);"
        "sys.stdout.buffer.write(s.recv(12))"
    )
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/python3", "-c", script, str(client.path), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    (event,) = front.asked
    assert isinstance(event, PauseRequested)
    assert (b"HTTP/1.1 200", "nobody") == (out, event.author)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"job": "import"}, "version: Field required"),
        ({"job": "import", "version": "1", "verson": "2"}, "verson: unknown member"),
        ({"job": "import", "version": 1}, "version: Input should be a valid string"),
        ({"job": "import", "version": "1" * 201}, "version: String should have at most 200 characters"),
        ({"job": "import", "version": "1\n2"}, "version: holds characters that do not print"),
        ({"job": "import", "version": "\u202e1"}, "version: holds characters that do not print"),
        ({"job": "import", "version": " "}, "version: is empty"),
        ({"job": "import", "version": "1", "owner": "a\x1b[2J"}, "owner: holds characters that do not print"),
        ({"job": "import", "version": "1", "id": "../../etc"}, "id: is not 1 to 64 letters"),
        ({"job": "import", "version": "1", "reason": "x" * 2001}, "reason: String should have at most 2000 characters"),
        ({"job": "import", "version": "1", "files": ["x"] * 1001}, "files: List should have at most 1000 items"),
        ({"job": "import", "version": "1", "files": ["x" * 501]}, "files.0: String should have at most 500"),
        ({"job": "import", "version": "1", "mode": "auto"}, "mode: is none of observe, ask, rollback"),
        ({"job": "import", "version": "1", "window": "15"}, "window: is no duration"),
        ({"job": "import", "version": "1", "prepare": "yes"}, "prepare: Input should be a valid boolean"),
        ({"job": "import", "version": "1", "backup": {"command": []}}, "backup.command: List should have at least 1"),
        ([], "the body is no JSON object"),
        (b"{", "the body is no JSON"),
        (b"\xff", "the body is no JSON"),
        (b'{"job": "import", "job": "export"}', "a member stands there twice"),
        (b'{"version": NaN}', "NaN is no JSON number"),
        (b'{"job": "import", "version": "\\ud800"}', "version: "),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"version": ' + b"9" * 5000 + b"}", "the body is no JSON"),
    ],
)
async def test_bad_registration_is_refused_with_its_fault(
    front: MemoryFront, client: Client, body: object, said: str
) -> None:
    """What the contract does not know is 400, names the place, and reaches nobody."""
    reply = await client.ask("POST", "/api/v1/releases", body)
    assert 400 == reply.status
    assert said in reply.json["detail"]
    assert [] == front.asked


async def test_misspelt_member_gets_the_right_one_as_a_hint(client: Client) -> None:
    """An unknown member is answered with the nearest one that there is."""
    assert 'did you mean "version"?' == (await client.register(verson="2")).json["hint"]


async def test_every_fault_is_told_at_once(client: Client) -> None:
    """Three faults are three problems."""
    reply = await client.register(mode="auto", window="15", owner="")
    assert ["owner", "mode", "window"] == [one.partition(":")[0] for one in reply.json["problems"]]


async def test_full_disk_is_503_and_changes_nothing(front: MemoryFront, client: Client) -> None:
    """What could not be stored was not registered: try again."""
    front.reason_not_stored = "the disk is full"
    reply = await client.register()
    assert (503, "the disk is full", "free some space") == (reply.status, reply.json["detail"], reply.json["hint"])
    assert {} == front.records


# -------------------------------------------------------------------------------------------------- a person decides


async def test_prepared_release_starts_with_deployed(client: Client) -> None:
    """The clock of a prepared release stands until it is said to be out."""
    prepared = await client.register(prepare=True)
    deployed = await client.ask("POST", f"/api/v1/releases/{prepared.json['id']}/deployed")
    assert ["preparing", "watching"] == [prepared.json["phase"], deployed.json["phase"]]
    assert prepared.json["started_at"] is None
    assert deployed.json["started_at"] is not None


@pytest.mark.parametrize(
    ("judgement", "phase"), [("pass", "passed"), ("fail", "failed"), ("cancel", "cancelled"), ("rollback", "failed")]
)
async def test_person_ends_a_window(client: Client, judgement: str, phase: str) -> None:
    """Each decision of a person leads to its phase, with the words that were given."""
    await client.register()
    reply = await client.ask("POST", f"/api/v1/releases/{RELEASE}/{judgement}", {"reason": "seen the graphs"})
    assert (200, phase) == (reply.status, reply.json["phase"])
    assert ["decided by a person: seen the graphs"] == reply.json["reasons"]


async def test_extending_moves_the_end(front: MemoryFront, client: Client) -> None:
    """`by` is added to the window."""
    await client.register()
    reply = await client.ask("POST", f"/api/v1/releases/{RELEASE}/extend", {"reason": "slow night", "by": "10m"})
    assert "25m" == reply.json["window"]
    assert front.records[RELEASE].phase is Phase.WATCHING


@pytest.mark.parametrize(
    ("judgement", "body"),
    [
        ("pass", {}),
        ("pass", {"reason": "  "}),
        ("pass", {"reason": "x", "by": "1m"}),
        ("extend", {"reason": "x"}),
        ("extend", {"reason": "x", "by": "-1m"}),
        ("deployed", {"reason": "x"}),
    ],
)
async def test_decision_with_a_wrong_body_is_refused(client: Client, judgement: str, body: dict[str, str]) -> None:
    """A reason is needed, `by` belongs to `extend` alone, and `deployed` takes nothing."""
    await client.register()
    reply = await client.ask("POST", f"/api/v1/releases/{RELEASE}/{judgement}", body)
    assert 400 == reply.status


async def test_decision_about_an_ended_release_is_a_conflict(client: Client) -> None:
    """A phase that is final stays."""
    await client.register()
    await client.ask("POST", f"/api/v1/releases/{RELEASE}/pass", {"reason": "fine"})
    reply = await client.ask("POST", f"/api/v1/releases/{RELEASE}/cancel", {"reason": "too late"})
    assert (409, "urn:release-watcher:problem:wrong-phase") == (reply.status, reply.json["type"])


@pytest.mark.parametrize("name", ["nothing-1", "..%2F..%2Fetc%2Fpasswd", "%1b%5b2J", "x" * 65])
async def test_unknown_release_is_404_shown_safely(client: Client, name: str) -> None:
    """No id, however odd, comes back as anything but printable text."""
    reply = await client.ask("POST", f"/api/v1/releases/{name}/pass", {"reason": "fine"})
    assert (404, "urn:release-watcher:problem:unknown-release") == (reply.status, reply.json["type"])
    assert reply.json["detail"].isprintable()


async def test_pause_and_resume_are_handed_in(front: MemoryFront, client: Client) -> None:
    """A pause ends by itself when it says for how long, and by resume."""
    paused = await client.ask("POST", "/api/v1/pause", {"job": JOB, "reason": "big sale", "for": "1h"})
    assert [(JOB, "big sale", ME)] == [(one["job"], one["reason"], one["author"]) for one in paused.json["pauses"]]
    assert front.state.pauses[0].until == front.at + 3600 * 1_000_000
    resumed = await client.ask("POST", "/api/v1/resume", {"job": JOB})
    assert (200, []) == (resumed.status, resumed.json["pauses"])


async def test_pause_without_a_reason_is_refused(client: Client) -> None:
    """Whoever finds automatic rollbacks held shall know why."""
    assert 400 == (await client.ask("POST", "/api/v1/pause", {})).status


# ------------------------------------------------------------------------------------------------------------ reload


async def test_reload_is_answered_when_it_is_done(front: MemoryFront, client: Client) -> None:
    """The answer names the configuration in use."""
    reply = await client.ask("POST", "/-/reload")
    assert (200, "c0ffee", 1) == (reply.status, reply.json["config_hash"], front.reloads)


async def test_broken_configuration_comes_back_with_all_its_errors(front: MemoryFront, client: Client) -> None:
    """A refused reload lists every problem."""
    front.config_problems = ("watcher.yaml:3:1: jobs.x: unknown key", "watcher.yaml:9:1: version: missing")
    reply = await client.ask("POST", "/-/reload")
    assert (422, list(front.config_problems)) == (reply.status, reply.json["problems"])


async def test_daemon_that_stops_takes_nothing_in(front: MemoryFront, client: Client) -> None:
    """Once the shutdown began, what would change something is 503; looking is still possible."""
    front.is_stopping = True
    assert [503, 503] == [(await client.register()).status, (await client.ask("POST", "/-/reload")).status]
    assert 200 == (await client.ask("GET", "/api/v1/status")).status


# --------------------------------------------------------------------------------------------------------- long poll


async def wait_for_waiters(front: MemoryFront, count: int) -> None:
    async with asyncio.timeout(5):
        while len(front.waiters) != count:
            await asyncio.sleep(0.005)


async def test_long_poll_answers_with_the_change(front: MemoryFront, client: Client) -> None:
    """Who waits for a release hears of its end as soon as it comes."""
    await client.register()
    poll = asyncio.create_task(client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=60s"))
    await wait_for_waiters(front, 1)
    front.take(batch(at="42s", errors=5))
    reply = await asyncio.wait_for(poll, 5)
    assert ("failed", ["5 error matches in 0ms, limit 5 in 2m"]) == (reply.json["phase"], reply.json["reasons"])


async def test_long_poll_that_saw_an_older_record_is_answered_at_once(front: MemoryFront, client: Client) -> None:
    """A change between two polls is not missed: the ETag tells."""
    first = await client.register()
    front.take(batch(at="1s", errors=1))
    reply = await asyncio.wait_for(
        client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=60s", If_None_Match=first.headers["etag"]), 5
    )
    assert [("5 error matches in 2m", 1)] == [(one["threshold"], one["now"]) for one in reply.json["thresholds"]]


async def test_long_poll_of_an_ended_release_is_answered_at_once(client: Client) -> None:
    """What has settled will not change any more."""
    await client.register()
    reply = await client.ask("POST", f"/api/v1/releases/{RELEASE}/pass", {"reason": "fine"})
    etag = reply.headers["etag"]
    again = await asyncio.wait_for(client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=60s", If_None_Match=etag), 5)
    assert "passed" == again.json["phase"]


async def test_long_poll_ends_after_its_time(client: Client) -> None:
    """Nothing happened: the same record again."""
    await client.register()
    reply = await asyncio.wait_for(client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=50ms"), 5)
    assert (200, "watching") == (reply.status, reply.json["phase"])


async def test_client_that_leaves_ends_its_long_poll(front: MemoryFront, client: Client) -> None:
    """Nobody waits for somebody who is gone."""
    await client.register()
    async with connected(client.path) as (_, writer):
        writer.write(f"GET /api/v1/releases/{RELEASE}?wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await wait_for_waiters(front, 1)
    await wait_for_waiters(front, 0)


async def test_shutdown_answers_who_waits(front: MemoryFront, tmp_path: Path) -> None:
    """Closing the socket ends the long polls with what is known, within the time of a shutdown."""
    async with asyncio.timeout(3):
        async with served(front, tmp_path / "c.sock") as client:
            await client.register()
            poll = asyncio.create_task(client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=60s"))
            await wait_for_waiters(front, 1)
        assert "watching" == (await poll).json["phase"]


async def test_who_waits_keeps_nobody_from_registering(front: MemoryFront, client: Client) -> None:
    """Twenty long polls of one user take none of the places that its other requests need."""
    await client.register()
    polls = [asyncio.create_task(client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=60s")) for _ in range(4)]
    for batch_of_four in range(1, 6):
        await wait_for_waiters(front, 4 * batch_of_four)
        more = 4 if batch_of_four < 5 else 0
        polls += [asyncio.create_task(client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=60s")) for _ in range(more)]
    assert 201 == (await client.register(version="3.0")).status
    assert ["superseded"] * 20 == [(await asyncio.wait_for(poll, 5)).json["phase"] for poll in polls]


async def test_long_polls_have_a_limit_of_their_own(front: MemoryFront, tmp_path: Path) -> None:
    """One too many is told to come again; looking and deciding go on, and the place of one that left is free."""
    limits = replace(LIMITS, polls=3, polls_each_user=2)
    async with served(front, tmp_path / "c.sock", limits=limits) as client, AsyncExitStack() as stack:
        await client.register()
        request = f"GET /api/v1/releases/{RELEASE}?wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        waiting = [(await stack.enter_async_context(connected(client.path)))[1] for _ in range(2)]
        for one in waiting:
            one.write(request)
        await wait_for_waiters(front, 2)
        refused = await client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=60s")
        assert (503, "urn:release-watcher:problem:busy", "1") == (
            refused.status,
            refused.json["type"],
            refused.headers["retry-after"],
        )
        assert 200 == (await client.ask("GET", f"/api/v1/releases/{RELEASE}")).status
        waiting[0].close()
        await wait_for_waiters(front, 1)
        assert 200 == (await client.ask("GET", f"/api/v1/releases/{RELEASE}?wait=1ms")).status


@pytest.mark.parametrize("wait", ["60", "soon", "", "-1s"])
async def test_wait_that_is_no_duration_is_refused(client: Client, wait: str) -> None:
    """A bare number is an error here as everywhere."""
    await client.register()
    assert 400 == (await client.ask("GET", f"/api/v1/releases/{RELEASE}?wait={wait}")).status


# ------------------------------------------------------------------------------------------------------------ looking


async def test_note_is_markdown(front: MemoryFront, client: Client) -> None:
    """The final note is given as it was written."""
    await client.register()
    front.notes[ReleaseId(RELEASE)] = "# import 2.0\n"
    reply = await client.ask("GET", f"/api/v1/releases/{RELEASE}/note")
    assert (200, "text/markdown; charset=utf-8", b"# import 2.0\n") == (
        reply.status,
        reply.headers["content-type"],
        reply.body,
    )


async def test_release_without_a_note_yet_says_so(client: Client) -> None:
    """An open release has no note."""
    await client.register()
    reply = await client.ask("GET", f"/api/v1/releases/{RELEASE}/note")
    assert (409, "it is written when the release ends") == (reply.status, reply.json["hint"])


async def test_status_tells_deployers_the_backup_command(front: MemoryFront, client: Client) -> None:
    """`release start` runs it, and learns it here."""
    job = policy()
    with_backup = replace(job, release=replace(job.release, backup=("/usr/local/bin/backup", "--all")))
    front.state = replace(front.state, policies={JOB: with_backup})
    reply = await client.ask("GET", "/api/v1/status")
    assert ["/usr/local/bin/backup", "--all"] == reply.json["jobs"]["import"]["backup"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("?job=import", 200), ("?limit=1", 200), ("?job=nothing", 404), ("?limit=0", 400), ("?limit=x", 400)],
)
async def test_list_takes_job_and_limit(client: Client, query: str, status: int) -> None:
    """Filters are read strictly."""
    await client.register()
    assert status == (await client.ask("GET", f"/api/v1/releases{query}")).status


@pytest.mark.parametrize("limit", [1, PIECE, PIECE + 1, 25, 26, 1000])
async def test_long_list_is_read_in_pieces(front: MemoryFront, client: Client, limit: int) -> None:
    """It is whole and in order, and others get their turn: a verdict does not wait for somebody's thousand releases."""
    for number in range(25):
        asked = request(version=str(number))
        front.take(ReleaseRequested(at=front.now(), request=asked, fresh_id=ReleaseId(f"r{number}")))
        front.pass_time(1)
    reply = await client.ask("GET", f"/api/v1/releases?limit={limit}")
    newest = [f"r{number}" for number in range(24, -1, -1)]
    assert newest[:limit] == [one["id"] for one in reply.json["releases"]]
    assert max(front.listed) <= PIECE


async def test_unknown_word_in_a_query_is_refused(client: Client) -> None:
    """A misspelt filter does not silently give everything."""
    reply = await client.ask("GET", "/api/v1/releases?jobs=import")
    assert (400, "it takes job, limit") == (reply.status, reply.json["hint"])


async def test_unknown_route_and_wrong_method_are_problems(client: Client) -> None:
    """Both are problem+json; the method's names what is allowed."""
    lost, wrong = await client.ask("GET", "/nothing"), await client.ask("DELETE", "/api/v1/releases")
    assert (404, "urn:release-watcher:problem:unknown-route") == (lost.status, lost.json["type"])
    assert (405, "GET, HEAD, POST") == (wrong.status, wrong.headers["allow"])


# ---------------------------------------------------------------------------------------------------- bad neighbours


async def test_socket_is_for_owner_and_group(client: Client) -> None:
    """Everybody else is kept out by the file's mode."""
    assert 0o660 == stat.S_IMODE(client.path.stat().st_mode)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_stranger_does_not_get_in(front: MemoryFront, client: Client) -> None:
    """A user that is neither owner nor in the group is refused by the kernel, at the socket itself."""
    for parent in client.path.parents[:-1]:
        parent.chmod(parent.stat().st_mode | 0o011)
    script = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "os.stat(sys.argv[1]); print(socket.socket(socket.AF_UNIX).connect_ex(sys.argv[1]))"
    )
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/python3", "-c", script, str(client.path), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert (str(errno.EACCES).encode(), []) == (out.strip(), front.asked)


async def test_oversized_body_is_413(front: MemoryFront, client: Client) -> None:
    """More than 64 KiB is not read."""
    reply = await client.ask("POST", "/api/v1/releases", b'{"job": "' + b"x" * 70_000 + b'"}')
    assert (413, []) == (reply.status, front.asked)


async def test_oversized_chunked_body_is_413(front: MemoryFront, client: Client) -> None:
    """A body that does not say its length is measured all the same."""
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    head = b"POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    reply = await client.raw(head + chunk * 8 + b"0\r\n\r\n")
    assert (413, []) == (reply.status, front.asked)


@pytest.mark.parametrize(
    "half", [b"", b"POST /api/v1/rel", b"POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"]
)
async def test_half_a_request_is_cut_off(front: MemoryFront, tmp_path: Path, half: bytes) -> None:
    """Who does not finish the request in time is gone, and others are served."""
    async with served(front, tmp_path / "c.sock", limits=QUICK) as client:
        async with connected(client.path) as (reader, writer), asyncio.timeout(5):
            writer.write(half)
            await hung_up(reader)
        assert 201 == (await client.register()).status


async def test_byte_by_byte_is_cut_off_all_the_same(front: MemoryFront, tmp_path: Path) -> None:
    """The limit is for the whole request, not between two bytes."""
    async with (
        served(front, tmp_path / "c.sock", limits=QUICK) as client,
        connected(client.path) as (reader, writer),
        asyncio.timeout(5),
    ):
        writer.write(b"GET /-/healthy HTTP/1.1\r\nX: ")
        end = asyncio.create_task(hung_up(reader))
        while not end.done():
            writer.write(b"x")
            await asyncio.wait({end}, timeout=0.05)
        await end


async def hung_up(reader: asyncio.StreamReader) -> None:
    """Return when the other end has closed without a word."""
    with suppress(ConnectionError):
        assert b"" == await reader.read()


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n"])
async def test_garbage_is_400_and_not_in_our_log(
    client: Client, caplog: pytest.LogCaptureFixture, garbage: bytes
) -> None:
    """Anybody can send it; our log is not theirs to fill."""
    assert 400 == (await client.raw(garbage)).status
    assert [] == [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_forty_connections_of_one_user_leave_room(front: MemoryFront, client: Client) -> None:
    """A user has eight; the others are told at once to come again, and the place of one that left is free."""
    async with AsyncExitStack() as stack:
        writers = [(await stack.enter_async_context(connected(client.path)))[1] for _ in range(8)]
        refused = [await client.ask("GET", "/api/v1/status") for _ in range(32)]
        assert [503] * 32 == [one.status for one in refused]
        assert ("1", "urn:release-watcher:problem:busy") == (refused[0].headers["retry-after"], refused[0].json["type"])
        writers[0].close()
        async with asyncio.timeout(5):
            while (await client.ask("GET", "/api/v1/status")).status == 503:
                await asyncio.sleep(0.01)


async def test_thousand_connects_leak_nothing(client: Client) -> None:
    """After a storm of connections the process has as many descriptors as before."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(1000):
        with socket.socket(socket.AF_UNIX) as one:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(str(client.path))
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while (await client.ask("GET", "/-/healthy")).status != 200:
            await asyncio.sleep(0.01)
        while len(list(Path("/proc/self/fd").iterdir())) > before:
            await asyncio.sleep(0.01)


async def test_client_that_does_not_read_is_cut_off(front: MemoryFront, tmp_path: Path) -> None:
    """An answer that is larger than the socket's buffers does not wait for ever."""
    async with served(front, tmp_path / "c.sock", limits=QUICK) as client:
        await client.register()
        front.notes[RELEASE] = "x" * 8_000_000
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(client.path))
            deaf.sendall(f"GET /api/v1/releases/{RELEASE}/note HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            async with asyncio.timeout(5):
                while not has_hung_up(deaf):
                    await asyncio.sleep(0.02)


def has_hung_up(one: socket.socket) -> bool:
    """Whether the other end has closed, found out without reading."""
    poll = select.poll()
    poll.register(one, select.POLLIN)
    return any(mask & select.POLLHUP for _, mask in poll.poll(0))


# -------------------------------------------------------------------------------------------------------- the socket


async def test_socket_of_a_dead_daemon_is_replaced(front: MemoryFront, tmp_path: Path) -> None:
    """A socket that nobody listens at is no obstacle."""
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with served(front, path) as client:
        assert 200 == (await client.ask("GET", "/-/healthy")).status
    assert not path.exists()


async def test_socket_of_a_living_daemon_is_left_alone(front: MemoryFront, client: Client) -> None:
    """The second one at the same path gives up, and the first one goes on."""
    with pytest.raises(SocketError, match="another daemon listens there"):
        async with served(front, client.path):
            pass
    assert 200 == (await client.ask("GET", "/-/healthy")).status


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing/c.sock", "No such file or directory"), ("x" * 200, "too long"), ("a-file", "is no socket")],
)
async def test_path_that_can_not_be_a_socket_says_why(front: MemoryFront, tmp_path: Path, name: str, said: str) -> None:
    """The error names the path and what to do."""
    (tmp_path / "a-file").write_text("precious")
    with pytest.raises(SocketError, match=said) as caught:
        async with served(front, tmp_path / name):
            pass
    assert caught.value.hint
    assert "precious" == (tmp_path / "a-file").read_text()
