"""Which rules believe an entry only from somebody whom its sender can't pretend to be. Knows rules and thresholds only.

Anybody may write entries with any SYSLOG_IDENTIFIER, so where a job is known by identifiers, an entry alone must not be
enough to start a rollback.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from watcher.core.policy import AboveBaseline, FailedRatio, FailedRuns, MatchThreshold, NewErrors, Threshold
from watcher.core.rule import FieldCondition, Rule

_TRUSTED = frozenset(
    {
        "_PID", "_UID", "_GID", "_SYSTEMD_UNIT", "_SYSTEMD_CGROUP", "_SYSTEMD_SLICE", "_SYSTEMD_SESSION",
        "_SYSTEMD_OWNER_UID", "_SYSTEMD_INVOCATION_ID", "_AUDIT_LOGINUID", "_AUDIT_SESSION", "_SELINUX_CONTEXT",
    },
)  # fmt: skip
"""Fields that journald sets itself and that the sender can't choose: `_COMM`, `_EXE` and `_CMDLINE` are left out, as
everybody may start any program under any name."""
_TRUSTED_TRANSPORTS = frozenset({"kernel", "driver", "audit"})


def is_open(rules: Iterable[Rule], threshold: Threshold) -> bool:
    """Whether entries that anybody can send count towards the threshold."""
    match threshold:
        case MatchThreshold():
            return bool(open_rules(rules, threshold))
        case AboveBaseline():
            return any(rule.severity.at_least(threshold.severity) and not is_trusted(rule) for rule in rules)
        case NewErrors():
            return True  # any entry of priority 3 counts, whatever the rules ask for
        case FailedRuns() | FailedRatio():
            return False  # a run is believed from PID 1, root and the job's own user only
    assert_never(threshold)


def open_rules(rules: Iterable[Rule], threshold: MatchThreshold) -> tuple[Rule, ...]:
    """The rules that count towards the threshold and believe everybody."""
    return tuple(rule for rule in counted(rules, threshold) if not is_trusted(rule))


def counted(rules: Iterable[Rule], threshold: MatchThreshold) -> tuple[Rule, ...]:
    """The rules whose matches count towards the threshold."""
    if threshold.severity is not None:
        limit = threshold.severity
        return tuple(rule for rule in rules if rule.severity.at_least(limit))
    return tuple(rule for rule in rules if rule.name == threshold.rule)


def is_trusted(rule: Rule) -> bool:
    """Whether a rule asks for what the sender of an entry can't choose; message ids are believed from their sender."""
    return rule.message_id is not None or any(_is_trusted(condition) for condition in rule.where)


def _is_trusted(condition: FieldCondition) -> bool:
    if condition.field == "_TRANSPORT":
        return _TRUSTED_TRANSPORTS.issuperset(condition.values)
    return condition.field in _TRUSTED
