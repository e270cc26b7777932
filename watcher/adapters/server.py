"""One HTTP server on one listening socket, as a context; what it serves and the socket are handed in."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from typing import Self

from aiohttp import web

from watcher.adapters.gate import Limits, Serving, serving
from watcher.core.errors import WatcherError


class AddressError(WatcherError):
    """The address can't be listened at."""


Listening = Callable[[], AbstractContextManager[socket.socket]]


class Server:
    """Serves what `application` makes at the socket that `listening` opens, while this context is open.

    Opening raises what `listening` raises.
    """

    def __init__(self, application: Callable[[], web.Application], listening: Listening, limits: Limits) -> None:
        self._application = application
        self._listening = listening
        self._limits = limits
        self._stack = AsyncExitStack()
        self._serving: Serving | None = None
        self.address: object = None
        """What the socket is bound to: a path, or host and port."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(self._listening())
            self.address = listener.getsockname()
            self._serving = await stack.enter_async_context(serving(self._application(), listener, self._limits))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def accept_no_more(self) -> None:
        """The shutdown begins: who connects from now on is the next daemon's client."""
        if self._serving is not None:
            self._serving.accept_no_more()


def inherited(listener: socket.socket) -> Listening:
    """A socket that somebody else has opened, and who keeps it."""

    @contextmanager
    def opened() -> Iterator[socket.socket]:
        with listener:
            yield listener

    return opened
