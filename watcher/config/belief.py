"""What a rule believes, and whether it may start a rollback: for people, by the tables that the daemon goes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from watcher.config.trust import counted, is_trusted
from watcher.core.policy import AboveBaseline, JobPolicy, MatchThreshold, Mode, NewErrors, Threshold
from watcher.core.rule import FieldCondition, Rule, TextCondition, WatchedJob
from watcher.core.severity import Severity

_SENDERS = {
    "fc2e22bc6ee647b6b90729ab34a250b1": "MESSAGE_ID, from PID 1 or (core dumps) from root",
    "641257651c1b4ec9a8624d7a40a9e1e7": "MESSAGE_ID, from PID 1 or (a failed exec) from the job's own unit",
}


def believes(rule: Rule) -> Iterator[str]:
    """Which fields the rule rests on, and from whom each is believed, one a line."""
    if rule.message_id is not None:
        yield _SENDERS.get(rule.message_id, "MESSAGE_ID, from PID 1 alone")
    if rule.match is not None or rule.unless is not None or rule.fields:
        yield "MESSAGE: what the sender wrote"
    for condition in rule.where:
        yield f"{condition.field}: {_told_by(rule, condition)}"


def _told_by(rule: Rule, condition: FieldCondition) -> str:
    if is_trusted(replace(rule, message_id=None, where=(condition,))):
        return "from journald, can't be forged"
    if condition.field.startswith("_"):
        return "from journald, but whoever starts a program can choose it"
    return "what the sender wrote" if rule.message_id is None else "what the sender of the MESSAGE_ID wrote"


def condition_in_words(condition: FieldCondition) -> str:
    """As it is written in a rule: `PRIORITY <= 4`, `_COMM = python3 or gunicorn`."""
    if condition.at_most is not None:
        return f"{condition.field} <= {condition.at_most}"
    if condition.at_least is not None:
        return f"{condition.field} >= {condition.at_least}"
    return f"{condition.field} = {' or '.join(condition.values)}"


def text_condition_in_words(condition: TextCondition) -> str:
    """As people would say it: `level or lvl = error or err or 50 to 59`."""
    ranges = [_range(first, last) for first, last in condition.ranges]
    return f"{' or '.join(condition.names)} = {' or '.join((*condition.values, *ranges))}"


def _range(first: int, last: int | None) -> str:
    if last is None:
        return f"{first} and more"
    return str(first) if first == last else f"{first} to {last}"


def may_roll_back(rule: Rule, job: WatchedJob, policy: JobPolicy) -> tuple[bool, str]:
    """Whether matches of the rule alone can lead to a rollback of the job without a person, and why or why not."""
    thresholds = [one for one in policy.release.thresholds if _counts(rule, one)]
    if not thresholds:
        return False, "no threshold of the job counts it"
    listed = ", ".join(one.label for one in thresholds)
    if policy.release.mode is not Mode.ROLLBACK:
        what = "a person decides" if policy.release.mode is Mode.ASK else "nothing is acted on"
        return False, f"it fails a release ({listed}), but mode is {policy.release.mode}: {what}"
    if not policy.release.trusted:
        return False, "anybody can send what the job counts by identifier"
    if job.identifiers and not is_trusted(rule):
        return True, f"by {listed}; anybody can send such an entry with the job's identifier"
    return True, f"by {listed}"


def _counts(rule: Rule, threshold: Threshold) -> bool:
    """Whether an entry on which this rule alone fires counts towards the threshold."""
    if isinstance(threshold, MatchThreshold):
        return bool(counted((rule,), threshold))
    if isinstance(threshold, AboveBaseline):
        return rule.severity.at_least(threshold.severity)
    return isinstance(threshold, NewErrors) and rule.severity.at_least(Severity.ERROR)
