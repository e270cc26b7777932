"""What the two sockets may ask of the daemon, and nothing else of it: the border between them.

Knows the core's types; knows neither HTTP nor how the daemon does any of it. `daemon.py` implements `Front`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from watcher.core.duration import Usec
from watcher.core.errors import WatcherError
from watcher.core.messages import Answer, Event
from watcher.core.names import JobName, ReleaseId
from watcher.core.release import Release
from watcher.core.state import State


class FrontError(WatcherError):
    """The request changed nothing because the daemon can't do it now; trying again later is right."""


class StoppingError(FrontError):
    """The shutdown has begun: the request changed nothing, and the next daemon will take it."""

    def __init__(self) -> None:
        super().__init__("the daemon is stopping", hint="try again when it runs again")


class ReloadRefusedError(WatcherError):
    """The new configuration is broken and the old one stays.

    `problems` are all its errors, each as a line `FILE:LINE:COL: path: what is wrong`.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the sockets tell of the daemon itself.

    `journal` names what is read, in words for people; `reload_successful` is about the last attempt, `reloaded_at` is
    the instant at which the configuration in use took effect. `disarmed`: the off switch, the file `disarm`, is there.
    """

    version: str
    config_hash: str
    journal: str
    reload_successful: bool
    reloaded_at: Usec
    disarmed: bool

    def holds(self, state: State, job: JobName, at: Usec) -> bool:
        """Whether automatic rollbacks of the job are held, by a pause or by the off switch."""
        return self.disarmed or state.pause_of(job, at) is not None


class Front(Protocol):
    """The daemon as its sockets see it. All methods are called on the daemon's own loop."""

    @property
    def state(self) -> State:
        """The adopted state: what is durable, and nothing that isn't."""

    def now(self) -> Usec:
        """The instant that a new event gets."""

    def facts(self) -> Facts:
        """What is true of the daemon itself now."""

    def trouble(self) -> str | None:
        """Why the daemon is not ready, in words for people; None while the journal is really being read."""

    def stopping(self) -> bool:
        """Whether the shutdown has begun: from then on nothing new is taken in."""

    def fresh_id(self, job: JobName) -> ReleaseId:
        """An id that no release has had."""

    async def ask(self, event: Event) -> Answer:
        """Hand the event in; the answer comes after the commit.

        Raises FrontError: the store failed or the daemon ends; nothing was changed.
        """

    async def reload(self) -> None:
        """Read the configuration again and put it in use, whole.

        Raises ReloadRefusedError, and FrontError as `ask`.
        """

    def find(self, id: ReleaseId) -> Release | None:  # noqa: A002 - the contract's word
        """The release as it is now, however old."""

    def list(self, job: JobName | None, limit: int, before: ReleaseId | None = None) -> list[Release]:
        """The newest releases first, at most `limit`, of one job or of all; `before`: those registered before it."""

    async def note(self, id: ReleaseId) -> str | None:  # noqa: A002 - the contract's word
        """The final note as Markdown, one that is just being written included; None while there is none."""

    async def changed(self, id: ReleaseId, timeout: float) -> None:  # noqa: A002, ASYNC109 - the long poll's own limit
        """Wait until the release has another record than now, but no longer than `timeout` seconds."""
