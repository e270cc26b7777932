"""What a job's configuration asks of the core: how a release of it is judged and what follows.

Built by `config/`, stored with each release: a window is judged to its end by the policy that it was opened with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from watcher.core.duration import HOUR, SECOND, Usec, format_duration
from watcher.core.names import JobName, RuleName
from watcher.core.severity import Severity

SHORTEST_WINDOW = SECOND
"""Whether the job was heard in a window is told by the second (`found.TALLY_WIDTH`)."""


class Mode(StrEnum):
    """How far the daemon may go by itself when a release fails."""

    OBSERVE = "observe"
    ASK = "ask"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchThreshold:
    """`count` matches, of one rule or of a severity and worse, fail the release.

    They must lie within a span of `within`, or anywhere in the window when that is None. Exactly one of `rule` and
    `severity` is set; `count` is at least 1.
    """

    count: int
    within: Usec | None = None
    severity: Severity | None = None
    rule: RuleName | None = None

    @property
    def label(self) -> str:
        """Name of this threshold in metrics and notes; made of configuration only."""
        what = self.rule if self.rule is not None else self.severity
        span = "" if self.within is None else f" in {format_duration(self.within)}"
        return f"{self.count} {what} {'match' if self.count == 1 else 'matches'}{span}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveBaseline:
    """More failures than `factor` times what the job had in `lookback` before the release, and so sure of it.

    Of a job that runs, its failed runs; of one that stays, the minutes with a match of `severity` or worse.
    """

    severity: Severity
    factor: float
    confidence: float
    lookback: Usec

    @property
    def label(self) -> str:
        """Name of this threshold in metrics and notes; made of configuration only."""
        return f"{self.severity} above {self.factor:g} times the baseline (confidence {self.confidence:g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewErrors:
    """`count` error entries of kinds that the job did not have in `lookback` before the release."""

    count: int
    lookback: Usec

    @property
    def label(self) -> str:
        """Name of this threshold in metrics and notes; made of configuration only."""
        return f"{self.count} new error{'' if self.count == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRuns:
    """`count` failed runs fail the release: of all in the window, or (`consecutive`) without a success between them."""

    count: int
    consecutive: bool = False

    @property
    def label(self) -> str:
        """Name of this threshold in metrics and notes."""
        runs = "run" if self.count == 1 else "runs"
        return f"{self.count} failed {runs}{' in a row' if self.consecutive else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRatio:
    """A share of `ratio` failed runs (over 0, at most 1) fails the release, once `min_runs` runs have ended."""

    ratio: float
    min_runs: int

    @property
    def label(self) -> str:
        """Name of this threshold in metrics and notes."""
        return f"{self.ratio:g} of runs failed, from {self.min_runs} on"


Threshold = MatchThreshold | AboveBaseline | NewErrors | FailedRuns | FailedRatio
"""Every kind of condition that fails a release once it is crossed, each with a `label`."""


class SharedCause(StrEnum):
    """What becomes of a rollback when other jobs began to fail as well."""

    HOLD = "hold"
    IGNORE = "ignore"


ROLLBACKS_PER_HOUR = 3
"""So many rollbacks the host may start in an hour by itself, unless it is configured otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """The configured command; `timeout` is when it is ended with all that it started.

    `check` is the command that tells, at a registration, whether the rollback could run; empty: there is none. `verify`
    is how long it is looked afterwards whether it helped.
    """

    command: tuple[str, ...]
    timeout: Usec
    user: str | None = None
    idempotent: bool = False
    check: tuple[str, ...] = ()
    verify: Usec | None = None


class Blame(StrEnum):
    """Whose entries and runs are held against a release: only those of invocations that began since, or everybody's."""

    NEW = "new"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must be seen for `passed`: so many successful runs, and (`line`) an entry as `expect` describes it."""

    successful_runs: int = 0
    line: bool = False


NOTHING_EXPECTED = Expectation()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePolicy:
    """How a release of one job is judged.

    `unjudged` names conditions that the version which registered the release could not evaluate: one that would pass in
    spite of them ends `inconclusive`. This version evaluates all.
    `expected` is the expected result in words, for the note, `expect` the same to be checked. With `window_runs` the
    window ends at the end of so many runs, and after `window` at the latest. `has_runs`: the job has units, so that
    PID 1 tells each of its runs, and a release of which none was seen has shown nothing. `trusted` is False where a
    threshold counts entries that any local user can send (a job known by identifiers alone): such a job may observe
    and ask, not roll back by itself.
    """

    mode: Mode
    window: Usec
    settle: Usec
    thresholds: tuple[Threshold, ...]
    rollback: RollbackPlan | None = None
    unjudged: tuple[str, ...] = ()
    expected: str = ""
    trusted: bool = True
    backup: tuple[str, ...] = ()
    backup_timeout: Usec = HOUR
    shared_cause: SharedCause = SharedCause.HOLD
    window_runs: int | None = None
    blame: Blame = Blame.NEW
    expect: Expectation = NOTHING_EXPECTED
    has_runs: bool = False

    @property
    def must_run(self) -> bool:
        """Whether a release of which no run was seen has shown nothing.

        Of a service that was there before, a run need not begin where older ones count as well. A job without units has
        only the runs that `watcher job exec` tells: a condition on those says that there are some.
        """
        if self.has_runs:
            return self.blame is Blame.NEW
        return any(isinstance(one, FailedRuns | FailedRatio) for one in self.thresholds)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolicy:
    """One job as the core sees it.

    `rules` are all rules that can fire for the job with their severity; `rules_hash` changes whenever what the job
    reads or matches changes; `journalctl` are the options that show the job's entries (`("-u", "import.service")`).
    """

    name: JobName
    owner: str
    rules: Mapping[RuleName, Severity]
    rules_hash: str
    release: ReleasePolicy
    journalctl: tuple[str, ...]
