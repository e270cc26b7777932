"""What a window must come to, worked out from the whole journal at once, in plain lists and loops.

Independent of the core: it shares the entries and the configuration with it, and not a line of its code. It knows no
batches, no order in time but that of the items, and no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.simulation.journal import Hole, Item, is_step
from watcher.core.baseline import Baseline
from watcher.core.duration import MINUTE, Usec
from watcher.core.found import ErrorSeen, Found, Match, RunBegan, RunEnded, RunOutcome
from watcher.core.names import JobName
from watcher.core.policy import (
    AboveBaseline,
    Blame,
    FailedRatio,
    FailedRuns,
    JobPolicy,
    MatchThreshold,
    NewErrors,
    Threshold,
)
from watcher.core.reason import ReasonCode
from watcher.core.severity import Severity

_NONE = Usec(0)
_COUNTED = (RunOutcome.SUCCEEDED, RunOutcome.FAILED)
_ON_BASELINE = (AboveBaseline, NewErrors)


@dataclass(slots=True, kw_only=True)
class Span:
    """A window, or the time after a rollback, as the world knows it.

    `since`: what begins then or later is new. The places are those in the journal from where on entries are seen at
    all: `since_place` for begins, `start_place` for everything else. `begun_true` is the true second of its begin; its
    instants are by the clock of the place up to which the journal was read. `unread`: the job was out of the
    configuration for a while, and its entries with it. `clock_unsure`: it began while a step of the clock was
    still to be read, so that nobody can tell for sure by which clock.
    """

    job: JobName
    policy: JobPolicy
    since: Usec
    since_place: int
    begun_true: int
    start: Usec | None = None
    start_place: int = 0
    settle: Usec = _NONE
    end: Usec = _NONE
    runs_wanted: int | None = None
    rules_changed: bool = False
    unread: bool = False
    clock_unsure: bool = False
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A threshold was crossed by the find that counted as number `order`, which was known at `at`."""

    order: int
    at: Usec
    logged_at: Usec
    code: ReasonCode
    on_baseline: bool


@dataclass(slots=True)
class Seen:
    """All that counts in a span, in the order in which it does, each with the instant at which that was known.

    That is its own, but for what was logged before PID 1 told that its run had begun.
    """

    counted: list[tuple[Found, Usec]] = field(default_factory=list)
    holes: int = 0
    holes_behind: int = 0
    heard: bool = False
    expected: int = 0
    begun: int = 0
    over: int = 0
    outcomes: list[RunOutcome] = field(default_factory=list)
    finished: int = 0
    over_at: Usec | None = None
    over_place: int = 0

    @property
    def runs(self) -> int:
        """Runs of which anything was seen: those that still run, and those that ended in the span."""
        return self.begun + sum(one is not RunOutcome.SKIPPED for one in self.outcomes)


def look(span: Span, items: Sequence[Item], upto: int) -> Seen:
    """Read the span's job from the beginning up to the place `upto`."""
    seen = Seen()
    unclear: list[Found] = []
    items = by_last_clock(items, span.since_place, upto)
    for place in range(span.since_place, upto):
        item = items[place]
        if isinstance(item, Hole):
            continue
        for one in item.found:
            if one.job == span.job and not isinstance(one, RunBegan):
                _count(span, seen, unclear, one, place)
            elif one.job == span.job and isinstance(one, RunBegan):
                _begin(span, seen, unclear, one, place)
        if span.runs_wanted is not None and seen.finished >= span.runs_wanted:
            seen.over_at, seen.over_place = item.at, place
            break
    _cover(span, seen, items, upto)
    return seen


def by_last_clock(items: Sequence[Item], first: int, upto: int) -> Sequence[Item]:
    """The items with all instants as the wall clock of the last of them would have shown them."""
    steps = [place for place in range(first, upto) if is_step(items[place])]
    if not steps:
        return items
    moved, by = list(items), 0
    for place in range(upto - 1, first - 1, -1):
        item = items[place]
        moved[place] = _moved(item, by)
        by += item.gap.step if is_step(item) else 0
    return moved


def _moved(item: Item, by: int) -> Item:
    if not by:
        return item
    if isinstance(item, Hole):
        gap = item.gap
        return replace(item, gap=replace(gap, since=Usec(gap.since + by), until=Usec(gap.until + by)))
    return replace(item, at=Usec(item.at + by), found=tuple(_moved_find(one, by) for one in item.found))


def _moved_find(one: Found, by: int) -> Found:
    if isinstance(one, RunBegan) or one.began is None:
        return replace(one, at=Usec(one.at + by))
    return replace(one, at=Usec(one.at + by), began=Usec(one.began + by))


def crossings(span: Span, seen: Seen) -> list[Crossing]:
    """Where each threshold of the span is crossed first."""
    found = (_crossing(span, seen, threshold) for threshold in span.policy.release.thresholds)
    return [one for one in found if one is not None]


def doubts(span: Span, seen: Seen) -> list[str]:
    """What stands against `passed`, in words."""
    policy, outcomes = span.policy.release, seen.outcomes
    succeeded, failed = outcomes.count(RunOutcome.SUCCEEDED), outcomes.count(RunOutcome.FAILED)
    baseline = span.baseline
    on_baseline = [isinstance(one, _ON_BASELINE) for one in policy.thresholds]
    no_run = not (succeeded or failed) if span.runs_wanted is not None else policy.must_run and not seen.runs
    found = {
        "hole": seen.holes > 0,
        "rules changed": span.rules_changed or span.unread,
        "no baseline": baseline is not None and bool(baseline.problem) and any(on_baseline),
        "no run": no_run,
        "silent": not no_run and not seen.heard and not seen.runs,
        "no success": not no_run and seen.runs > 0 and seen.begun <= seen.over and not succeeded,
        "too few successes": succeeded < policy.expect.successful_runs,
        "expected line": policy.expect.line and not seen.expected,
    }
    return [word for word, is_so in found.items() if is_so]


def _covers(span: Span, at: Usec, place: int) -> bool:
    return span.start is not None and place >= span.start_place and span.start <= at < span.end


def _count(span: Span, seen: Seen, unclear: list[Found], one: Match | ErrorSeen | RunEnded, place: int) -> None:
    inside = _covers(span, one.at, place)
    is_new = span.policy.release.blame is Blame.ALL or (one.began is not None and one.began >= span.since)
    if isinstance(one, RunEnded):
        if is_new and (span.start is None or place < span.start_place or one.at < span.end):
            _end(span, seen, one, inside=inside)
    elif inside and (is_new or not one.invocation):
        _take(span, seen, one, one.at)
    elif inside and one.began is None:
        unclear.append(one)


def _begin(span: Span, seen: Seen, unclear: list[Found], one: RunBegan, place: int) -> None:
    ended = span.start is not None and place >= span.start_place and one.at >= span.end
    if one.at < span.since or ended:
        return
    seen.begun += 1
    for early in [early for early in unclear if getattr(early, "invocation", "") == one.invocation]:
        unclear.remove(early)
        _take(span, seen, early, one.at)


def _end(span: Span, seen: Seen, one: RunEnded, *, inside: bool) -> None:
    known = one.began is not None and one.began >= span.since
    if one.outcome is RunOutcome.SKIPPED:
        seen.begun = max(seen.begun - known, 0)
        return
    seen.over += known
    if not inside or span.start is None:
        return
    seen.outcomes.append(one.outcome)
    if one.at >= span.start + span.settle and one.outcome in _COUNTED:
        seen.finished += 1
        seen.counted.append((one, one.at))


def _take(span: Span, seen: Seen, one: Found, known_at: Usec) -> None:
    settled = span.start is not None and one.at >= span.start + span.settle
    if isinstance(one, Match):
        seen.expected += one.is_expected
        if not one.rules:
            return
    if settled:
        seen.counted.append((one, known_at))


def _cover(span: Span, seen: Seen, items: Sequence[Item], upto: int) -> None:
    """Holes, and whether the job was heard at all.

    A hole may be told before the last run, which is stamped late, fills the window, and lie behind that run: whether it
    counts depends on whether both came in one batch.
    """
    if span.start is None:
        return
    over_at = span.end if seen.over_at is None else seen.over_at
    for place in range(span.start_place, upto):
        item = items[place]
        if isinstance(item, Hole):
            gap = item.gap
            touches = gap.job in (None, span.job) and gap.since < span.end and gap.until >= span.start
            seen.holes += touches and gap.since < over_at
            seen.holes_behind += touches and gap.since >= over_at and place < seen.over_place
        elif span.job in item.jobs and span.start <= item.at < over_at:
            seen.heard = True
    seen.heard = seen.heard or seen.over_at is not None


def _crossing(span: Span, seen: Seen, threshold: Threshold) -> Crossing | None:
    on_baseline = isinstance(threshold, _ON_BASELINE)
    for order, code in _crossed(span, seen, threshold):
        one, known_at = seen.counted[order]
        return Crossing(order=order, at=known_at, logged_at=one.at, code=code, on_baseline=on_baseline)
    return None


_Crossed = Iterator[tuple[int, ReasonCode]]


def _crossed(span: Span, seen: Seen, threshold: Threshold) -> _Crossed:
    match threshold:
        case MatchThreshold():
            return _by_matches(seen, threshold)
        case FailedRuns() | FailedRatio():
            return _by_runs(seen, threshold)
        case NewErrors():
            return _by_kinds(span, seen, threshold)
        case AboveBaseline():
            return iter(())  # arithmetic of its own, tried in its own tests


def _by_matches(seen: Seen, threshold: MatchThreshold) -> _Crossed:
    """A match that seems older than the one before it counts at that one's instant."""
    instants: list[int] = []
    for order, (one, _) in enumerate(seen.counted):
        if not isinstance(one, Match):
            continue
        if threshold.rule is not None:
            counts = threshold.rule in one.rules
        else:
            counts = list(Severity).index(one.severity) <= list(Severity).index(threshold.severity or Severity.INFO)
        if not counts:
            continue
        instants.append(max([one.at, *instants[-1:]]))
        first = instants[-threshold.count :][0]
        if len(instants) >= threshold.count and (threshold.within is None or instants[-1] - first < threshold.within):
            yield order, ReasonCode.MATCHES


def _by_runs(seen: Seen, threshold: FailedRuns | FailedRatio) -> _Crossed:
    ended: list[bool] = []
    for order, (one, _) in enumerate(seen.counted):
        if not isinstance(one, RunEnded):
            continue
        ended.append(one.outcome is RunOutcome.FAILED)
        failed = sum(ended)
        if isinstance(threshold, FailedRatio):
            if len(ended) >= threshold.min_runs and failed >= threshold.ratio * len(ended):
                yield order, ReasonCode.FAILED_RATIO
            continue
        row = [*ended]
        while threshold.consecutive and False in row:
            row.remove(row[0])
        if sum(row) >= threshold.count:
            yield order, ReasonCode.FAILED_RUNS


def _by_kinds(span: Span, seen: Seen, threshold: NewErrors) -> _Crossed:
    baseline = span.baseline
    if baseline is None or baseline.problem or baseline.whole < span.end - (span.start or 0):
        return
    known = {kind for kind, _ in baseline.kinds}
    new = 0
    for order, (one, _) in enumerate(seen.counted):
        if isinstance(one, ErrorSeen) and one.kind not in known:
            new += 1
            if new >= threshold.count:
                yield order, ReasonCode.NEW_ERRORS


def failures(span: Span, seen: Seen, threshold: AboveBaseline, *, of_runs: bool) -> int:
    """How many runs failed in the span, or in how many of its minutes something matched."""
    if of_runs:
        return sum(isinstance(one, RunEnded) and one.outcome is RunOutcome.FAILED for one, _ in seen.counted)
    settles = (span.start or 0) + span.settle
    worst = list(Severity).index(threshold.severity)
    bad = [one.at for one, _ in seen.counted if isinstance(one, Match) and list(Severity).index(one.severity) <= worst]
    return len({(at - settles) // MINUTE for at in bad})
