"""One release and everything that stands in its record: who, why, the window, the verdict, the rollback."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watcher.core.duration import Usec
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import JobPolicy, Mode
from watcher.core.reason import Reason
from watcher.core.trial import Trial


class Phase(StrEnum):
    """Where a release stands; the last five are final."""

    PREPARING = "preparing"
    WATCHING = "watching"
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Verdict(StrEnum):
    """The judgement on a release."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class RollbackState(StrEnum):
    """Where the rollback of a release stands."""

    NONE = "none"
    HELD = "held"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """The one rollback of a release. `output` is the tail of what the command printed: hostile text."""

    state: RollbackState = RollbackState.NONE
    reason: Reason | None = None
    exit_code: int | None = None
    queued_at: Usec | None = None
    started_at: Usec | None = None
    finished_at: Usec | None = None
    detail: str = ""
    output: str = ""
    helped: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult:
    """What the job's `backup` command did before the release was registered. `output` is its tail: hostile text."""

    command: tuple[str, ...]
    exit_code: int
    started_at: Usec
    finished_at: Usec
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """What a release script says of a release. None: the job's configuration decides.

    `author` is the user that asked, as read from the socket. Two requests are the same if all but `author` and
    `backup` is equal.
    """

    job: JobName
    version: str
    author: str
    id: ReleaseId | None = None
    previous: str | None = None
    owner: str | None = None
    reason: str = ""
    rollback_note: str = ""
    files: tuple[str, ...] = ()
    mode: Mode | None = None
    window: Usec | None = None
    prepare: bool = False
    backup: BackupResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The record of a release: everything that its note and every answer about it are made from.

    Instants are None until they are known. `trial` is the watch window with all that was seen in it.
    `entries_before`, `matches_before` are the job's counters at the start, for the metric before and after.
    """

    id: ReleaseId
    request: ReleaseRequest
    policy: JobPolicy
    mode: Mode
    owner: str
    previous: str | None
    registered_at: Usec
    window: Usec
    phase: Phase
    trial: Trial
    ended_at: Usec | None = None
    verdict: Verdict | None = None
    reasons: tuple[Reason, ...] = ()
    entries_before: int = 0
    matches_before: int = 0
    entries_after: int | None = None
    matches_after: int | None = None
    rollback: Rollback = Rollback()

    @property
    def job(self) -> JobName:
        """The job that was released."""
        return self.request.job

    @property
    def started_at(self) -> Usec | None:
        """When its watch window began."""
        return self.trial.start

    @property
    def settles_at(self) -> Usec | None:
        """From when on matches are held against the release."""
        return self.trial.settles_at

    @property
    def ends_at(self) -> Usec | None:
        """When its watch window ends, if nothing ends it before."""
        return self.trial.end
