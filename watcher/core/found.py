"""What the reader found in a piece of the journal: how much of each job, and each thing that matters to a verdict."""

from __future__ import annotations

from dataclasses import dataclass

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

    An entry that belongs to two jobs makes a match for each.
    """

    job: JobName
    rules: tuple[RuleName, ...]
    severity: Severity
    at: Usec
    cursor: str


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


Found = Match | ErrorSeen
"""Whatever `BatchRead.found` may hold, in the journal's order."""
