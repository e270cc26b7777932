"""A release as people and other programs are shown it: the object of `watcher release show -o json`.

The form is the contract's and may only grow. Texts are as they came in (JSON escapes them); instants are RFC 3339 in
UTC with microseconds, or null while they are not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.core.baseline import Baseline, OldRuns
from watcher.core.coverage import Gap
from watcher.core.duration import SECOND, Usec, format_duration
from watcher.core.found import Match
from watcher.core.reason_words import say
from watcher.core.release import CommandResult, Opinion, Phase, Proposal, Release, Verification
from watcher.core.standing import Standing
from watcher.core.thresholds import standing
from watcher.core.trial import Trial

SCHEMA = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def shown_release(release: Release) -> dict[str, Any]:
    """The release for `-o json`, the HTTP API and the note's record.

    `baseline` is null while it is being read, and where no condition asks for it.
    A threshold's `count` is the most that ever stood against its `limit`; from a `ratio` of 1 on it is crossed.
    """
    return {"schema": SCHEMA, **_shown_request(release), **_shown_course(release), **_shown_evidence(release)}


def _shown_request(release: Release) -> dict[str, Any]:
    """What was asked for, by whom."""
    request, policy = release.request, release.policy.release
    return {
        "id": release.id,
        "job": release.job,
        "version": request.version,
        "previous": release.previous,
        "owner": release.owner,
        "author": request.author,
        "reason": request.reason,
        "files": list(request.files),
        "expected": policy.expected,
        "rollback_note": request.rollback_note,
        "backup": None if request.backup is None else _shown_result(request.backup),
        "check": None if request.check is None else _shown_result(request.check),
        "mode": release.mode,
        "mode_reason": None if release.demoted is None else say(release.demoted),
    }


def _shown_course(release: Release) -> dict[str, Any]:
    """How it stands and why, and when it came to that."""
    return {
        "phase": release.phase,
        "verdict": release.verdict,
        "reasons": [say(reason) for reason in release.reasons],
        "reason_codes": [reason.code for reason in release.reasons],
        "registered_at": shown_instant(release.registered_at),
        "started_at": shown_instant(release.started_at),
        "settles_at": shown_instant(release.settles_at),
        "ends_at": shown_instant(release.ends_at),
        "ended_at": shown_instant(release.ended_at),
        "window": format_duration(release.window),
    }


def _shown_evidence(release: Release) -> dict[str, Any]:
    """What was counted, what is known of it, and what came of the rollback."""
    return {
        "thresholds": shown_thresholds(release),
        "unjudged": list(release.policy.release.unjudged),
        "matches": dict(release.trial.matches),
        "settling": release.trial.settling,
        "runs": _shown_runs(release.trial),
        "old": _shown_old(release.trial),
        "baseline_pending": release.phase in (Phase.PREPARING, Phase.WATCHING) and release.trial.waits,
        "baseline": None if release.trial.baseline is None else _shown_baseline(release.trial.baseline),
        "coverage": shown_coverage(release.trial.gaps),
        "counters": {
            "entries_before": release.entries_before,
            "entries_after": release.entries_after,
            "matches_before": release.matches_before,
            "matches_after": release.matches_after,
        },
        "rollback": _shown_rollback(release),
        "proposal": None if release.proposal is None else _shown_proposal(release.proposal),
        "opinion": None if release.opinion is None else _shown_opinion(release.opinion),
    }


def _shown_runs(trial: Trial) -> dict[str, int]:
    """Runs of the release; those that began before it are in `old`. Some may have begun before the clock started."""
    runs = trial.runs
    return {
        "began": runs.begun,
        "succeeded": runs.succeeded,
        "failed": runs.failed,
        "stopped": runs.stopped,
        "failed_settling": runs.settling,
        "counted": runs.finished,
    }


def _shown_old(trial: Trial) -> dict[str, Any]:
    """What invocations that began before the release did in its window; nothing of it is held against it."""
    runs = trial.runs
    return {
        "matches": dict(trial.old_matches),
        "unclear": sum(isinstance(one, Match) for one in trial.unclear),
        "runs": {"succeeded": runs.old_succeeded, "failed": runs.old_failed, "stopped": runs.old_stopped},
    }


def shown_instant(at: Usec | None) -> str | None:
    """The instant in RFC 3339, UTC, exact to the microsecond: `2026-11-23T23:30:00.123456Z`."""
    return None if at is None else instant_to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_to_datetime(at: Usec) -> datetime:
    """The instant in UTC; one past the year 9999, which no journal can hold, is that year's last moment."""
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def shown_coverage(gaps: Iterable[Gap]) -> dict[str, Any]:
    """Coverage for JSON: whether it is complete, and every gap."""
    shown = [
        {
            "reason": gap.reason,
            "since": shown_instant(gap.since),
            "until": shown_instant(gap.until),
            "entries": gap.entries,
            "job": gap.job,
        }
        for gap in gaps
    ]
    return {"complete": not shown, "gaps": shown}


def shown_thresholds(release: Release) -> list[dict[str, Any]]:
    """Each threshold with the most that stood against its limit, in the order of the configuration."""
    return [_shown_standing(standing(count)) for count in release.trial.counts]


def _shown_standing(one: Standing) -> dict[str, Any]:
    return {
        "threshold": one.label,
        "count": one.count,
        "limit": one.limit,
        "within": None if one.within is None else format_duration(one.within),
        "ratio": one.ratio,
        "detail": one.detail or None,
    }


def _shown_old_runs(runs: OldRuns) -> dict[str, Any]:
    return {
        "succeeded": runs.succeeded,
        "failed": runs.failed,
        "median_seconds": None if runs.median is None else runs.median / SECOND,
        "longest_seconds": None if runs.longest is None else runs.longest / SECOND,
    }


def _shown_baseline(baseline: Baseline) -> dict[str, Any]:
    return {
        "since": shown_instant(baseline.since),
        "until": shown_instant(baseline.until),
        "heard_from": shown_instant(baseline.heard_from),
        "whole_from": shown_instant(baseline.whole_from),
        "entries": baseline.entries,
        "minutes": baseline.minutes,
        "matches": dict(baseline.matches),
        "error_minutes": {
            one.severity: {"minutes": one.minutes, "bursts": one.bursts} for one in baseline.error_minutes
        },
        "runs": None if baseline.runs is None else _shown_old_runs(baseline.runs),
        "kinds": len(baseline.kinds),
        "kinds_cut": baseline.kinds_cut,
        "limited": baseline.limited,
        "problem": baseline.problem or None,
    }


def _shown_rollback(release: Release) -> dict[str, Any]:
    rollback, plan = release.rollback, release.policy.release.rollback
    return {
        "state": rollback.state,
        "reason": None if rollback.reason is None else say(rollback.reason),
        "reason_code": None if rollback.reason is None else rollback.reason.code,
        "command": None if plan is None else list(plan.command),
        "user": None if plan is None else plan.user,
        "timeout": None if plan is None else format_duration(plan.timeout),
        "exit_code": rollback.exit_code,
        "queued_at": shown_instant(rollback.queued_at),
        "started_at": shown_instant(rollback.started_at),
        "finished_at": shown_instant(rollback.finished_at),
        "helped": rollback.helped,
        "verification": _shown_verification(release.verification),
        "detail": rollback.detail,
        "output": rollback.output,
    }


def _shown_proposal(proposal: Proposal) -> dict[str, Any]:
    """What mode rollback makes of the failure: `queued` or `held`."""
    return {"state": proposal.state, "reason": say(proposal.reason), "reason_code": proposal.reason.code}


def _shown_opinion(opinion: Opinion) -> dict[str, Any]:
    return {
        "judgement": opinion.judgement,
        "agrees": opinion.agrees,
        "reason": opinion.reason,
        "author": opinion.author,
        "at": shown_instant(opinion.at),
    }


def _shown_verification(verification: Verification | None) -> dict[str, Any] | None:
    """The time after the rollback: how long it is watched, what was seen in it, and why it ended as it did."""
    if verification is None or verification.trial.start is None:
        return None
    trial = verification.trial
    return {
        "started_at": shown_instant(trial.start),
        "ends_at": shown_instant(trial.end),
        "ended_at": shown_instant(verification.ended_at),
        "reasons": [say(reason) for reason in verification.reasons],
        "reason_codes": [reason.code for reason in verification.reasons],
        "thresholds": [_shown_standing(standing(count)) for count in trial.counts],
        "matches": dict(trial.matches),
        "coverage": shown_coverage(trial.gaps),
    }


def _shown_result(result: CommandResult) -> dict[str, Any]:
    return {
        "command": list(result.command),
        "exit_code": result.exit_code,
        "started_at": shown_instant(result.started_at),
        "finished_at": shown_instant(result.finished_at),
        "output": result.output,
    }
