"""The daemon's side of the reader process: starts it, hands its batches on, replaces it when it dies or hangs.

Knows processes and the wire; must not know libsystemd, stores or windows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import StrEnum

from watcher.core.duration import Usec
from watcher.core.messages import BatchRead, ReaderRestarted
from watcher.dispatch.failpoint import reached
from watcher.journal.position import Spot
from watcher.journal.reading import Reading
from watcher.journal.signals import send
from watcher.journal.wire import (
    LONGEST_LINE,
    OFTEN,
    SELDOM,
    Announced,
    Control,
    Plan,
    Trouble,
    WireError,
    decode_message,
    encode_control,
    encode_plan,
)

log = logging.getLogger(__name__)

SILENCE = 10.0
"""Seconds without a line after which a reader counts as hung; a healthy one says something each second."""
STOPPING = 1.5
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0
PINS = 64

ReaderEvent = BatchRead | ReaderRestarted
OnEvent = Callable[[ReaderEvent], Awaitable[bool]]
"""Takes an event in order; returns only when it is decided and committed (True), or when the commit failed (False)."""


class Ending(StrEnum):
    """Why a reader process ended; the words of `core.counters.RESTART_REASONS`."""

    DIED = "died"
    KILLED = "killed"
    SIGBUS = "sigbus"
    HUNG = "hung"
    ERROR = "error"
    CONFIG = "config"
    STORE = "store"


_DEATHS = frozenset({Ending.DIED, Ending.KILLED, Ending.SIGBUS, Ending.HUNG, Ending.ERROR})


class Supervisor:
    """Keeps one reader process at work.

    `committed` tells the position text of the last durable commit, None before the first; each new process starts
    there. So `on_event` must not return before its event is committed: a batch that is still under way when the next
    process starts would be counted twice. A False from it replaces the process at the committed position.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        committed: Callable[[], str | None],
        on_event: OnEvent,
        clock: Callable[[], Usec],
        silence: float = SILENCE,
    ) -> None:
        self._plan = plan
        self._committed = committed
        self._on_event = on_event
        self._clock = clock
        self._silence = silence
        self._process: Process | None = None
        self._stirred = asyncio.Event()
        self._is_stopping = False
        self._is_replaced = False
        self._free = asyncio.Event()
        self._free.set()
        self._handing = asyncio.Lock()
        self._poll = plan.poll
        self._backoff = FIRST_BACKOFF
        self._ending: Ending | None = None
        self._spot: Spot | None = None
        self._suspect: Spot | None = None
        self._pinned: tuple[Spot, ...] = ()
        self._unstarted = ""
        self._trouble: str | None = "the journal reader is starting"
        self.turns = 0
        """How often something that the reader said was dealt with to its end: stands still when anything hangs.

        That no reader can be started is counted as well: an end of the daemon would mend nothing.
        """

    @property
    def trouble(self) -> str | None:
        """Why the journal isn't being read, None while it is."""
        return self._trouble

    @property
    def pid(self) -> int | None:
        """The reader process, None between two."""
        return None if self._process is None else self._process.pid

    async def run(self) -> None:
        """Reads until `stop`; cancelling it ends the process as well."""
        try:
            while not self._is_stopping:
                await self._note(await self._live())
                await self._free.wait()
        finally:
            await self._end()

    async def stop(self) -> None:
        """Ends the process and `run`, within two seconds; may be called twice."""
        self._is_stopping = True
        self._free.set()
        self._stirred.set()
        await self._end()

    def follow_closely(self, closely: bool) -> None:  # noqa: FBT001 - the one thing that it says
        """Poll often and send matches at once, as while a window is open; or seldom."""
        poll = OFTEN if closely else SELDOM
        if poll == self._poll:
            return
        self._poll = poll
        self._tell(encode_control(Control(poll=poll)))

    async def hold(self) -> None:
        """Hand nothing on until `replace`. When it returns, what was under way is committed, or not taken."""
        self._is_replaced = True
        self._free.clear()
        async with self._handing:
            return

    async def replace(self, plan: Plan) -> None:
        """Go on under other jobs or another journal: with a new process, at the committed position."""
        self._plan = replace(plan, heartbeat=self._plan.heartbeat if plan.source == self._plan.source else None)
        self._is_replaced = True
        self._free.set()
        self._stirred.set()
        self._signal(signal.SIGKILL)

    # --------------------------------------------------------------------------------------------- one process

    async def _live(self) -> Ending:
        """Starts a process and attends it to its end."""
        self._is_replaced, self._unstarted = False, ""
        self._stirred.clear()
        self._spot = None
        was_death = self._ending in _DEATHS
        position = self._committed()
        plan = replace(self._plan, position=position, probe=was_death, pinned=self._pinned)
        try:
            self._process = process = await _start()
        except OSError as error:  # no process or memory to be had: that may pass, and the sockets must stay up
            log.error("journal reader can't be started", extra={"facts": {"why": error}})  # noqa: TRY400 - no defect
            self._unstarted = error.strerror or str(error)
            self.turns += 1  # trying again is all that can be done: it is no hang
            return Ending.ERROR
        try:
            self._tell(encode_plan(replace(plan, poll=self._poll)))  # a window may have opened during the start
            if not await self._tell_of_restart():
                self.turns += 1  # an answer as well: what can't be stored is no hang
                return Ending.STORE
            return await self._attend(process)
        finally:
            await self._end()

    async def _tell_of_restart(self) -> bool:
        if self._ending is None:
            return True
        event = ReaderRestarted(at=self._clock(), reason=self._ending.value)
        if not await self._on_event(event):
            return False
        self._ending = None
        return True

    async def _attend(self, process: Process) -> Ending:
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        while not self._is_stopping:
            try:
                # not wait_for: that of Python 3.11 forgets a cancellation which comes together with the line
                async with asyncio.timeout(self._silence):
                    line = await process.stdout.readline()
                async with self._handing:
                    if self._is_replaced:
                        return Ending.CONFIG
                    if not line.endswith(b"\n"):
                        return _ending(await process.wait())
                    is_taken = await self._take(line)
                self.turns += 1
                if not is_taken:
                    return Ending.STORE
            except TimeoutError:
                return Ending.HUNG
            except (WireError, ValueError) as error:
                log.error("journal reader sent what can't be understood", extra={"facts": {"why": error}})  # noqa: TRY400
                return Ending.ERROR
        return Ending.DIED

    async def _take(self, line: bytes) -> bool:
        match decode_message(line):
            case Announced(spot):
                self._spot = spot
            case Trouble(text):
                self._tell_trouble(text)
                self._trouble = text
            case Reading() as reading:
                return await self._hand_on(reading)
        return True

    async def _hand_on(self, reading: Reading) -> bool:
        if reading.entries:
            reached("before_batch")
        if not await self._on_event(reading.taken_in(self._clock())):
            return False
        if reading.entries:
            reached("after_batch")
        if reading.position is not None:
            self._backoff = FIRST_BACKOFF
        if reading.heard:
            self._plan = replace(self._plan, heartbeat=None)
        self._tell_trouble(reading.trouble)
        self._trouble = self._blindness(reading) or reading.trouble or None
        return True

    def _tell_trouble(self, text: str) -> None:
        if text and text != self._trouble:
            log.warning("journal can't be read", extra={"facts": {"why": text}})

    def _blindness(self, reading: Reading) -> str | None:
        """Why what the reader sees is not all that there is."""
        if self._plan.source.is_machine and not reading.visible:
            return f"{self._plan.source}: no entry can be seen; is this user in group systemd-journal?"
        if self._plan.heartbeat is not None:
            behind = "still reading what was logged before" if not reading.at_tail else "is Storage=none set?"
            return f"{self._plan.source}: an entry of our own has not come back yet; {behind}"
        return None

    async def _note(self, ending: Ending) -> None:
        """After the end of a process: what to tell, what to blame, how long to wait."""
        self._ending = ending
        if ending is Ending.CONFIG or self._is_stopping:
            return
        self._trouble = (
            f"the journal reader can't be started: {self._unstarted}"
            if self._unstarted
            else f"the journal reader ended ({ending.value}) and is started again"
        )
        log.warning(
            "journal reader ended", extra={"facts": {"reason": ending.value, "again_in_seconds": self._backoff}}
        )
        if ending in _DEATHS:
            self._blame()
        delay, self._backoff = self._backoff, min(self._backoff * 2, LONGEST_BACKOFF)
        try:
            async with asyncio.timeout(delay):
                await self._stirred.wait()
        except TimeoutError:
            return

    def _blame(self) -> None:
        """An entry at which two probing readers in turn have died is passed from now on."""
        spot, self._suspect = self._suspect, self._spot
        if spot is not None and spot == self._spot and spot not in self._pinned:
            log.warning("journal entry kills the reader and is passed unread", extra={"facts": {"cursor": spot.cursor}})
            self._pinned = (*self._pinned, spot)[-PINS:]

    # -------------------------------------------------------------------------------------------------- pipes

    def _tell(self, line: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(line)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            send(self._process, number)

    async def _end(self) -> None:
        """No process is left when it returns, not even a dead one."""
        process = self._process
        if process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOPPING if self._is_stopping else 0.2):
                await process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await process.wait()
        if self._process is process:
            self._process = None


async def _start() -> Process:
    # nothing of ours for systemd to hear from: only the daemon says READY and feeds the watchdog
    environment = {key: value for key, value in os.environ.items() if key not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # nothing of the directory that the daemon was started in
        "-m",
        "watcher.journal.process",
        stdin=PIPE,
        stdout=PIPE,
        limit=LONGEST_LINE,
        env=environment,
    )


def _ending(code: int) -> Ending:
    if code >= 0:
        return Ending.ERROR if code else Ending.DIED
    return Ending.SIGBUS if -code == signal.SIGBUS else Ending.KILLED
