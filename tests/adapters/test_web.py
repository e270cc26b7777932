from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.events import JOB, RELEASE, START, policy, release
from tests.parts.front import MemoryFront
from watcher.adapters.gate import Limits
from watcher.adapters.server import AddressError
from watcher.adapters.web import WebServer
from watcher.core.duration import MINUTE
from watcher.core.policy import RollbackPlan
from watcher.core.release import CommandResult

QUICK = Limits(connections=4, each_user=4, receive=0.2, answer=5, send=0.2)
HOST = "127.0.0.1"


@pytest.fixture
def front() -> MemoryFront:
    return MemoryFront()


@pytest.fixture
async def port(front: MemoryFront) -> AsyncIterator[int]:
    async with WebServer(front, (HOST, 0)) as server:
        yield server.port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    async with connected(port) as (reader, writer):
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        with suppress(ConnectionResetError):
            while piece := await reader.read(65_536):
                answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n") if head else ("HTTP/1.1 0",)
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/metrics", "text/plain"),
        ("/-/healthy", "text/plain"),
        ("/-/ready", "text/plain"),
        ("/api/v1/status", "application/json"),
        ("/api/v1/releases", "application/json"),
        (f"/api/v1/releases/{RELEASE}", "application/json"),
    ],
)
async def test_address_shows_what_the_contract_says(front: MemoryFront, port: int, path: str, kind: str) -> None:
    """Each page is there, of its type, and tells the browser to do nothing beyond showing it."""
    front.take(release())
    status, headers, _ = await ask(port, path)
    assert (200, kind) == (status, headers["content-type"].partition(";")[0])
    assert "nosniff" == headers["x-content-type-options"]
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "release-watcher" == headers["server"]


async def test_head_has_no_body(port: int) -> None:
    """HEAD is GET without its body."""
    status, _, body = await ask(port, "/metrics", "HEAD")
    assert (200, b"") == (status, body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/releases", f"/api/v1/releases/{RELEASE}"])
async def test_nothing_here_changes_anything(front: MemoryFront, port: int, method: str, path: str) -> None:
    """Every other method is refused, and nothing reaches the daemon."""
    status, headers, _ = await ask(port, path, method)
    assert (405, "GET, HEAD", []) == (status, headers["allow"], front.asked)


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/releases/{RELEASE}/fail",
        f"/api/v1/releases/{RELEASE}/note",
        "/api/v1/pause",
        "/-/reload",
        "/-/quit",
        "/%2e%2e/etc/passwd",
    ],
)
async def test_routes_of_the_control_socket_are_not_here(port: int, path: str) -> None:
    """They are unknown, whatever the method."""
    assert [404, 404] == [(await ask(port, path))[0], (await ask(port, path, "POST"))[0]]


async def test_backup_command_is_not_told_to_everybody(front: MemoryFront, port: int) -> None:
    """The argv of a job's backup is for the control socket."""
    job = policy()
    front.state = replace(
        front.state, policies={JOB: replace(job, release=replace(job.release, backup=("/usr/local/bin/secret",)))}
    )
    _, _, body = await ask(port, "/api/v1/status")
    shown: dict[str, Any] = json.loads(body)
    assert "backup" not in shown["jobs"]["import"]
    assert b"secret" not in body


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/releases", f"/api/v1/releases/{RELEASE}", "/"])
async def test_what_commands_print_is_not_told_to_everybody(front: MemoryFront, port: int, path: str) -> None:
    """Neither the commands of a release nor what they printed, which may hold secrets, is for whoever can connect."""
    done = CommandResult(command=("/x/secret",), exit_code=0, started_at=START, finished_at=START, output="secret")
    front.take(release())
    one, plan = front.state.releases[RELEASE], RollbackPlan(command=("/x/secret",), timeout=MINUTE)
    rules = replace(one.policy, release=replace(one.policy.release, rollback=plan))
    rollback = replace(one.rollback, output="secret")
    one = replace(one, request=replace(one.request, backup=done, check=done), policy=rules, rollback=rollback)
    front.state, front.records = replace(front.state, releases={RELEASE: one}), {RELEASE: one}
    _, _, body = await ask(port, path)
    assert (True, False) == (one.id.encode() in body, b"secret" in body)


async def test_not_ready_is_503_with_the_reason(front: MemoryFront, port: int) -> None:
    """Until the journal is really being read, the daemon is healthy but not ready."""
    front.reason_not_ready = "the journal has not been read yet"
    ready, healthy = await ask(port, "/-/ready"), await ask(port, "/-/healthy")
    assert (503, b"not ready: the journal has not been read yet\n") == (ready[0], ready[2])
    assert 200 == healthy[0]


async def test_ninth_connection_is_told_to_come_again(port: int) -> None:
    """Eight connections are open; one more gets 503, and a place when one of them leaves."""
    async with AsyncExitStack() as stack:
        writers = [(await stack.enter_async_context(connected(port)))[1] for _ in range(8)]
        assert (await ask(port, "/metrics"))[0] in (503, 0)
        writers[0].close()
        async with asyncio.timeout(4):
            while (await ask(port, "/metrics"))[0] != 200:
                await asyncio.sleep(0.01)


async def test_slow_request_is_cut_off(front: MemoryFront) -> None:
    """A client that never finishes its request loses its place."""
    async with WebServer(front, (HOST, 0), limits=QUICK) as server, connected(server.port) as (reader, writer):
        writer.write(b"GET /metrics HTTP/1.1\r\nHost:")
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert b"" == await reader.read()


async def test_taken_address_says_so(front: MemoryFront, port: int) -> None:
    """The error names the key of the configuration and what to do."""
    with pytest.raises(AddressError, match=f"listen.metrics {HOST}:{port}: Address already in use") as caught:
        async with WebServer(front, (HOST, port)):
            pass
    assert "listen.metrics" in caught.value.hint


async def test_address_is_free_after_the_end(front: MemoryFront) -> None:
    """A restart finds its address again."""
    async with WebServer(front, (HOST, 0)) as first:
        port = first.port
    async with WebServer(front, (HOST, port)):
        assert 200 == (await ask(port, "/-/healthy"))[0]
