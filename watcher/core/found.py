"""What the reader found in a piece of the journal: how much of each job, and each thing that matters to a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName, RuleName
from watcher.core.severity import Severity

TALLY_WIDTH = SECOND
"""Less than any window is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTally:
    """Entries of a job (at least 1) that lie close together, with the instants of the first and the last of them.

    A tally spans less than TALLY_WIDTH, and a batch has as many of a job as that takes. So an entry never seems to
    lie in a window only because the batch does, nor outside of it.
    """

    job: JobName
    entries: int
    first_at: Usec
    last_at: Usec


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One entry of a job on which rules fired: all of them, at least one; `severity` is the worst among them.

    An entry that belongs to two jobs makes a match for each. `invocation` is that of the job's unit which wrote it or
    is spoken of, "" if there is none (no unit of the job, or a sender without one); `began` is when it began, None
    if that was not seen. `is_expected`: the entry is what `expect` waits for; such a match may have no rules.
    """

    job: JobName
    rules: tuple[RuleName, ...]
    severity: Severity
    at: Usec
    cursor: str
    invocation: str = ""
    began: Usec | None = None
    is_expected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSeen:
    """An error of a job that asks for new ones: a match of severity error or worse, or PRIORITY 3 or worse.

    `kind` is the fingerprint's key of its message: for a stack trace, of the line that names the error. `matched`:
    a rule fired on it.
    """

    job: JobName
    at: Usec
    cursor: str
    kind: str
    matched: bool
    invocation: str = ""
    began: Usec | None = None


class RunOutcome(StrEnum):
    """How a run ended. `stopped` (ended well, on request) and `skipped` (a condition said no) are neither."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"


COUNTED_OUTCOMES = (RunOutcome.SUCCEEDED, RunOutcome.FAILED)
"""The outcomes that `watcher_runs_total` and thresholds count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan:
    """An invocation of a job's unit, or a command under `watcher job exec`, began at `at`."""

    job: JobName
    unit: str
    invocation: str
    at: Usec
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run ended at `at`, each at most once. `began` is None if its begin was not seen.

    `result` is systemd's word for a failure (`exit-code`, `signal`, `timeout`); `status` the exit code or the
    signal's number of the main process as systemd wrote it, "" if it wrote none.
    """

    job: JobName
    unit: str
    invocation: str
    at: Usec
    outcome: RunOutcome
    cursor: str
    began: Usec | None = None
    result: str = ""
    status: str = ""

    @property
    def is_counted(self) -> bool:
        """Whether it succeeded or failed."""
        return self.outcome in COUNTED_OUTCOMES


Found = Match | ErrorSeen | RunBegan | RunEnded
"""Whatever `BatchRead.found` may hold, in the journal's order."""
