"""The TCP address: read-only, for browsers and Prometheus.

Has no route that changes anything, and neither authenticates nor needs to.
"""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack, ExitStack
from typing import Self

from aiohttp import web

from watcher.adapters.front import Front
from watcher.adapters.gate import Limits, serving
from watcher.adapters.pages import add_pages
from watcher.adapters.problem import problems
from watcher.adapters.reads import Reads
from watcher.core.errors import WatcherError

LIMITS = Limits(connections=8, each_user=8, answer=5.0)
_BODY_LIMIT = 1024


class AddressError(WatcherError):
    """The address can't be listened at."""


class WebServer:
    """The read-only HTTP of `address`, served while this context is open.

    Opening raises AddressError. `port` is the real one, also where 0 was asked for.
    """

    def __init__(self, front: Front, address: tuple[str, int], *, limits: Limits = LIMITS) -> None:
        self._front = front
        self._address = address
        self._limits = limits
        self._stack = AsyncExitStack()
        self.port = address[1]

    async def __aenter__(self) -> Self:
        listener = _listen(*self._address)
        self.port = int(listener.getsockname()[1])
        async with AsyncExitStack() as stack:
            stack.enter_context(listener)
            await stack.enter_async_context(serving(_application(self._front), listener, self._limits))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _application(front: Front) -> web.Application:
    app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[problems])
    add_pages(app, front)
    reads = Reads(front, for_deployers=False)
    app.router.add_get("/api/v1/status", reads.status)
    app.router.add_get("/api/v1/releases", reads.releases)
    app.router.add_get("/api/v1/releases/{id}", reads.release)
    return app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            hint = "another program listens there: choose another `listen.metrics`, or stop it"
            raise AddressError(f"listen.metrics {host}:{port}: {error.strerror or error}", hint=hint) from error
        listener.listen(64)
        listener.settimeout(0)
        stack.pop_all()
    return listener
