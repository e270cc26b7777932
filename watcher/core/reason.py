"""Why a verdict was given or a rollback held: a code with its numbers; `reason_words.say` puts it into words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watcher.core.duration import Usec


class ReasonCode(StrEnum):
    """Why a verdict was given or a rollback held, in one word; the only part that a rollback command is told."""

    MATCHES = "matches"
    ABOVE_BASELINE = "above-baseline"
    NEW_ERRORS = "new-errors"
    BASELINE_UNREAD = "baseline-unread"
    NOT_APPLICABLE = "not-applicable"
    NOTHING_JUDGED = "nothing-judged"
    JUDGED_IN_PART = "judged-in-part"
    FAILED_RUNS = "failed-runs"
    FAILED_RATIO = "failed-ratio"
    WINDOW_OVER = "window-over"
    PERSON = "person"
    FAILED_BY_PERSON = "failed-by-person"
    SILENT = "silent"
    NO_RUN = "no-run"
    NO_SUCCESS = "no-success"
    FAILED_SETTLING = "failed-settling"
    EXPECTED_RUNS = "expected-runs"
    EXPECTED_LINE = "expected-line"
    GAP = "gap"
    UNJUDGED = "unjudged"
    RULES_CHANGED = "rules-changed"
    JOB_REMOVED = "job-removed"
    NEWER_RELEASE = "newer-release"
    MODE = "mode"
    PAUSED = "paused"
    STALE = "stale"
    DISARMED = "disarmed"
    REFUSED = "refused"
    CHECK = "check"
    INSIDE_ROLLBACK = "inside-rollback"
    ROLLED_BACK_TO = "rolled-back-to"
    SHARED_CAUSE = "shared-cause"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why, with the number and its limit; `reason_words.say` puts it into words.

    `what` is what was counted ("error", a rule, a key of the configuration, a person's words); `span` is the time that
    the counted things took, `within` the limit of that. `seen` is of how many `count` is a part; `before` are the same
    two numbers of the baseline, `factor` and `confidence` those of the condition. `total` is out of how many runs,
    `share` a limit that is a fraction.
    """

    code: ReasonCode
    what: str = ""
    count: int = 0
    limit: int = 0
    span: Usec | None = None
    within: Usec | None = None
    seen: int = 0
    before: tuple[int, int] = (0, 0)
    factor: float = 0.0
    confidence: float = 0.0
    total: int = 0
    share: float = 0.0
