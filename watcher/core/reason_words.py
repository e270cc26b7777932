"""Reasons in words, for people: one text for each word of the contract.

Made of a reason alone. What others wrote is in it as it is: whoever shows it escapes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watcher.core.duration import Usec, format_duration
from watcher.core.policy import Mode
from watcher.core.reason import Reason, ReasonCode


def say(reason: Reason) -> str:
    """The reason in words: `5 error matches in 42s, limit 5 in 2m`."""
    words = _WORDS[reason.code]
    if not isinstance(words, str):
        return words(reason)
    return words.format(what=reason.what, span=_span(reason.span), within=_span(reason.within))


def _matches(reason: Reason) -> str:
    seen = f"{_plural(reason.count, f'{reason.what} match', f'{reason.what} matches')} in {_span(reason.span)}"
    within = "" if reason.within is None else f" in {format_duration(reason.within)}"
    return f"{seen}, limit {reason.limit}{within}"


def _new_errors(reason: Reason) -> str:
    entries = _plural(reason.count, "error entry", "error entries")
    return f"{entries} of kinds not seen before the release ({reason.seen} new), limit {reason.limit}"


def _judged_in_part(reason: Reason) -> str:
    if not reason.what:
        entries = _plural(reason.count, "entry", "entries")
        return f"judged in part: {entries} found no room while the begin of their run was still to come"
    things = _plural(reason.count, "error or run", "errors and runs")
    return f"judged in part: {reason.what}: {things} found no room while the baseline was being read"


def _window_over(reason: Reason) -> str:
    runs = f" and {_plural(reason.total, 'run', 'runs')}" if reason.total else ""
    seen = f"{_plural(reason.count, 'match', 'matches')}{runs} seen"
    return f"no threshold crossed in {_span(reason.span)} ({seen})"


def _failed_runs(reason: Reason) -> str:
    row = f" {reason.what}" if reason.what else ""
    return f"{reason.count} of {_plural(reason.total, 'run', 'runs')} failed{row}, limit {reason.limit}"


def _failed_ratio(reason: Reason) -> str:
    share = f"{reason.count / max(reason.total, 1):.3g}, limit {reason.share:g} from {reason.limit} runs on"
    return f"{reason.count} of {_plural(reason.total, 'run', 'runs')} failed: {share}"


def _no_success(reason: Reason) -> str:
    return f"no success seen: {_plural(reason.total, 'run', 'runs')} ended, {reason.count} of them failed"


def _while_settling(reason: Reason) -> str:
    failed = f"{_plural(reason.count, 'run', 'runs')} failed" if reason.count else ""
    seen = _plural(reason.seen, "match", "matches") if reason.seen else ""
    what = " and ".join(one for one in (failed, seen) if one) or "something went wrong"
    return f"{what} in the first {_span(reason.span)}, within `settle`: not held against the release"


def _above_baseline(reason: Reason) -> str:
    what = f"minutes had a match of severity {reason.what} or worse" if reason.what else "runs failed"
    failed, seen = reason.before
    sure = f"more than {reason.factor:g} times as often, confidence {reason.confidence:g}"
    return f"{reason.count} of {reason.seen} {what}, {failed} of {seen} before: {sure}"


def _no_run(reason: Reason) -> str:
    nothing = f"no run seen: nothing that began since the release was registered ran within {_span(reason.span)}"
    if not reason.count and not reason.total:
        return nothing
    runs = f"{_plural(reason.count, 'match', 'matches')} and {_plural(reason.total, 'run', 'runs')}"
    return f"{nothing}; {runs} of older invocations were not held against it"


def _expected_runs(reason: Reason) -> str:
    if not reason.total:
        return f"no run seen, {_plural(reason.limit, 'successful run', 'successful runs')} expected"
    runs = _plural(reason.count, "successful run", "successful runs")
    return f"{runs} of {reason.total} seen, {reason.limit} expected"


def _gap(reason: Reason) -> str:
    size = _plural(reason.count, "entry", "entries") if reason.count else "an unknown number of entries"
    return f"coverage has a hole ({reason.what}): {size} not seen"


def _mode(reason: Reason) -> str:
    who = "recorded only" if reason.what == Mode.OBSERVE else "a person decides about the rollback"
    return f"mode is {reason.what}: {who}"


def _shared_cause(reason: Reason) -> str:
    jobs = f"{_plural(reason.count, 'other job', 'other jobs')} without a release ({reason.what})"
    return f"{jobs} began to fail in the same {_span(reason.span)}: perhaps it is not the release"


def _budget(reason: Reason) -> str:
    started = f"{_plural(reason.count, 'rollback was', 'rollbacks were')} started on this host"
    return f"{started} in {_span(reason.span)}, limit {reason.limit}: a person decides"


def _span(span: Usec | None) -> str:
    return format_duration(span or Usec(0))


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


_WORDS: Mapping[ReasonCode, str | Callable[[Reason], str]] = {
    ReasonCode.MATCHES: _matches,
    ReasonCode.ABOVE_BASELINE: _above_baseline,
    ReasonCode.NEW_ERRORS: _new_errors,
    ReasonCode.BASELINE_UNREAD: "the baseline could not be read: {what}",
    ReasonCode.NOT_APPLICABLE: "not applicable: {what}",
    ReasonCode.NOTHING_JUDGED: "none of the configured conditions could be judged",
    ReasonCode.JUDGED_IN_PART: _judged_in_part,
    ReasonCode.FAILED_RUNS: _failed_runs,
    ReasonCode.FAILED_RATIO: _failed_ratio,
    ReasonCode.WINDOW_OVER: _window_over,
    ReasonCode.PERSON: "decided by a person: {what}",
    ReasonCode.FAILED_BY_PERSON: "a person said that the release failed: {what}",
    ReasonCode.SILENT: "no run seen, and no entry of the job in {span}: a silent job is not known to be healthy",
    ReasonCode.NO_RUN: _no_run,
    ReasonCode.NO_SUCCESS: _no_success,
    ReasonCode.FAILED_SETTLING: _while_settling,
    ReasonCode.EXPECTED_RUNS: _expected_runs,
    ReasonCode.EXPECTED_LINE: "not seen, though expected: {what}",
    ReasonCode.GAP: _gap,
    ReasonCode.UNJUDGED: "{what} is configured but not judged by this version",
    ReasonCode.RULES_CHANGED: "the job's rules were changed after the release was registered",
    ReasonCode.JOB_REMOVED: "the job was removed from the configuration after the release was registered",
    ReasonCode.NEWER_RELEASE: "a newer release of the job was registered: {what}",
    ReasonCode.MODE: _mode,
    ReasonCode.PAUSED: "automatic rollbacks are paused: {what}",
    ReasonCode.STALE: "decided {span} after the failure, limit {within}: a person decides",
    ReasonCode.DISARMED: "the off switch is on: the file `disarm` exists",
    ReasonCode.REFUSED: "the dispatcher refused it: {what}",
    ReasonCode.CHECK: "the rollback's check {what}: this release is only observed",
    ReasonCode.INSIDE_ROLLBACK: "registered from within the rollback of {what}: this release is only observed",
    ReasonCode.ROLLED_BACK_TO: "the rollback of {what} goes back to this version: this release is only observed",
    ReasonCode.SHARED_CAUSE: _shared_cause,
    ReasonCode.BUDGET: _budget,
}
"""What each code means; `what`, `span` and `within` stand for the reason's own."""
