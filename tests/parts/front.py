"""A daemon for the sockets without reader and store: the real engine over a state in memory, the clock set by hand."""

from __future__ import annotations

import asyncio
import builtins
from dataclasses import dataclass, field, replace

from tests.events import START, configured, policy
from watcher.adapters.front import Facts, FrontError, ReloadRefusedError
from watcher.core.duration import SECOND, Usec
from watcher.core.engine import decide
from watcher.core.messages import Answer, Event, ReleaseRequested
from watcher.core.names import JobName, ReleaseId
from watcher.core.release import Release
from watcher.core.state import State


@dataclass
class MemoryFront:
    """Decides as the daemon does and keeps every record; nothing survives it."""

    state: State = field(default_factory=lambda: configured(policy()))
    at: Usec = START
    reason_not_ready: str | None = None
    reason_not_stored: str | None = None
    config_problems: tuple[str, ...] = ()
    is_stopping: bool = False
    is_disarmed: bool = False
    journal: str = "/tmp/journal"
    notes: dict[ReleaseId, str] = field(default_factory=dict)
    records: dict[ReleaseId, Release] = field(default_factory=dict)
    asked: list[Event] = field(default_factory=list)
    reloads: int = 0
    listed: builtins.list[int] = field(default_factory=list)
    waiters: list[asyncio.Event] = field(default_factory=list)

    def now(self) -> Usec:
        """The instant that the test set."""
        return self.at

    def facts(self) -> Facts:
        """Fixed facts."""
        return Facts(
            version="0.1.0",
            config_hash="c0ffee",
            journal=self.journal,
            reload_successful=True,
            reloaded_at=START,
            disarmed=self.is_disarmed,
        )

    def trouble(self) -> str | None:
        """What the test says."""
        return self.reason_not_ready

    def stopping(self) -> bool:
        """What the test says."""
        return self.is_stopping

    def fresh_id(self, job: JobName) -> ReleaseId:
        """`JOB-1`, `JOB-2` and so on."""
        return ReleaseId(f"{job}-{1 + len(self.records)}")

    def take(self, event: Event) -> Answer | None:
        """Decide, adopt, and wake who waits for a release."""
        about = getattr(event, "release", None) or getattr(getattr(event, "request", None), "id", None)
        known = self.state if about is None else self.state.with_release(self.records.get(about))
        if isinstance(event, ReleaseRequested):
            for one in self.records.values():
                known = known.with_release(one) if one.request.version == event.request.version else known
        decision = decide(known, event)
        self.state = decision.state
        self.records |= {one.id: one for one in decision.changed}
        if decision.changed:
            for waiter in self.waiters:
                waiter.set()
        return decision.answer

    async def ask(self, event: Event) -> Answer:
        """As the daemon's, without a queue."""
        if self.reason_not_stored is not None:
            raise FrontError(self.reason_not_stored, hint="free some space")
        self.asked.append(event)
        answer = self.take(event)
        assert answer is not None
        return answer

    async def reload(self) -> None:
        """Refused while the test says that there are problems."""
        if self.config_problems:
            raise ReloadRefusedError("watcher.yaml: refused, the old one stays", problems=self.config_problems)
        self.reloads += 1

    def find(self, id: ReleaseId) -> Release | None:  # noqa: A002 - the contract's word
        """From the records of this run, or from the state that it began with."""
        return self.records.get(id) or self.state.releases.get(id)

    def list(self, job: JobName | None, limit: int, before: ReleaseId | None = None) -> builtins.list[Release]:
        """The newest first."""
        self.listed.append(limit)
        known = {**self.state.releases, **self.records}.values()
        newest = sorted((one for one in known if job in (None, one.job)), key=lambda one: one.registered_at)[::-1]
        begin = 0 if before is None else 1 + [one.id for one in newest].index(before)
        return newest[begin : begin + limit]

    async def note(self, id: ReleaseId) -> str | None:  # noqa: A002 - the contract's word
        """What the test put there."""
        return self.notes.get(id)

    async def changed(self, id: ReleaseId, timeout: float) -> None:  # noqa: A002, ARG002, ASYNC109 - as in `Front`
        """The next change of any release; a waiter may always look once too often."""
        waiter = asyncio.Event()
        self.waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter.wait()
        except TimeoutError:
            return
        finally:
            self.waiters.remove(waiter)

    def pass_time(self, seconds: float) -> None:
        """Set the clock on."""
        self.at = Usec(self.at + int(seconds * SECOND))

    def count(self, *series: str, value: int) -> None:
        """Put a durable counter where the test wants it."""
        self.state = replace(self.state, counters={**self.state.counters, series: value})
