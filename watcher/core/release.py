"""One release and everything that stands in its record: who, why, the window, the verdict, the rollback."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watcher.core.duration import Usec
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import JobPolicy, Mode
from watcher.core.reason import Reason, ReasonCode
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


UNDER_WAY = frozenset({RollbackState.QUEUED, RollbackState.RUNNING})
"""Handed over, and not over."""


NOT_RUN = "the rollback command was not run"
"""How the detail of a failed rollback begins of which nothing was ever started."""


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

    @property
    def never_ran(self) -> bool:
        """Whether it failed before anything was started: then nothing can be half rolled back."""
        return self.state is RollbackState.FAILED and self.detail.startswith(NOT_RUN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The time after a rollback under judgement; `rollback.helped` tells what came of it once `ended_at` is set."""

    trial: Trial
    ended_at: Usec | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a person decided about a release that had its verdict; `judgement` is the verb (`core/messages.Judgement`).

    `agrees`: whether the person would have done what the daemon did or proposed; None where it had proposed nothing.
    """

    judgement: str
    agrees: bool | None
    reason: str
    author: str
    at: Usec


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What mode rollback does with a failed release: `queued` runs the rollback, `held` leaves it to a person."""

    state: RollbackState
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What a command of the job, `backup` or `rollback.check`, did before the release was registered.

    `exit_code` is -N after signal N; `outcome` says it in words. `output` is the tail of what it printed: hostile text.
    """

    command: tuple[str, ...]
    exit_code: int
    started_at: Usec
    finished_at: Usec
    output: str = ""

    @property
    def outcome(self) -> str:
        """How it ended: `exit code 3`, `ended by signal 9`."""
        return f"ended by signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """What a release script says of a release. None: the job's configuration decides.

    `author` is the user that asked, as read from the socket. `inside_rollback` is the release whose rollback command
    asks. `force` registers also a version that was rolled back. Two requests are the same if what they say of the
    release is equal: all but who asked, from where, and what commands did before.
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
    backup: CommandResult | None = None
    check: CommandResult | None = None
    inside_rollback: ReleaseId | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The record of a release: everything that its note and every answer about it are made from.

    Instants are None until they are known. `trial` is the watch window with all that was seen in it.
    `entries_before`, `matches_before` are the job's counters at the start, for the metric before and after.
    `demoted` is why the release is only observed though more was asked for. `follows` is the job's release before this
    one, which counts again if this one is cancelled. `proposal` is what mode rollback makes of the failure, also where
    the mode does not allow it.
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
    demoted: Reason | None = None
    follows: ReleaseId | None = None
    proposal: Proposal | None = None
    verification: Verification | None = None
    opinion: Opinion | None = None

    @property
    def job(self) -> JobName:
        """The job that was released."""
        return self.request.job

    @property
    def is_judged_by_us(self) -> bool:
        """Whether the verdict is the daemon's own, not a person's."""
        return self.verdict is not None and not any(one.code is ReasonCode.PERSON for one in self.reasons)

    @property
    def is_verifying(self) -> bool:
        """Whether it is still being looked whether the rollback helped, or will be once that has ended."""
        if self.verification is None or self.verification.ended_at is not None:
            return False
        return self.verification.trial.start is not None or self.rollback.state in UNDER_WAY

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
