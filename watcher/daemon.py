"""The composition root of `watcher run`: builds the parts, owns the loop, and alone knows all of them.

Every change goes through the desk: decide, commit, adopt, perform. What must survive is a row before it is done, and
doing it twice is harmless: start-up does what is still open.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from watcher import __version__
from watcher.adapters.database import StoreLostError
from watcher.adapters.dispatched import DispatchedRollback
from watcher.adapters.front import Facts, FrontError
from watcher.adapters.handover import Handover
from watcher.adapters.log import log, say_transition
from watcher.adapters.notes import Notes
from watcher.adapters.rollback import EmbeddedRollback
from watcher.adapters.server import AddressError
from watcher.adapters.store import Store
from watcher.clock import wall_clock
from watcher.config.settings import Settings
from watcher.configured import Configured
from watcher.core.codec import RecordError
from watcher.core.duration import Usec
from watcher.core.errors import WatcherError
from watcher.core.messages import (
    Answer,
    BaselineRead,
    BatchRead,
    Event,
    PauseRequested,
    QueueReviewed,
    ReadBaseline,
    ReaderRestarted,
    RollbackObserved,
    SettingsLoaded,
    WriteNote,
)
from watcher.core.names import LONGEST, JobName, ReleaseId
from watcher.core.release import Release
from watcher.core.state import OPEN_PHASES, Decision, State
from watcher.desk import Desk
from watcher.journal.supervisor import Supervisor
from watcher.listeners import Listeners
from watcher.lookback import AT_ONCE, Lookback
from watcher.notebook import Notebook
from watcher.paths import Paths
from watcher.rereading import Rereading
from watcher.rollbacks import Rollbacks
from watcher.service import Service
from watcher.waiting import Waiting

NOTE_PATIENCE = 5.0
PLACE_SECONDS = 1.0
"""So often it is looked whether the database is still where it was opened."""
_ID_STEM = LONGEST - len("-20261123-235959-abcd")


class Daemon:
    """One daemon on one state directory; the `Front` of both sockets."""

    def __init__(
        self, *, paths: Paths, settings: Settings, store: Store, inherited: Mapping[str, socket.socket]
    ) -> None:
        self._paths = paths
        self._configured = Configured(paths.config, settings, for_root=paths.rollbacks is not None)
        self._store = store
        self._reload_lock = asyncio.Lock()
        self._reloading: asyncio.Future[None] | None = None
        self._stop = asyncio.Event()
        self._is_lost = asyncio.Event()
        self._lost: StoreLostError | None = None
        self._waiting = Waiting()
        self._rollbacks = Rollbacks(
            _handover(paths),
            state=lambda: self.state,
            find=self.find,
            hand_in=self._hand_in,
            stop=self._stop,
            is_well=lambda: self._desk.trouble is None,
        )
        rereading = Rereading(self._configured)
        self._notebook = Notebook(
            store=store,
            notes=Notes(paths.notes),
            read_excerpts=rereading.lines,
            source=lambda: self._configured.source,
        )
        self._service = Service()
        self._listeners = Listeners(self, path=paths.socket, metrics=settings.metrics_address, inherited=inherited)
        self._lookback = Lookback(find=self.find, read=rereading.past, hand_in=self._hand_in, clock=wall_clock)
        self._supervisor = Supervisor(
            replace(self._configured.plan, heartbeat=self._service.awaited(self._configured.source)),
            on_event=self._hand_in,
            committed=lambda: self.state.position,
            clock=wall_clock,
        )
        self._desk = Desk(store, store.load(), self._perform, clock=wall_clock)

    async def run(self) -> None:
        """Serve until somebody says stop.

        Raises WatcherError for a socket that can't be opened, and StoreLostError (both end the process).
        """
        self._begin()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_on_signal)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._desk.run(), name="desk"),
                group.create_task(self._supervisor.run(), name="reader"),
                group.create_task(self._notebook.run(), name="notes"),
                *(group.create_task(self._lookback.run(), name=f"baseline {one}") for one in range(AT_ONCE)),
                group.create_task(self._rollbacks.watch(), name="rollbacks"),
                group.create_task(self._rollbacks.review(), name="queue review"),
                group.create_task(self._tell_manager(), name="service manager"),
                group.create_task(self._end_if_lost(), name="lost store"),
            ]
            await stack.enter_async_context(self._listeners)
            await self._stop.wait()
            self._listeners.accept_no_more()
            self._rollbacks.wake()
            self._service.stopping()
            log.info("stopping")
            await self._supervisor.stop()
            self._desk.close()
            await stack.aclose()
            for task in tasks:
                task.cancel()

    # ------------------------------------------------------------------------------------------------- start, perform

    def _begin(self) -> None:
        """Before anything runs: adopt the configuration, say what was lost, go on with rollbacks that were queued."""
        self._desk.take(_loaded(self._configured.settings))
        if self._store.lost:
            log.error("state was lost", extra={"facts": {"why": self._store.lost}})
            reason = f"the state was lost ({self._store.lost}); `watcher resume` says that you know"
            pause = PauseRequested(at=wall_clock(), job=None, reason=reason, author="release-watcher", stays=True)
            self._desk.take(pause)
            self._store.loss_recorded()
        self._configured.warn()
        for release in self.state.releases.values():
            if release.phase in OPEN_PHASES and release.trial.waits:
                self._lookback.due(release.id)
        self._rollbacks.begin()
        self._supervisor.follow_closely(bool(self.state.watching() or self.state.verifying()))
        log.info(
            "started",
            extra={"facts": {"version": __version__, "config": self._paths.config, "jobs": len(self.state.policies)}},
        )

    def _perform(self, decision: Decision) -> None:
        """Act on a decision that is durable and adopted. The rollback comes first: somebody's night hangs on it."""
        self._rollbacks.perform(decision)
        for command in decision.commands:
            if isinstance(command, WriteNote):
                self._notebook.due(command.release)
            elif isinstance(command, ReadBaseline):
                self._lookback.due(command.release)
        for transition in decision.transitions:
            say_transition(transition)
        self._waiting.wake(release.id for release in decision.changed)
        for release in decision.changed:
            self._lookback.changed(release)
        self._supervisor.follow_closely(bool(decision.state.watching() or decision.state.verifying()))

    async def _hand_in(
        self, event: BatchRead | BaselineRead | ReaderRestarted | QueueReviewed | RollbackObserved
    ) -> bool:
        """Whether the event was committed. If not, nothing is lost: the reader goes back, the others are seen again."""
        try:
            await self._desk.ask(event)
        except FrontError as error:
            log.warning("not stored", extra={"facts": {"event": type(event).__name__, "why": error.message}})
            return False
        return True

    async def _tell_manager(self) -> None:
        await self._service.tell(
            self._stop,
            source=lambda: self._configured.source,
            state=lambda: self.state,
            trouble=lambda: self._desk.trouble or self._supervisor.trouble,
            beside=lambda: self._rollbacks.trouble,
            turns=lambda: self._supervisor.turns,
            stores=lambda: self._desk.trouble is None,
        )

    def _reload_on_signal(self) -> None:
        self._reloading = asyncio.ensure_future(self._try_reload())

    async def _try_reload(self) -> None:
        try:
            await self.reload()
        except WatcherError as error:
            log.error("reload refused", extra={"facts": {"why": error.message}})

    # ---------------------------------------------------------------------------------------------------------- Front

    @property
    def state(self) -> State:
        """The adopted state."""
        return self._desk.state

    def now(self) -> Usec:
        """The instant that a new event gets."""
        return wall_clock()

    def facts(self) -> Facts:
        """What is true of the daemon itself."""
        return Facts(
            version=__version__,
            config_hash=self._configured.settings.hash,
            journal=str(self._configured.source),
            reload_successful=self._configured.is_current,
            reloaded_at=self._configured.adopted_at,
            disarmed=self._rollbacks.is_disarmed,
        )

    def trouble(self) -> str | None:
        """Why the daemon is not ready; None while it is."""
        return self._desk.trouble or self._supervisor.trouble or self._rollbacks.trouble

    def stopping(self) -> bool:
        """Whether the shutdown has begun."""
        return self._stop.is_set()

    def fresh_id(self, job: JobName) -> ReleaseId:
        """`JOB-DATE-TIME-RANDOM`, in UTC."""
        moment = datetime.fromtimestamp(wall_clock() // 1_000_000, UTC)
        return ReleaseId(f"{job[:_ID_STEM]}-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}")

    async def ask(self, event: Event) -> Answer:
        """Hand an event in that wants an answer. Raises FrontError."""
        answer = await self._desk.ask(event)
        if answer is None:
            raise FrontError("the daemon had no answer", hint="this is a defect: please report it")
        return answer

    async def reload(self) -> None:
        """Read the configuration again; a broken one is refused whole. Raises ReloadRefusedError and FrontError."""
        async with self._reload_lock:
            await self._reload()

    async def _reload(self) -> None:
        settings = await self._configured.read_again()
        try:
            async with self._listeners.moving(settings.metrics_address):
                await self._exchange(settings)
        except AddressError as error:
            raise self._configured.refusal((str(error),), error.hint) from error
        except FrontError:
            self._configured.not_adopted()
            raise
        self._configured.warn()
        log.info("reloaded", extra={"facts": {"config": settings.hash, "jobs": len(settings.jobs)}})

    async def _exchange(self, settings: Settings) -> None:
        """No batch that was read by the old rules may come after the new ones: a release may be registered by these."""
        await self._supervisor.hold()
        try:
            await self._desk.ask(_loaded(settings))
            self._configured.adopt(settings)
        finally:
            await self._supervisor.replace(self._configured.plan)

    def find(self, id: ReleaseId) -> Release | None:  # noqa: A002 - the contract's word
        """The release as it is now, however old."""
        with self._reading():
            return self.state.releases.get(id) or self._store.release(id)

    def list(self, job: JobName | None, limit: int, before: ReleaseId | None = None) -> list[Release]:
        """The newest releases first."""
        with self._reading():
            return self._store.releases(job, limit, before=before)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whoever only looks may be the first to find that the store can't be trusted: that ends the daemon as well."""
        try:
            yield
        except StoreLostError as error:
            self._lost = error
            self._is_lost.set()
            raise FrontError(error.message, hint=error.hint) from error
        except RecordError as error:  # of a newer program: the asker's trouble, as in the desk
            raise FrontError(error.message, hint=error.hint) from error

    async def _end_if_lost(self) -> None:
        """Also on a quiet day: what is answered without a commit must not be answered by a database that is gone."""
        while self._lost is None:
            self._store.check_place()
            try:
                async with asyncio.timeout(PLACE_SECONDS):
                    await self._is_lost.wait()
            except TimeoutError:
                continue
        raise self._lost

    async def note(self, id: ReleaseId) -> str | None:  # noqa: A002 - the contract's word
        """The final note; one that is being written is waited for."""
        return await self._notebook.read(id, patience=NOTE_PATIENCE)

    async def changed(self, id: ReleaseId, timeout: float) -> None:  # noqa: A002, ASYNC109 - the long poll's own limit
        """Wait until the release has another record, but no longer than `timeout` seconds."""
        await self._waiting.wait(id, timeout)


def _handover(paths: Paths) -> Handover:
    """Through root's dispatcher where there is one; by hand the daemon runs the commands itself."""
    if paths.rollbacks is None:
        return EmbeddedRollback(paths.state, wall_clock)
    return DispatchedRollback(
        state_dir=paths.state, claims=paths.rollbacks, disarm_dir=paths.config.parent, clock=wall_clock
    )


def _loaded(settings: Settings) -> SettingsLoaded:
    limit = settings.rollbacks_per_hour
    return SettingsLoaded(at=wall_clock(), policies=settings.policies, rollbacks_per_hour=limit)
