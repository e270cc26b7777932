"""The TCP address: read-only, for browsers and Prometheus.

Has no route that changes anything, and neither authenticates nor needs to.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from functools import partial

from aiohttp import web

from watcher.adapters.front import Front
from watcher.adapters.gate import Limits
from watcher.adapters.pages import add_pages
from watcher.adapters.problem import problems
from watcher.adapters.reads import Reads
from watcher.adapters.server import AddressError, Server, inherited

LIMITS = Limits(connections=8, each_user=8, answer=5.0)
_BODY_LIMIT = 1024


class WebServer(Server):
    """The read-only HTTP of `address`, or of the socket that was inherited, served while this context is open.

    Opening raises AddressError.
    """

    def __init__(
        self,
        front: Front,
        address: tuple[str, int],
        *,
        limits: Limits = LIMITS,
        listener: socket.socket | None = None,
    ) -> None:
        listening = partial(_listen, *address) if listener is None else inherited(listener)
        super().__init__(lambda: _application(front), listening, limits)

    @property
    def port(self) -> int:
        """The real one, also where 0 was asked for; 0 before the context is open."""
        return int(self.address[1]) if isinstance(self.address, tuple) else 0


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
