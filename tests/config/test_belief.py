"""What a rule believes, and whether it may start a rollback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import policy
from watcher.config.belief import believes, condition_in_words, may_roll_back, text_condition_in_words
from watcher.core.duration import HOUR, MINUTE
from watcher.core.names import JobName, RuleName
from watcher.core.policy import AboveBaseline, JobPolicy, MatchThreshold, Mode, NewErrors, Threshold
from watcher.core.rule import FieldCondition, Rule, TextCondition, WatchedJob
from watcher.core.severity import Severity

LOST = Rule(name=RuleName("lost"), severity=Severity.ERROR, match="lost")
BY_UNIT = WatchedJob(name=JobName("import"), units=("import.service",), identifiers=(), rules=(LOST,))
COUNT = MatchThreshold(count=2, within=MINUTE, severity=Severity.WARNING)


def judged(threshold: Threshold, *, mode: Mode = Mode.ROLLBACK, trusted: bool = True) -> JobPolicy:
    job = policy()
    return replace(job, release=replace(job.release, mode=mode, thresholds=(threshold,), trusted=trusted))


@pytest.mark.parametrize(
    ("threshold", "severity", "may"),
    [
        (COUNT, Severity.WARNING, True),
        (COUNT, Severity.INFO, False),
        (MatchThreshold(count=1, rule=RuleName("lost")), Severity.INFO, True),
        (MatchThreshold(count=1, rule=RuleName("other")), Severity.CRITICAL, False),
        (AboveBaseline(severity=Severity.ERROR, factor=3, confidence=0.99, lookback=HOUR), Severity.ERROR, True),
        (AboveBaseline(severity=Severity.ERROR, factor=3, confidence=0.99, lookback=HOUR), Severity.WARNING, False),
        (NewErrors(count=1, lookback=HOUR), Severity.ERROR, True),
        (NewErrors(count=1, lookback=HOUR), Severity.WARNING, False),
    ],
)
def test_a_rule_rolls_back_by_what_counts_it(threshold: Threshold, severity: Severity, *, may: bool) -> None:
    """A threshold of any kind that a match of the rule alone can move."""
    assert may is may_roll_back(replace(LOST, severity=severity), BY_UNIT, judged(threshold))[0]


@pytest.mark.parametrize(
    ("mode", "trusted", "why"),
    [
        (Mode.OBSERVE, True, "mode is observe: nothing is acted on"),
        (Mode.ASK, True, "mode is ask: a person decides"),
        (Mode.ROLLBACK, False, "anybody can send what the job counts by identifier"),
    ],
)
def test_what_keeps_a_counted_rule_from_it(mode: Mode, why: str, *, trusted: bool) -> None:
    """The mode, or entries that anybody can send."""
    may, said = may_roll_back(LOST, BY_UNIT, judged(COUNT, mode=mode, trusted=trusted))
    assert not may
    assert why in said


def test_a_job_with_identifiers_is_warned_of() -> None:
    """It may, and it is said whom it believes; a trusted field ends that."""
    job = replace(BY_UNIT, identifiers=("import",))
    assert "anybody can send such an entry" in may_roll_back(LOST, job, judged(COUNT))[1]
    trusted = replace(LOST, where=(FieldCondition(field="_UID", values=("0",)),))
    assert "anybody" not in may_roll_back(trusted, job, judged(COUNT))[1]


def test_whom_each_field_is_believed_from() -> None:
    """One line for each part of the rule that asks a field."""
    rule = Rule(
        name=RuleName("all"),
        severity=Severity.ERROR,
        message_id="d9b373ed55a64feb8242e02dbe79a49c",
        unless="x",
        where=(
            FieldCondition(field="_TRANSPORT", values=("kernel",)),
            FieldCondition(field="_COMM", values=("a", "b")),
            FieldCondition(field="UNIT_RESULT", values=("timeout",)),
        ),
    )
    assert [
        "MESSAGE_ID, from PID 1 alone",
        "MESSAGE: what the sender wrote",
        "_TRANSPORT: from journald, can't be forged",
        "_COMM: from journald, but whoever starts a program can choose it",
        "UNIT_RESULT: what the sender of the MESSAGE_ID wrote",
    ] == list(believes(rule))
    dumped = replace(rule, message_id="fc2e22bc6ee647b6b90729ab34a250b1")
    assert "from PID 1 or (core dumps) from root" in next(iter(believes(dumped)))


def test_conditions_in_words() -> None:
    """As people say them."""
    level = TextCondition(names=("level", "lvl"), values=("error",), ranges=((50, 59), (7, 7), (90, None)))
    assert "level or lvl = error or 50 to 59 or 7 or 90 and more" == text_condition_in_words(level)
    bounds = (FieldCondition(field="PRIORITY", at_most=4), FieldCondition(field="PRIORITY", at_least=5))
    assert ["PRIORITY <= 4", "PRIORITY >= 5"] == list(map(condition_in_words, bounds))
    assert "_COMM = a or b" == condition_in_words(FieldCondition(field="_COMM", values=("a", "b")))
