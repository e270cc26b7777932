"""From checked models to the frozen values of the core. Finds no errors: everything was checked before."""

from __future__ import annotations

import hashlib
import json
import pwd
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from watcher.config.job_sections import (
    LOOKBACK,
    ExpectSection,
    FailedRunsSection,
    FailWhenSection,
    JobSection,
    MatchesSection,
    ReleaseSection,
)
from watcher.config.rule_sections import RuleSection
from watcher.config.trust import is_open
from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName, RuleName
from watcher.core.policy import (
    AboveBaseline,
    Expectation,
    FailedRatio,
    FailedRuns,
    JobPolicy,
    MatchThreshold,
    NewErrors,
    ReleasePolicy,
    RollbackPlan,
    Threshold,
)
from watcher.core.rule import FieldCondition, Rule, WatchedJob
from watcher.core.severity import Severity

_HASH = 12
"""Hexadecimal digits of a hash: enough to tell configurations apart, short enough for a metric label."""
LEAST_RUNS = 5
"""How many runs must have ended before their share of failures says anything, if nothing else is configured."""
_OTHER_TYPES = frozenset(
    {"socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope"},
)
_PRIORITIES = {Severity.CRITICAL: 2, Severity.ERROR: 3, Severity.WARNING: 4, Severity.INFO: 6}
LONGEST_SETTLE = Usec(30 * SECOND)


def digest(facts: Any) -> str:
    """A short hash over plain facts; equal facts give an equal one on every machine."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH]


def build_rule(section: RuleSection, *, pack: str = "") -> Rule:
    """One rule; `pack` is the pack that it stands in, "" for a job's own."""
    return Rule(
        name=RuleName(section.name),
        severity=section.severity,
        pack=pack,
        match=section.match,
        unless=section.unless,
        message_id=section.message_id,
        fields=section.fields,
        where=section.where,
        until=section.until,
        continues=section.continues,
        once=section.once,
        capture=tuple(section.capture.items()),
    )


def build_watched(name: str, job: JobSection, rules: Iterable[Rule]) -> WatchedJob:
    """What the reader has to know of a job."""
    return WatchedJob(
        name=JobName(name),
        units=tuple(dict.fromkeys(job.units)),
        identifiers=tuple(dict.fromkeys(job.identifiers)),
        rules=tuple(rules),
        kinds=any(one.new_errors is not None for one in job.release.fail_when),
        expected=None if job.release.expect is None else build_expected(job.release.expect),
        run_as=None if job.run_as is None else uid_of(job.run_as),
    )


def build_expected(expect: ExpectSection) -> Rule | None:
    """The line that is waited for, as a rule that is no error; its name is none that a rule can have."""
    if expect.match is None:
        return None
    bound = () if expect.severity is None else (FieldCondition(field="PRIORITY", at_most=_PRIORITIES[expect.severity]),)
    return Rule(name=RuleName("(expected)"), severity=Severity.INFO, match=expect.match, where=bound)


def uid_of(user: str) -> int | None:
    """The uid of a user by name or number, None if this machine knows no such name."""
    try:
        return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def build_policy(watched: WatchedJob, job: JobSection) -> JobPolicy:
    """How releases of a job are judged."""
    units = [option for unit in watched.units for option in ("-u", unit)]
    identifiers = [option for identifier in watched.identifiers for option in ("-t", identifier)]
    release = build_release(job.release)
    open_to_all = not watched.units and any(is_open(watched.rules, threshold) for threshold in release.thresholds)
    return JobPolicy(
        name=watched.name,
        owner=job.owner,
        rules={rule.name: rule.severity for rule in watched.rules},
        rules_hash=digest(asdict(watched)),
        release=replace(release, trusted=not open_to_all, has_runs=any(map(_may_be_service, watched.units))),
        journalctl=(*units, *identifiers),
    )


def _may_be_service(unit: str) -> bool:
    """Whether a unit, or a glob of units, may name a service: a name without a type is one."""
    return not unit.startswith("/") and unit.rpartition(".")[2] not in _OTHER_TYPES


def settle_of(section: ReleaseSection) -> Usec:
    """The configured span; left out, half a minute, but at most a tenth of the window."""
    return Usec(min(LONGEST_SETTLE, section.window.max // 10)) if section.settle is None else section.settle


def build_release(section: ReleaseSection) -> ReleasePolicy:
    """The conditions of a job's releases."""
    rollback = section.rollback
    return ReleasePolicy(
        mode=section.mode,
        window=section.window.max,
        settle=settle_of(section),
        thresholds=tuple(build_thresholds(section.fail_when)),
        rollback=None
        if rollback is None
        else RollbackPlan(
            command=rollback.command,
            timeout=rollback.timeout,
            user=rollback.user,
            idempotent=rollback.idempotent,
            check=rollback.check or (),
            verify=rollback.verify,
        ),
        expected="" if section.expect is None else in_words(section.expect),
        backup=section.backup,
        window_runs=section.window.runs,
        blame=section.blame,
        expect=Expectation()
        if section.expect is None
        else Expectation(
            successful_runs=section.expect.successful_runs or 0,
            line=section.expect.match is not None,
        ),
        backup_timeout=section.backup_timeout,
        shared_cause=section.shared_cause,
    )


def build_thresholds(sections: Sequence[FailWhenSection]) -> Iterator[Threshold]:
    """The conditions in their order. What is new is new against the longest lookback."""
    spans = [one.above_baseline.lookback for one in sections if one.above_baseline is not None]
    for one in sections:
        if one.matches is not None:
            yield build_threshold(one.matches)
        elif one.above_baseline is not None:
            above = one.above_baseline
            yield AboveBaseline(
                severity=above.severity, factor=above.factor, confidence=above.confidence, lookback=above.lookback
            )
        elif one.new_errors is not None:
            yield NewErrors(count=one.new_errors.count, lookback=max(spans, default=LOOKBACK))
        elif one.failed_runs is not None:
            yield build_runs(one.failed_runs)


def build_runs(runs: FailedRunsSection) -> FailedRuns | FailedRatio:
    """One condition on runs."""
    if runs.ratio is not None:
        return FailedRatio(ratio=float(runs.ratio), min_runs=runs.min_runs or LEAST_RUNS)
    return FailedRuns(count=runs.count or 1, consecutive=bool(runs.consecutive))


def build_threshold(matches: MatchesSection) -> MatchThreshold:
    """One condition on matches."""
    rule = None if matches.rule is None else RuleName(matches.rule)
    return MatchThreshold(count=matches.count, within=matches.within, severity=matches.severity, rule=rule)


def in_words(expect: ExpectSection) -> str:
    """What is expected of a release, for people."""
    parts = []
    if expect.successful_runs is not None:
        parts.append(f"{expect.successful_runs} successful run{'' if expect.successful_runs == 1 else 's'}")
    if expect.match is not None:
        severity = "" if expect.severity is None else f" of severity {expect.severity} and worse"
        parts.append(f"an entry{severity} that matches {expect.match}")
    return " and ".join(parts)
