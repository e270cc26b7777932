"""The connections of a socket: who connects, how many there may be, and how long each may take.

Knows sockets, and aiohttp only as something that makes protocols; knows no route and nothing of releases. aiohttp by
itself limits neither connections nor the time that a client takes to send its request or to read the answer.
Each connection carries one request: the count of connections is then the count of requests.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from watcher.core.errors import WatcherError

_LOG = logging.getLogger("watcher.http")
_BUSY_BODY = (
    b'{"type":"urn:release-watcher:problem:busy","title":"too many connections","status":503,'
    b'"detail":"too many connections are open","hint":"try again in a moment"}'
)
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(_BUSY_BODY)
) + _BUSY_BODY
"""What a connection past the limits is told at once, whatever it asks."""

SHUTDOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the clients of one socket may take: connections in all and of each user, seconds for each of three steps.

    `receive` is for the whole request, `answer` for making the answer, `send` for the client to take it. Long polls
    are counted by themselves, in all and of each user: who waits for releases keeps nobody from registering one.
    """

    connections: int
    each_user: int
    polls: int = 0
    polls_each_user: int = 0
    receive: float = 5.0
    answer: float = 30.0
    send: float = 5.0


@dataclass(slots=True, eq=False)
class Crowd:
    """The connections of one socket that are open now."""

    limits: Limits
    gates: set[Gate] = field(default_factory=set)

    def admit(self, gate: Gate) -> bool:
        """Take the connection in, unless it is one too many."""
        if self._is_full(gate.uid, self.limits.connections, self.limits.each_user, polls=False):
            return False
        self.gates.add(gate)
        return True

    def admit_poll(self, gate: Gate) -> bool:
        """Let a connection that was taken in become a long poll, and so make its first place free, unless too many are.

        It stays one until it is closed: a connection carries one request.
        """
        if self._is_full(gate.uid, self.limits.polls, self.limits.polls_each_user, polls=True):
            return False
        gate.is_poll = True
        return True

    def _is_full(self, uid: int | None, most: int, each_user: int, *, polls: bool) -> bool:
        same = [one.uid for one in self.gates if one.is_poll is polls]
        return len(same) >= most or same.count(uid) >= each_user


class CrowdedError(WatcherError):
    """There are too many long polls; looking without waiting, and every change, are as possible as before."""

    def __init__(self) -> None:
        super().__init__("too many requests wait for releases", hint="try again in a moment, or ask without `wait`")


class Gate(asyncio.Protocol):
    """Stands before aiohttp's own protocol on one connection and passes everything on to it."""

    def __init__(self, crowd: Crowd, server: web.Server) -> None:
        self.uid: int | None = None
        self.is_poll = False
        self._crowd = crowd
        self._server = server
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waits: set[asyncio.Timeout] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the client, or tell it that there are too many; its time to send the request begins."""
        self._transport = cast("asyncio.Transport", transport)
        self.uid = peer_uid(transport)
        if not self._crowd.admit(self):
            self._transport.write(BUSY)
            self._transport.close()
            return
        self._inner = self._server()
        self._inner.connection_made(transport)
        self.allow(self._crowd.limits.receive)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for the next one, end the waiting that nobody needs any more, and pass on."""
        self._crowd.gates.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self.hurry()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def received(self) -> None:
        """The whole request is there: the time for the answer begins."""
        self.allow(self._crowd.limits.answer)

    def answering(self) -> None:
        """The answer is made: the time for the client to take it begins."""
        self.allow(self._crowd.limits.send)

    def allow(self, seconds: float) -> None:
        """Cut the connection in so many seconds, unless this is called again before."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None and not self._transport.is_closing():
            self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def hurry(self) -> None:
        """End the long polls of this connection now."""
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)

    async def wait(self, change: Awaitable[None], seconds: float) -> None:
        """Wait for `change`, at most so long, and no longer than the client is there and the socket is served.

        Raises CrowdedError when too many wait already; `change` is not begun then.
        """
        if not self._crowd.admit_poll(self):
            if isinstance(change, Coroutine):
                change.close()
            raise CrowdedError
        self.allow(seconds + self._crowd.limits.answer)
        try:
            async with asyncio.timeout(seconds) as limit:
                self._waits.add(limit)
                await change
        except TimeoutError:
            return
        finally:
            self._waits.discard(limit)


def peer_uid(transport: asyncio.BaseTransport) -> int | None:
    """The user at the other end of a unix socket, as the kernel knew it at connect; None on any other socket."""
    connection = transport.get_extra_info("socket")
    if connection.family != socket.AF_UNIX:
        return None
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def gate_of(request: web.Request) -> Gate | None:
    """The gate that the request came through; None when its client is gone already."""
    protocol = None if request.transport is None else request.transport.get_protocol()
    return protocol if isinstance(protocol, Gate) else None


class Serving:
    """A socket that is being served."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    def accept_no_more(self) -> None:
        """Let go of the listening socket; the connections that are open go on."""
        self._server.close()


@asynccontextmanager
async def serving(app: web.Application, listener: socket.socket, limits: Limits) -> AsyncIterator[Serving]:
    """Serve `app` on the listening socket while the context is open; then end what waits and close, in about a second.

    Takes the socket over: it is closed at the end.
    """
    loop = asyncio.get_running_loop()
    crowd = Crowd(limits=limits)
    app.middlewares.append(_timed)
    app.on_response_prepare.append(_one_request_each)
    options: dict[str, Any] = {"auto_decompress": False, "lingering_time": 0, "logger": _quiet_log()}
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, **options)
    await runner.setup()
    inner = cast("web.Server", runner.server)
    server = await loop.create_server(lambda: Gate(crowd, inner), sock=listener)
    try:
        yield Serving(server)
    finally:
        server.close()
        for gate in crowd.gates:
            gate.hurry()
        await runner.cleanup()


@web.middleware
async def _timed(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        await request.read()
    except ConnectionResetError as error:  # the client left in the middle: as garbled as any half of a request
        raise web.HTTPBadRequest(text="the request ended too early") from error
    gate = gate_of(request)
    if gate is not None:
        gate.received()
    answer: web.StreamResponse = await handler(request)
    return answer


async def _one_request_each(request: web.Request, response: web.StreamResponse) -> None:
    response.force_close()
    response.headers["Server"] = "release-watcher"
    gate = gate_of(request)
    if gate is not None:
        gate.answering()


def _quiet_log() -> logging.Logger:
    if _is_ours not in _LOG.filters:
        _LOG.addFilter(_is_ours)
    return _LOG


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether the record is no mere garbled request: anybody can send those, and our log is not theirs to fill."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
