"""What no run may break. Each function says one thing, and raises `Broken` when it is not so.

The numbers I1-I6 are those of the invariants of the fault tests, as far as the core alone can break them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn

from tests.simulation import oracle
from tests.simulation.dispatcher import Dispatcher
from tests.simulation.ledger import Book
from tests.simulation.oracle import Crossing, Seen, Span
from watcher.core.counters import RESTARTS
from watcher.core.messages import (
    Accepted,
    Event,
    RefusalCode,
    Refused,
    ReleaseRequested,
    Transition,
)
from watcher.core.names import ReleaseId
from watcher.core.policy import AboveBaseline, Mode
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, Release, RollbackState, Verdict
from watcher.core.state import BUSY_ROLLBACKS, OPEN_PHASES, Decision, Series

_JOURNAL = (
    "watcher_journal_entries_total",
    "watcher_rule_matches_total",
    "watcher_runs_total",
    "watcher_journal_gaps_total",
)
_BASELINE_CODES = frozenset({ReasonCode.ABOVE_BASELINE, ReasonCode.NEW_ERRORS})
_HOUR = 3_600_000_000
_AS_FAR_AS_READ = ("entries_after", "matches_after", "trial.is_overread", "verification.trial.is_overread")
"""How far the batch had read that ended the window: that depends on how the journal was cut."""
_OF_FAILED = ("trial.gaps", "trial.heard")
"""A batch tells its holes without saying before or after which find: the one that fails a release may bring more."""
_OF_NO_HELP = ("verification.trial.gaps", "verification.trial.heard")


class Broken(Exception):  # noqa: N818 - it is what an invariant is
    """An invariant does not hold."""


def _broken(what: str, *details: object) -> NoReturn:
    raise Broken(": ".join([what, *map(str, details)]))


# ------------------------------------------------------------------------------------------------ after a decision


def what_is_adopted_is_stored(stored: Mapping[ReleaseId, Release], decision: Decision) -> None:
    """The state that the daemon goes on with is what stands on the disk; else a restart would forget something."""
    for key, one in decision.state.releases.items():
        known = stored.get(key)
        if known is not one and known != one:
            _broken("adopted and not stored", key)


def a_refusal_changes_nothing(decision: Decision) -> None:
    """Who is refused finds everything as it was."""
    if isinstance(decision.answer, Refused) and decision.is_durable:
        _broken("refused, and yet something changed", decision.answer.message)


def the_same_registration_has_the_same_answer(book: Book, event: Event, decision: Decision) -> None:
    """The same id with the same content is the release that is there, with other content an error; nothing changes."""
    if not isinstance(event, ReleaseRequested) or event.request.id not in book.requests:
        return
    is_same = book.requests[event.request.id] == event.request
    answer = decision.answer
    if is_same and not (isinstance(answer, Accepted) and answer.release is not None):
        _broken("registered again and refused", event.request.id, answer)
    if not is_same and not (isinstance(answer, Refused) and answer.code is RefusalCode.CONFLICT):
        _broken("registered again with other content and accepted", event.request.id)
    if decision.is_durable:
        _broken("registered again, and something changed", event.request.id)


def a_pause_holds(book: Book, event: Event, decision: Decision, releases: Mapping[ReleaseId, Release]) -> None:
    """While rollbacks are paused none is handed over by itself, neither at the failure nor at a review."""
    for one in _queued(decision):
        release = releases[one]
        reason = release.rollback.reason
        by_person = reason is not None and reason.code is ReasonCode.PERSON
        if book.is_paused(release.job, event.at) and not by_person:
            _broken("paused and handed over", one)


def an_automatic_rollback_is_allowed(book: Book, event: Event, one: Transition, release: Release) -> None:
    """By mode rollback, for a failure younger than an hour, by unchanged rules, within the budget of the host."""
    if release.mode is not Mode.ROLLBACK or release.policy.release.rollback is None:
        _broken("rolled back in mode", release.id, release.mode)
    if event.at - (release.ended_at or 0) > _HOUR:
        _broken("rolled back by old news", release.id)
    of_a_person = any(reason.code is ReasonCode.PERSON for reason in release.reasons)
    if book.spans[release.id].rules_changed and not of_a_person:
        _broken("rolled back by rules that the window was not opened with", release.id)
    if book.time_runs_on and sum(at > event.at - _HOUR for at in book.handed) >= book.budget:
        _broken("rolled back over the budget", release.id)
    if any(reason.code is ReasonCode.SHARED_CAUSE for reason in release.reasons):
        _broken("rolled back though the cause is shared", release.id)


def a_failure_has_its_crossing(book: Book, release: Release) -> None:
    """I4: what failed by itself crossed a limit in the oracle too: the same one, at the same entry, and none before."""
    span = book.spans[release.id]
    _crossed(span, book, release.reasons, at=release.ended_at, what=f"release {release.id}")


def no_failure_is_missed(book: Book, release: Release) -> None:
    """What ended without failing crossed no limit in the oracle, and `passed` has no doubt against it that it finds.

    Nor is there a doubt without a cause, so that `inconclusive` means something.
    """
    span = book.spans[release.id]
    _uncrossed(span, book, release.verdict, release.reasons, ended_at=release.ended_at, what=f"release {release.id}")


def a_verification_is_a_window(book: Book, release: Release) -> None:
    """Whether a rollback helped is judged as a release is, over the time after it."""
    verification, span = release.verification, book.afters[release.id]
    if verification is None:
        _broken("verified without a verification", release.id)
    if span.clock_unsure:
        return
    what = f"rollback of {release.id}"
    if release.rollback.helped is False:
        _crossed(span, book, verification.reasons, at=verification.ended_at, what=what)
        return
    codes = {one.code for one in verification.reasons}
    if codes & {ReasonCode.NEWER_RELEASE, ReasonCode.JOB_REMOVED}:
        return
    verdict = Verdict.PASSED if release.rollback.helped else Verdict.INCONCLUSIVE
    _uncrossed(span, book, verdict, verification.reasons, ended_at=verification.ended_at, what=what)


def _crossed(span: Span, book: Book, reasons: tuple[Reason, ...], *, at: int | None, what: str) -> None:
    codes = [one.code for one in reasons if one.code is not ReasonCode.SHARED_CAUSE]
    seen = oracle.look(span, book.items, book.read)
    found = oracle.crossings(span, seen)
    exact = _first([one for one in found if not one.on_baseline])
    if _BASELINE_CODES.intersection(codes):
        if exact and exact[0].at < (at or 0) and exact[0].order < _order_of(seen, at):
            _broken(f"{what} failed late", exact, at)
        _on_baseline(span, seen, found, reasons, at=at, what=what)
        return
    if not exact:
        _broken(f"{what} failed without a crossing", codes)
    if exact[0].at != at or [one.code for one in exact] != codes:
        _broken(f"{what} failed by another crossing", exact, codes, at)


def _order_of(seen: Seen, at: int | None) -> int:
    return max((order for order, (_, known_at) in enumerate(seen.counted) if known_at == at), default=0)


def _on_baseline(
    span: Span, seen: Seen, found: list[Crossing], reasons: tuple[Reason, ...], *, at: int | None, what: str
) -> None:
    """New errors are counted anew; of the arithmetic only that it counted what there was.

    What waited for the past fails a release at its own instant, also where it was logged before its run had begun.
    """
    for reason in reasons:
        if reason.code is ReasonCode.NEW_ERRORS and not any(
            one.code is ReasonCode.NEW_ERRORS and at in (one.at, one.logged_at) for one in found
        ):
            _broken(f"{what} failed by kinds that are not new", found, at)
        if reason.code is ReasonCode.ABOVE_BASELINE and span.baseline is not None:
            runs = span.baseline.runs
            of_runs = runs is not None and runs.succeeded >= 10
            thresholds = [one for one in span.policy.release.thresholds if isinstance(one, AboveBaseline)]
            failed = oracle.failures(span, seen, thresholds[0], of_runs=of_runs)
            if reason.count > failed or reason.count < 3:
                _broken(f"{what} failed by failures that were not there", reason, failed)


def _uncrossed(
    span: Span, book: Book, verdict: Verdict | None, reasons: tuple[Reason, ...], *, ended_at: int | None, what: str
) -> None:
    seen = oracle.look(span, book.items, book.read)
    if {one.code for one in reasons} != {ReasonCode.JOB_REMOVED} and ended_at != (seen.over_at or span.end):
        _broken(f"{what} ended at another instant", ended_at, seen.over_at, span.end)
    exact = [one for one in oracle.crossings(span, seen) if span.baseline is not None or not one.on_baseline]
    if exact and not span.unread:
        _broken(f"{what} crossed a limit and ended {verdict}", exact)
    against = oracle.doubts(span, seen)
    if verdict is Verdict.PASSED and against:
        _broken(f"{what} passed in spite of", against)
    unsaid = {ReasonCode.NOTHING_JUDGED, ReasonCode.JOB_REMOVED}
    if (
        verdict is Verdict.INCONCLUSIVE
        and not against
        and not seen.holes_behind
        and not unsaid & {one.code for one in reasons}
    ):
        _broken(f"{what} is inconclusive without a doubt", reasons)


def _first(found: list[Crossing]) -> list[Crossing]:
    order = min((one.order for one in found), default=0)
    return [one for one in found if one.order == order]


def _queued(decision: Decision) -> list[ReleaseId]:
    return [one.release for one in decision.commands if type(one).__name__ == "QueueRollback"]


# ------------------------------------------------------------------------------------------------------ after a step


def a_command_starts_at_most_once(dispatcher: Dispatcher) -> None:
    """I2: counted by the dispatcher, which starts whatever it is ordered to."""
    for release, starts in dispatcher.starts.items():
        if starts > 1:
            _broken("the command was started again", release, starts)


def counters_are_exact(book: Book, counters: Mapping[Series, int]) -> None:
    """I1: they equal what the journal holds up to the stored place; every series of a configured job is there."""
    real = {key: value for key, value in counters.items() if key[0] in _JOURNAL and value}
    if real != book.counters:
        different = {key for key in {*real, *book.counters} if real.get(key, 0) != book.counters[key]}
        _broken("counters differ", {key: (real.get(key, 0), book.counters[key]) for key in different})
    for job in book.policies:
        if ("watcher_journal_entries_total", job) not in counters:
            _broken("a series is missing", job)


def counters_never_fall(before: Mapping[Series, int], after: Mapping[Series, int]) -> None:
    """I6: not even over a restart. A series at 0 of a job that is configured no more may go."""
    for key, value in before.items():
        if after.get(key, 0) < value:
            _broken("a counter fell", key, value, after.get(key))


def what_ended_stays(ends: dict[ReleaseId, object], release: Release) -> None:
    """A final phase keeps its verdict, its reasons and its instant for ever."""
    if release.phase in OPEN_PHASES:
        if release.id in ends:
            _broken("it had ended", release.id)
        return
    end = (release.phase, release.verdict, release.reasons, release.ended_at)
    if ends.setdefault(release.id, end) != end:
        _broken("its end is another now", release.id, ends[release.id], end)


# ------------------------------------------------------------------------------------------------------- at the end


def every_decision_has_its_end(releases: Mapping[ReleaseId, Release], dispatcher: Dispatcher) -> None:
    """I3: once nothing goes wrong any more, nothing waits: no window, no rollback, no look whether it helped."""
    if not dispatcher.is_idle:
        _broken("an order or a command is left")
    for one in releases.values():
        if one.phase is Phase.WATCHING:
            _broken("a window never closed", one.id)
        if one.rollback.state in (RollbackState.QUEUED, RollbackState.RUNNING) or one.is_verifying:
            _broken("a rollback never ended", one.id, one.rollback.state)
        if one.rollback.state in BUSY_ROLLBACKS and one.rollback.reason is None:
            _broken("held without a reason", one.id)


def what_ran_is_known(releases: Mapping[ReleaseId, Release], dispatcher: Dispatcher, *, races: bool) -> None:
    """A command that was started is told of in the record, and none is told of that was not.

    But for an order that was read in the moment in which a newer release had it dropped: nobody looks after that one.
    """
    for one in releases.values():
        ran = one.rollback.state in (RollbackState.SUCCEEDED, RollbackState.FAILED, RollbackState.UNKNOWN)
        reason = one.rollback.reason
        overtaken = races and reason is not None and reason.code is ReasonCode.NEWER_RELEASE
        if ran != (dispatcher.starts[one.id] > 0) and not (overtaken and not ran):
            _broken("the record and the dispatcher differ", one.id, one.rollback.state, dispatcher.starts[one.id])


def crashes_change_nothing(faulty: Mapping[ReleaseId, Release], whole: Mapping[ReleaseId, Release]) -> None:
    """The same world without the machine's faults comes to the same records, but for how far each batch had read."""
    for key in {*faulty, *whole}:
        one, other = faulty.get(key), whole.get(key)
        if one is None or other is None:
            _broken("a release is there in one run only", key)
        passed_over: tuple[str, ...] = _AS_FAR_AS_READ
        if one.phase is Phase.FAILED:
            passed_over += _OF_FAILED
        if one.rollback.helped is False:
            passed_over += _OF_NO_HELP
        different = [field for field in _differences(one, other) if field.split(":")[0] not in passed_over]
        if different:
            _broken("with the machine's faults it ends otherwise", key, *different)


def _differences(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """The innermost fields in which two records differ."""
    if one == other:
        return
    if not is_dataclass(one) or type(one) is not type(other):
        yield f"{name}: {one!r:.200} | {other!r:.200}"
        return
    for field in fields(one):
        yield from _differences(
            getattr(one, field.name), getattr(other, field.name), f"{name}.{field.name}" if name else field.name
        )


def crashes_count_nothing(faulty: Mapping[Series, int], whole: Mapping[Series, int]) -> None:
    """Every counter is the same, but for the restarts themselves."""
    one, other = ({k: v for k, v in each.items() if k[0] != RESTARTS} for each in (faulty, whole))
    if one != other:
        _broken(
            "counters differ", {k: (one.get(k), other.get(k)) for k in {*one, *other} if one.get(k) != other.get(k)}
        )


def crashes_start_nothing(faulty: Dispatcher, whole: Dispatcher) -> None:
    """The same commands are started."""
    if faulty.starts != whole.starts:
        _broken("with the machine's faults other commands are started", faulty.starts, whole.starts)
