"""Where the daemon listens: at sockets that the service manager passed on, else at those of options and configuration.

Knows both servers and which socket each of them gets; nothing of what they serve.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from watcher.adapters.control import ControlServer
from watcher.adapters.front import Front
from watcher.adapters.inherited import CONTROL, METRICS
from watcher.adapters.log import log
from watcher.adapters.web import WebServer

Address = tuple[str, int]
_UNIT = "release-watcher-metrics.socket"


class Listeners:
    """Both servers while this context is open.

    Opening raises SocketError and AddressError.
    """

    def __init__(
        self, front: Front, *, path: Path, metrics: Address | None, inherited: Mapping[str, socket.socket]
    ) -> None:
        self._front = front
        self._inherited = inherited
        self._metrics = metrics
        self._control = ControlServer(front, path, listener=inherited.get(CONTROL))
        self._web: WebServer | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._control)
            self._web = await self._opened(self._metrics)
            stack.push_async_callback(self._close_web)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def accept_no_more(self) -> None:
        """The shutdown begins; who connects from now on waits for the next daemon, if the sockets are the manager's."""
        self._control.accept_no_more()
        if self._web is not None:
            self._web.accept_no_more()

    @asynccontextmanager
    async def moving(self, metrics: Address | None) -> AsyncIterator[None]:
        """Listen for readers at another address, if it is another: from the body on at both, after it at the new one.

        If the body raises, at the old one as before. Raises AddressError before the body: nothing has changed.
        """
        if metrics == self._metrics:
            yield
            return
        web = None if self._inherited else await self._opened(metrics)
        try:
            yield
        except BaseException:
            await _close(web)
            raise
        self._metrics = metrics
        if self._inherited:
            self._say_who_decides()
            return
        before, self._web = self._web, web
        await _close(before)

    async def _opened(self, metrics: Address | None) -> WebServer | None:
        listener = self._inherited.get(METRICS)
        if self._inherited:
            self._say_who_decides()
        if listener is not None:
            return await WebServer(self._front, ("", 0), listener=listener).__aenter__()
        if metrics is None or self._inherited:
            return None
        return await WebServer(self._front, metrics).__aenter__()

    async def _close_web(self) -> None:
        await _close(self._web)

    def _say_who_decides(self) -> None:
        """Where the manager opens the sockets, the configuration's address says nothing; tell whoever relies on it."""
        listener = self._inherited.get(METRICS)
        wanted = None if self._metrics is None else f"{self._metrics[0]}:{self._metrics[1]}"
        if listener is None:
            if wanted is not None:
                facts = {"listen.metrics": wanted, "hint": f"systemctl enable --now {_UNIT}"}
                log.warning("metrics are not served: their socket unit is not active", extra={"facts": facts})
            return
        host, port = listener.getsockname()[:2]
        if wanted != f"{host}:{port}":
            facts = {"listen.metrics": wanted or "null", "used": f"{host}:{port}", "hint": f"systemctl edit {_UNIT}"}
            log.warning("listen.metrics is not used: the socket unit says where to listen", extra={"facts": facts})


async def _close(web: WebServer | None) -> None:
    if web is not None:
        await web.__aexit__(None, None, None)
