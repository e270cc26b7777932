"""Reasons in words, and the one way from a window's end to a verdict.

The invariant: `failed` needs a crossing or a person; `passed` needs that everything was seen, judged and alive.
Whatever stands between makes the release `inconclusive`.
"""

from __future__ import annotations

from watcher.core.doubts import doubts
from watcher.core.duration import Usec, format_duration
from watcher.core.policy import Mode
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release, Verdict
from watcher.core.thresholds import lacking


def verdict_at_end(release: Release, end: Usec | None = None) -> tuple[Verdict, tuple[Reason, ...]]:
    """The verdict on a window that ended without a crossed threshold, with all that stands against `passed`.

    `end` is when it ended, if before its planned end.
    """
    start = release.started_at
    span = release.window if start is None or end is None else Usec(end - start)
    against = doubts(release, span)
    if against:
        return Verdict.INCONCLUSIVE, (*against, *_not_applicable(release))
    runs = release.trial.runs
    matches = sum(count for _, count in release.trial.matches)
    seen = Reason(code=ReasonCode.WINDOW_OVER, span=span, count=matches, total=runs.succeeded + runs.failed)
    return Verdict.PASSED, (seen, *_not_applicable(release))


def _not_applicable(release: Release) -> tuple[Reason, ...]:
    """What says too little about the past keeps no release from passing, but it is said."""
    baseline = release.trial.baseline
    if baseline is None or baseline.problem:
        return ()
    judged = [(count.threshold.label, lacking(count)) for count in release.trial.counts]
    return tuple(Reason(code=ReasonCode.NOT_APPLICABLE, what=f"{label}: {why}") for label, why in judged if why)


def say(reason: Reason) -> str:  # noqa: C901, PLR0912 - one arm for each word of the contract
    """The reason in words, for people: `5 error matches in 42s, limit 5 in 2m`."""
    match reason.code:
        case ReasonCode.MATCHES:
            return f"{_matches(reason)}, limit {reason.limit}{_within(reason)}"
        case ReasonCode.ABOVE_BASELINE:
            return _above_baseline(reason)
        case ReasonCode.NEW_ERRORS:
            entries = _plural(reason.count, "error entry", "error entries")
            return f"{entries} of kinds not seen before the release ({reason.seen} new), limit {reason.limit}"
        case ReasonCode.BASELINE_UNREAD:
            return f"the baseline could not be read: {reason.what}"
        case ReasonCode.NOT_APPLICABLE:
            return f"not applicable: {reason.what}"
        case ReasonCode.NOTHING_JUDGED:
            return "none of the configured conditions could be judged"
        case ReasonCode.JUDGED_IN_PART:
            things = _plural(reason.count, "error or run", "errors and runs")
            return f"judged in part: {reason.what}: {things} found no room while the baseline was being read"
        case ReasonCode.WINDOW_OVER:
            runs = f" and {_plural(reason.total, 'run', 'runs')}" if reason.total else ""
            seen = f"{_plural(reason.count, 'match', 'matches')}{runs} seen"
            return f"no threshold crossed in {_span(reason.span)} ({seen})"
        case ReasonCode.FAILED_RUNS:
            row = f" {reason.what}" if reason.what else ""
            return f"{reason.count} of {_plural(reason.total, 'run', 'runs')} failed{row}, limit {reason.limit}"
        case ReasonCode.FAILED_RATIO:
            share = f"{reason.count / max(reason.total, 1):.3g}, limit {reason.share:g} from {reason.limit} runs on"
            return f"{reason.count} of {_plural(reason.total, 'run', 'runs')} failed: {share}"
        case ReasonCode.PERSON:
            return f"decided by a person: {reason.what}"
        case ReasonCode.SILENT:
            return (
                f"no run seen, and no entry of the job in {_span(reason.span)}: a silent job is not known to be healthy"
            )
        case ReasonCode.NO_RUN:
            return f"no run seen: {_old(reason)}"
        case ReasonCode.NO_SUCCESS:
            return f"no success seen: {_plural(reason.total, 'run', 'runs')} ended, {reason.count} of them failed"
        case ReasonCode.FAILED_SETTLING:
            return f"{_while_settling(reason)}, within `settle`: not held against the release"
        case ReasonCode.EXPECTED_RUNS:
            runs = _plural(reason.count, "successful run", "successful runs")
            return f"{runs} of {reason.total} seen, {reason.limit} expected" if reason.total else _none_of(reason)
        case ReasonCode.EXPECTED_LINE:
            return f"not seen, though expected: {reason.what}"
        case ReasonCode.GAP:
            size = _plural(reason.count, "entry", "entries") if reason.count else "an unknown number of entries"
            return f"coverage has a hole ({reason.what}): {size} not seen"
        case ReasonCode.UNJUDGED:
            return f"{reason.what} is configured but not judged by this version"
        case ReasonCode.RULES_CHANGED:
            return "the job's rules were changed while the window was open"
        case ReasonCode.JOB_REMOVED:
            return "the job was removed from the configuration while the window was open"
        case ReasonCode.NEWER_RELEASE:
            return f"a newer release of the job was registered: {reason.what}"
        case ReasonCode.MODE:
            who = "recorded only" if reason.what == Mode.OBSERVE else "a person decides about the rollback"
            return f"mode is {reason.what}: {who}"
        case ReasonCode.PAUSED:
            return f"automatic rollbacks are paused: {reason.what}"
        case ReasonCode.DISARMED:
            return "the off switch is on: the file `disarm` exists"
        case ReasonCode.CHECK:
            return f"the rollback's check {reason.what}: this release is only observed"
        case ReasonCode.INSIDE_ROLLBACK:
            return f"registered from within the rollback of {reason.what}: this release is only observed"
        case ReasonCode.ROLLED_BACK_TO:
            return f"the rollback of {reason.what} goes back to this version: this release is only observed"
        case ReasonCode.REFUSED:
            return f"the dispatcher refused it: {reason.what}"
        case ReasonCode.SHARED_CAUSE:
            jobs = f"{_plural(reason.count, 'other job', 'other jobs')} without a release ({reason.what})"
            return f"{jobs} began to fail in the same {_span(reason.span)}: perhaps it is not the release"
        case ReasonCode.BUDGET:
            started = f"{_plural(reason.count, 'rollback was', 'rollbacks were')} started on this host"
            return f"{started} in {_span(reason.span)}, limit {reason.limit}: a person decides"
        case ReasonCode.STALE:
            return f"decided {_span(reason.span)} after the failure, limit {_span(reason.within)}: a person decides"


def _while_settling(reason: Reason) -> str:
    failed = f"{_plural(reason.count, 'run', 'runs')} failed" if reason.count else ""
    seen = _plural(reason.seen, "match", "matches") if reason.seen else ""
    what = " and ".join(one for one in (failed, seen) if one) or "something went wrong"
    return f"{what} in the first {_span(reason.span)}"


def _above_baseline(reason: Reason) -> str:
    what = f"minutes had a match of severity {reason.what} or worse" if reason.what else "runs failed"
    failed, seen = reason.before
    sure = f"more than {reason.factor:g} times as often, confidence {reason.confidence:g}"
    return f"{reason.count} of {reason.seen} {what}, {failed} of {seen} before: {sure}"


def _old(reason: Reason) -> str:
    nothing = f"nothing that began since the release was registered ran within {_span(reason.span)}"
    if not reason.count and not reason.total:
        return nothing
    runs = f"{_plural(reason.count, 'match', 'matches')} and {_plural(reason.total, 'run', 'runs')}"
    return f"{nothing}; {runs} of older invocations were not held against it"


def _none_of(reason: Reason) -> str:
    return f"no run seen, {_plural(reason.limit, 'successful run', 'successful runs')} expected"


def _matches(reason: Reason) -> str:
    return f"{_plural(reason.count, f'{reason.what} match', f'{reason.what} matches')} in {_span(reason.span)}"


def _within(reason: Reason) -> str:
    return "" if reason.within is None else f" in {format_duration(reason.within)}"


def _span(span: Usec | None) -> str:
    return format_duration(span or Usec(0))


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
