"""All that the daemon knows at one instant, as one frozen value. Only `engine.decide` makes a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from watcher.core.duration import Usec
from watcher.core.messages import Answer, Command, Transition
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import ROLLBACKS_PER_HOUR, JobPolicy
from watcher.core.release import Phase, Release, RollbackState
from watcher.core.trouble import Trouble

Series = tuple[str, ...]
"""A durable counter: the metric's name, then its label values in the order of the contract."""

OPEN_PHASES = frozenset({Phase.PREPARING, Phase.WATCHING})
BUSY_ROLLBACKS = frozenset({RollbackState.HELD, RollbackState.QUEUED, RollbackState.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Automatic rollbacks of `job` (None: of every job) are held, until `until` if that is set.

    One that `stays` is lifted by `resume` alone.
    """

    job: JobName | None
    reason: str
    author: str
    since: Usec
    until: Usec | None = None
    stays: bool = False

    def is_on(self, at: Usec) -> bool:
        """Whether the pause has not run out at the instant `at`."""
        return self.until is None or at < self.until

    def holds(self, job: JobName, at: Usec) -> bool:
        """Whether the rollbacks of `job` are held at the instant `at`."""
        return self.job in (None, job) and self.is_on(at)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the next decision rests on.

    `releases` holds those that are open, those whose rollback is not over, and each job's last one; `last` names the
    latter. `counters` are exact: what the journal holds between the first and the last committed position.
    `rollbacks` are the instants at which rollbacks were handed over in the hour up to the latest of them; `troubles` is
    what went wrong with each configured job lately. `position` is the reader's own text.
    """

    policies: Mapping[JobName, JobPolicy] = field(default_factory=dict)
    releases: Mapping[ReleaseId, Release] = field(default_factory=dict)
    last: Mapping[JobName, ReleaseId] = field(default_factory=dict)
    pauses: tuple[Pause, ...] = ()
    counters: Mapping[Series, int] = field(default_factory=dict)
    rollbacks_per_hour: int = ROLLBACKS_PER_HOUR
    rollbacks: tuple[Usec, ...] = ()
    troubles: Mapping[JobName, Trouble] = field(default_factory=dict)
    position: str | None = None
    read_until: Usec | None = None
    last_entry_at: Usec | None = None

    def with_release(self, release: Release | None) -> State:
        """This state knowing also an old release that the store had kept; nothing else changes."""
        if release is None or release.id in self.releases:
            return self
        return replace(self, releases={**self.releases, release.id: release})

    def watching(self) -> tuple[Release, ...]:
        """The releases whose window is open."""
        return tuple(release for release in self.releases.values() if release.phase is Phase.WATCHING)

    def verifying(self) -> tuple[Release, ...]:
        """The releases whose rollback is being verified."""
        return tuple(release for release in self.releases.values() if release.is_verifying)

    def pause_of(self, job: JobName, at: Usec) -> Pause | None:
        """The pause that holds the rollbacks of `job` at the instant `at`."""
        return next((pause for pause in self.pauses if pause.holds(job, at)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from one event: the new state, what of it must be stored, and what is to be done once it is.

    `changed` are the releases, `counted` the counters (with their new values), `troubles` those of the jobs that differ
    from before (None: forgotten). `pauses` and `rollbacks` are set when they changed, `position` when the reader moved.
    """

    state: State
    changed: tuple[Release, ...] = ()
    counted: Mapping[Series, int] = field(default_factory=dict)
    pauses: tuple[Pause, ...] | None = None
    rollbacks: tuple[Usec, ...] | None = None
    troubles: Mapping[JobName, Trouble | None] = field(default_factory=dict)
    position: str | None = None
    transitions: tuple[Transition, ...] = ()
    commands: tuple[Command, ...] = ()
    answer: Answer | None = None

    @property
    def is_durable(self) -> bool:
        """Whether there is anything to store."""
        moved = self.pauses is not None or self.rollbacks is not None or self.position is not None
        return moved or bool(self.changed or self.counted or self.troubles or self.transitions)
