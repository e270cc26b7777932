"""The names of users, asked of the system off the loop: a directory server that does not answer holds nobody up.

Knows the user database; nothing of who asks, or for what.
"""

from __future__ import annotations

import asyncio
import logging
import pwd
from _thread import start_new_thread  # Thread.start waits for the thread: 2 ms in which the loop stands
from contextlib import suppress

PATIENCE = 1.0
MOST = 4
"""Questions that are open at once; one that hangs keeps its thread."""
_LOG = logging.getLogger("watcher.http")


class Accounts:
    """Looks users up, each in a thread of its own, and gives up on one that takes too long."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._open: dict[int, asyncio.Future[str]] = {}

    async def name(self, uid: int) -> str:
        """The user's name; `uid N` where there is none, or where it can't be told in time."""
        fallback = f"uid {uid}"
        asked = self._open.get(uid) or self._ask(uid)
        if asked is None:
            return fallback
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(asked)
        except TimeoutError:
            hint = "a directory server that this machine asks for users may be down (`getent passwd UID`)"
            _LOG.warning("user can't be looked up in time", extra={"facts": {"uid": uid, "hint": hint}})
            return fallback

    def _ask(self, uid: int) -> asyncio.Future[str] | None:
        if len(self._open) >= MOST:
            return None
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[str] = loop.create_future()
        try:
            start_new_thread(self._look, (uid, loop))
        except RuntimeError as error:  # no thread to be had
            _LOG.warning("user can't be looked up", extra={"facts": {"uid": uid, "why": error}})
            return None
        self._open[uid] = asked
        return asked

    def _look(self, uid: int, loop: asyncio.AbstractEventLoop) -> None:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = f"uid {uid}"
        with suppress(RuntimeError):  # the loop is closed: the daemon has ended meanwhile
            loop.call_soon_threadsafe(self._answer, uid, name)

    def _answer(self, uid: int, name: str) -> None:
        self._open.pop(uid).set_result(name)
