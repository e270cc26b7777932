"""Why a verdict was given or a rollback held: a code with its numbers; `verdict.say` puts it into words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watcher.core.duration import Usec


class ReasonCode(StrEnum):
    """Why a verdict was given or a rollback held, in one word; the only part that a rollback command is told."""

    MATCHES = "matches"
    WINDOW_OVER = "window-over"
    PERSON = "person"
    SILENT = "silent"
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
    """Why, with the number and its limit; `verdict.say` puts it into words.

    `what` is what was counted ("error", a rule, a key of the configuration, a person's words); `span` is the time that
    the counted things took, `within` the limit of that.
    """

    code: ReasonCode
    what: str = ""
    count: int = 0
    limit: int = 0
    span: Usec | None = None
    within: Usec | None = None
