"""What holds for runs, however they came: cut, saved in between, with a hole, or worse than they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.events import JOB, PANIC, START, began, configured, gap, match, of_run, policy, release, tallies
from tests.events import run as ended
from tests.playbook import Seen, run
from watcher.core.coverage import Gap
from watcher.core.duration import SECOND, Usec
from watcher.core.found import Found, RunOutcome
from watcher.core.messages import BatchRead
from watcher.core.policy import Blame, Expectation, FailedRatio, FailedRuns, JobPolicy, MatchThreshold
from watcher.core.record import from_record, to_record
from watcher.core.release import Verdict
from watcher.core.severity import Severity

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
END = Usec(START + 200 * SECOND)


def at(second: int) -> Usec:
    return Usec(START + second * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One invocation: when it began and ended (seconds), how, and when it logged errors; `seen` its begin was told.

    `told`: the entry that tells of its failure is an error by itself.
    """

    number: int
    begin: int
    length: int
    outcome: RunOutcome | None
    errors: tuple[int, ...]
    seen: bool
    told: bool = False

    def found(self) -> list[Found]:
        """What the reader finds of it."""
        since = at(self.begin) if self.seen else None
        items: list[Found] = [began(at(self.begin), self.number)] if self.seen else []
        items += [of_run(match(at(self.begin + one)), self.number, since=since) for one in self.errors]
        if self.outcome is not None:
            items.append(ended(at(self.begin + self.length), self.number, since=since, outcome=self.outcome))
        if self.told and self.outcome is RunOutcome.FAILED:
            items.append(of_run(match(at(self.begin + self.length), PANIC), self.number, since=since))
        return [replace(one, cursor=f"{self.number}-{one.at}") for one in items]


def lives(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[Life]:
    return st.builds(
        lambda number, begin, length, outcome, errors, seen, told: Life(
            number=number, begin=begin, length=length, outcome=outcome, errors=tuple(errors), seen=seen, told=told
        ),
        numbers,
        st.integers(-20, 70),
        st.integers(1, 15),
        st.sampled_from([None, *RunOutcome, RunOutcome.FAILED, RunOutcome.SUCCEEDED]),
        st.lists(st.integers(0, 15), max_size=2),
        st.sampled_from([True, True, True, False]),
        st.booleans(),
    )


THRESHOLDS = st.lists(
    st.sampled_from(
        [
            FailedRuns(count=2),
            FailedRuns(count=2, consecutive=True),
            FailedRatio(ratio=0.5, min_runs=2),
            MatchThreshold(count=2, severity=Severity.ERROR),
            MatchThreshold(count=1, rule=PANIC),
        ]
    ),
    min_size=1,
    max_size=3,
    unique=True,
).map(tuple)


def terms_of(window_runs: int | None, **terms: Any) -> JobPolicy:
    """A job whose window lasts a minute, or so many runs."""
    of_time = policy(window="60s", **terms)
    return replace(of_time, release=replace(of_time.release, window_runs=window_runs))


POLICIES = st.builds(
    terms_of,
    st.sampled_from([None, None, 2]),
    thresholds=THRESHOLDS,
    blame=st.sampled_from([Blame.NEW, Blame.NEW, Blame.ALL]),
    expect=st.builds(Expectation, successful_runs=st.integers(0, 2)),
    has_runs=st.booleans(),
    settle=st.sampled_from(["0s", "5s"]),
)

JOURNALS = st.lists(lives(st.integers(1, 6)), max_size=6, unique_by=lambda life: life.number)


def ordered(journal: Sequence[Life]) -> list[Found]:
    """Everything in the journal's order; what is of one instant as it came."""
    return sorted((one for life in journal for one in life.found()), key=lambda one: one.at)


def batches(found: Sequence[Found], cuts: Sequence[int], gaps: tuple[Gap, ...] = ()) -> list[BatchRead]:
    """The journal in pieces, none of which ends within an entry; a hole stands at the head of it."""
    places = [0, *sorted(_after_entry(found, min(cut, len(found))) for cut in cuts), len(found)]
    read: list[BatchRead] = []
    for first, last in pairwise(places):
        piece = found[first:last]
        until = min((one.at for one in found[last:]), default=END)
        read.append(
            BatchRead(
                at=END,
                read_until=until,
                found=tuple(piece),
                tallies=tuple(one for each in piece for one in tallies([(JOB, each.at)])),
                gaps=gaps if first == 0 and not read else (),
            )
        )
    return read


def _after_entry(found: Sequence[Found], place: int) -> int:
    while 0 < place < len(found) and found[place].cursor == found[place - 1].cursor:
        place += 1
    return place


def judged(terms: JobPolicy, *read: BatchRead) -> Seen:
    return run(run(configured(terms), release()).state, *read).last


def end(seen: Seen) -> tuple[object, ...]:
    """All that must not depend on how the journal was read."""
    return seen.phase, seen.verdict, seen.reasons, seen.ended_at, seen.record.trial


FILLED_AT_ONCE = [
    Life(number=number, begin=-1, length=1, outcome=RunOutcome.SUCCEEDED, errors=(), seen=True) for number in (1, 2)
]


@quick
@given(POLICIES, JOURNALS, st.lists(st.integers(0, 30), max_size=6))
@example(terms_of(2, thresholds=(FailedRuns(count=2),), blame=Blame.ALL), FILLED_AT_ONCE, [3])
def test_any_cut_gives_the_same_verdict(terms: JobPolicy, journal: list[Life], cuts: list[int]) -> None:
    """Also where a run fills the window, where lines come before their begin, and entry by entry."""
    found = ordered(journal)
    whole = judged(terms, *batches(found, []))
    assert end(whole) == end(judged(terms, *batches(found, cuts)))
    assert end(whole) == end(judged(terms, *batches(found, range(len(found)))))


@quick
@given(POLICIES, JOURNALS, st.lists(st.integers(0, 30), max_size=4), st.integers(0, 4))
def test_a_restart_between_batches_changes_nothing(
    terms: JobPolicy, journal: list[Life], cuts: list[int], place: int
) -> None:
    """What of the runs was stored is enough to go on with."""
    read = batches(ordered(journal), cuts)
    before = run(run(configured(terms), release()).state, *read[:place])
    stored = {key: from_record(json.loads(json.dumps(to_record(one)))) for key, one in before.state.releases.items()}
    after = run(replace(before.state, releases=stored), *read[place:])
    assert end(judged(terms, *read)) == end(after.last)


@quick
@given(POLICIES, JOURNALS)
def test_a_hole_never_yields_passed(terms: JobPolicy, journal: list[Life]) -> None:
    """Whatever ran: a window of which something was not seen can't pass."""
    seen = judged(terms, *batches(ordered(journal), [], gaps=(gap("0s", "0s"),)))
    assert seen.verdict is not Verdict.PASSED


@quick
@given(POLICIES, JOURNALS, st.integers(1, 6))
def test_a_worse_run_never_turns_failed_into_anything_else(terms: JobPolicy, journal: list[Life], number: int) -> None:
    """A success made a failure fails the release as early or earlier, in a window that waits for no number of runs."""
    timed = replace(terms, release=replace(terms.release, window_runs=None))
    worse = [
        replace(life, outcome=RunOutcome.FAILED)
        if life.number == number and life.outcome is RunOutcome.SUCCEEDED
        else life
        for life in journal
    ]
    one, other = (judged(timed, *batches(ordered(each), [])) for each in (journal, worse))
    if one.verdict is Verdict.FAILED:
        assert Verdict.FAILED is other.verdict
        assert (other.record.ended_at or 0) <= (one.record.ended_at or 0)


@quick
@given(POLICIES, JOURNALS)
def test_the_order_of_thresholds_does_not_matter(terms: JobPolicy, journal: list[Life]) -> None:
    """Only the reasons change their places."""
    turned = replace(terms, release=replace(terms.release, thresholds=terms.release.thresholds[::-1]))
    one, other = (judged(each, *batches(ordered(journal), [])) for each in (terms, turned))
    assert (one.verdict, one.ended_at, sorted(one.reasons)) == (other.verdict, other.ended_at, sorted(other.reasons))


@quick
@given(POLICIES, JOURNALS)
def test_what_is_old_never_fails_a_release(terms: JobPolicy, journal: list[Life]) -> None:
    """Invocations that began before it may do what they like, unless everybody is blamed."""
    new = replace(terms, release=replace(terms.release, blame=Blame.NEW))
    old = [replace(life, begin=min(life.begin, -1)) for life in journal]
    seen = judged(new, *batches(ordered(old), []))
    assert seen.verdict is not Verdict.FAILED
    assert (0, ()) == (seen.record.trial.runs.failed, seen.record.trial.matches)


def test_the_strategies_reach_every_verdict() -> None:
    """A failure, a success and a doubt are among what the properties see."""
    fail = [Life(number=n, begin=n, length=2, outcome=RunOutcome.FAILED, errors=(), seen=True) for n in (1, 5)]
    good = replace(fail[0], outcome=RunOutcome.SUCCEEDED)
    terms = policy(thresholds=(FailedRuns(count=2),), has_runs=True, window="60s")
    verdicts = [judged(terms, *batches(ordered(one), [])).verdict for one in (fail, [good], [])]
    assert [Verdict.FAILED, Verdict.PASSED, Verdict.INCONCLUSIVE] == verdicts
