"""The whole border of the core: events go in (facts), a decision with commands comes out (imperatives).

Every event carries its own instant `at`: when the daemon took it in. Entries carry theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from watcher.core.baseline import Baseline
from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.found import Found, JobTally
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import ROLLBACKS_PER_HOUR, JobPolicy
from watcher.core.reason import Reason
from watcher.core.release import Release, ReleaseRequest, RollbackState

# ---------------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRead:
    """A piece of the journal was read to its end; the next batch begins right after it.

    `read_until`: every entry older than this has been read. At the tail that is a moment ago even if nothing was
    logged. `found` is in the order of the journal, and all that there was. `position` is the reader's own text to go on
    from, None when it has not moved.
    """

    at: Usec
    read_until: Usec
    last_entry_at: Usec | None = None
    tallies: tuple[JobTally, ...] = ()
    found: tuple[Found, ...] = ()
    gaps: tuple[Gap, ...] = ()
    position: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRead:
    """What was before a release has been read from the journal, or why it can't be (`baseline.problem`)."""

    at: Usec
    release: ReleaseId
    baseline: Baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRestarted:
    """The reader process died or was killed, and a new one was started at the last committed position."""

    at: Usec
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequested:
    """Somebody registers a release. `fresh_id` is the id that it gets if it brings none.

    `dry_run`: only asks whether it would be taken and in which mode, before its backup and check are run.
    """

    at: Usec
    request: ReleaseRequest
    fresh_id: ReleaseId
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDeployed:
    """A prepared release is out: its clock starts."""

    at: Usec
    release: ReleaseId
    author: str


class Judgement(StrEnum):
    """What a person may decide about a release."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    EXTEND = "extend"
    CANCEL = "cancel"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDecided:
    """A person decides. `by` is how much longer the window shall be, for `extend` only."""

    at: Usec
    release: ReleaseId
    judgement: Judgement
    reason: str
    author: str
    by: Usec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequested:
    """Hold every automatic rollback, of one job or (None) of all, until somebody resumes or until `until`.

    One that `stays` is replaced by no person's pause: somebody has to say `resume`.
    """

    at: Usec
    job: JobName | None
    reason: str
    author: str
    until: Usec | None = None
    stays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequested:
    """Let automatic rollbacks of one job or (None) of all happen again. Rollbacks that are held stay held."""

    at: Usec
    job: JobName | None
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsLoaded:
    """A checked configuration takes effect, whole: at start and on reload."""

    at: Usec
    policies: Mapping[JobName, JobPolicy]
    rollbacks_per_hour: int = ROLLBACKS_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackObserved:
    """What the claim directory says of a rollback: it runs, how it ended, or (HELD) why it was not begun.

    `reason` is for HELD only.
    """

    at: Usec
    release: ReleaseId
    state: RollbackState
    reason: Reason | None = None
    exit_code: int | None = None
    started_at: Usec | None = None
    finished_at: Usec | None = None
    detail: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReviewed:
    """It is time to look at the queued rollbacks that nobody has claimed yet (`unclaimed`): at start, and on a timer.

    They are queued again if they may still run, and held or dropped if not. `disarmed`: the off switch is on, so none
    may.
    """

    at: Usec
    unclaimed: tuple[ReleaseId, ...]
    disarmed: bool = False


Event = (
    BatchRead
    | BaselineRead
    | ReaderRestarted
    | ReleaseRequested
    | ReleaseDeployed
    | PersonDecided
    | PauseRequested
    | ResumeRequested
    | SettingsLoaded
    | RollbackObserved
    | QueueReviewed
)

# -------------------------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class QueueRollback:
    """Hand the rollback of this release over to whoever runs it; doing so twice is harmless."""

    release: ReleaseId


@dataclass(frozen=True, slots=True)
class WriteNote:
    """(Re)write the final note of this release."""

    release: ReleaseId


@dataclass(frozen=True, slots=True)
class ReadBaseline:
    """Read what was before this release from the journal; the answer is a `BaselineRead`. Reading twice is harmless."""

    release: ReleaseId


Command = QueueRollback | WriteNote | ReadBaseline

# ------------------------------------------------------------------------------------------------ what goes with it


class TransitionKind(StrEnum):
    """What a transition changed."""

    PHASE = "phase"
    ROLLBACK = "rollback"
    WINDOW = "window"
    VERIFICATION = "verification"
    OPINION = "opinion"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change worth a line in the journal: the same record feeds log, store, metrics and note.

    `before` and `after` are phases, rollback states or words like `paused`; `author` is a user, or "" for the daemon.
    """

    at: Usec
    kind: TransitionKind
    before: str
    after: str
    release: ReleaseId | None = None
    job: JobName | None = None
    reasons: tuple[Reason, ...] = ()
    author: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is carried out; `release` is what came of it, None for pause and resume."""

    release: Release | None


class RefusalCode(StrEnum):
    """Why a request was not carried out."""

    UNKNOWN_JOB = "unknown-job"
    UNKNOWN_RELEASE = "unknown-release"
    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    WRONG_PHASE = "wrong-phase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The request changed nothing; the message is for the person that asked."""

    code: RefusalCode
    message: str
    hint: str = ""


Answer = Accepted | Refused
