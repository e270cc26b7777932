"""The one place where things change: decide, commit, adopt, perform; one event at a time, in this order.

Knows the store and the engine; what performing means is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from watcher.adapters.database import StoreError
from watcher.adapters.front import FrontError, StoppingError
from watcher.adapters.store import Store
from watcher.core.codec import RecordError
from watcher.core.duration import Usec
from watcher.core.engine import decide
from watcher.core.messages import (
    Answer,
    Event,
    PauseRequested,
    PersonDecided,
    ReleaseDeployed,
    ReleaseRequested,
    ResumeRequested,
    RollbackObserved,
)
from watcher.core.names import ReleaseId
from watcher.core.state import Decision, State
from watcher.dispatch.failpoint import reached

QUEUE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class _Asked:
    event: Event
    answer: asyncio.Future[Answer | None]


class Desk:
    """Takes events in, one after the other; `perform` is called with each decision once it is durable and adopted.

    `clock` tells when something is decided that was asked for.
    `perform` must not raise for what lies outside (a full disk, a missing command): whatever it could not do is done
    again at the next start.
    """

    def __init__(
        self, store: Store, state: State, perform: Callable[[Decision], None], *, clock: Callable[[], Usec]
    ) -> None:
        self._store = store
        self._clock = clock
        self._perform = perform
        self._queue: asyncio.Queue[_Asked] = asyncio.Queue(QUEUE_LENGTH)
        self._closed = False
        self.state = state
        self.trouble: str | None = None
        """Why the last decision could not be stored; None if it was."""

    async def ask(self, event: Event) -> Answer | None:
        """Hand the event in; returns after the commit, with the answer if the event asked for one.

        Raises FrontError: nothing was stored and nothing changed.
        """
        if self._closed:
            raise StoppingError
        asked = _Asked(event, asyncio.get_running_loop().create_future())
        await self._queue.put(asked)
        return await asked.answer

    async def run(self) -> NoReturn:
        """Work off the queue until cancelled.

        Raises StoreLostError when the disk can't be trusted any more: the process must end.
        """
        while True:
            asked = await self._queue.get()
            self._work(asked)

    def close(self) -> None:
        """Take nothing in any more, and let go of everybody who still waits."""
        self._closed = True
        while not self._queue.empty():
            asked = self._queue.get_nowait()
            if not asked.answer.done():
                asked.answer.set_exception(StoppingError())

    def take(self, event: Event) -> Answer | None:
        """Decide about the event at once, past the queue: for start-up, before anything else runs.

        Raises StoreError and StoreLostError.
        """
        known = self._knowing(event)
        decision = decide(known, event)
        if decision.is_durable:
            if decision.commands:
                reached("before_commit")
            self._store.commit(decision)
            if decision.commands:
                reached("after_commit")
            self.trouble = None
        if decision.state is not known:  # else nothing has changed, and old releases need not be remembered
            self.state = decision.state
        self._perform(decision)
        return decision.answer

    def _work(self, asked: _Asked) -> None:
        try:
            answer = self.take(self._as_of_now(asked.event))
        except RecordError as error:  # an old release of a newer program: that is the asker's trouble, nobody else's
            if not asked.answer.done():
                asked.answer.set_exception(FrontError(error.message, hint=error.hint))
            return
        except StoreError as error:
            self.trouble = str(error)
            if not asked.answer.done():
                asked.answer.set_exception(FrontError(error.message, hint=error.hint))
            return
        if not asked.answer.done():
            asked.answer.set_result(answer)

    def _as_of_now(self, event: Event) -> Event:
        """What somebody asks for happens now: what was read while it waited in the queue came before it.

        A window that began earlier would lack those entries.
        """
        if isinstance(event, ReleaseRequested | ReleaseDeployed | PersonDecided | PauseRequested | ResumeRequested):
            return replace(event, at=self._clock())
        return event

    def _knowing(self, event: Event) -> State:
        """The state together with the old releases that the event may be about."""
        state = self.state
        for release_id in _subjects(event, state):
            if release_id not in state.releases:
                state = state.with_release(self._store.release(release_id))
        if isinstance(event, ReleaseRequested):
            state = state.with_release(self._store.newest(event.request.job, event.request.version))
        return state


def _subjects(event: Event, state: State) -> Iterator[ReleaseId]:
    match event:
        case ReleaseRequested():
            last = state.releases.get(state.last.get(event.request.job, ReleaseId("")))
            named = (event.request.id, None if last is None else last.follows)
            yield from (one for one in named if one is not None)
        case ReleaseDeployed() | PersonDecided() | RollbackObserved():
            yield event.release
        case _:
            return
