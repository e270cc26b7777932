"""What is remembered of a job's errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events import ERROR, JOB, ODD, OTHER_JOB, PANIC, START, batch, configured, instant, match, policy, settings
from tests.playbook import run
from watcher.core.duration import MINUTE, SECOND, Usec
from watcher.core.messages import BatchRead
from watcher.core.names import JobName
from watcher.core.record import trouble_from_record, trouble_record
from watcher.core.trouble import QUIET, Episode, Memory, Trouble, errors_in

FRESH = Trouble(watched_from=instant("-1h"), rules_hash="1")


def _after(*seconds: int) -> Trouble:
    """The trouble of a job with errors at these seconds, each read in a batch of its own, or all in one."""
    one_by_one, memory = FRESH, Memory({JOB: FRESH})
    for second in seconds:
        single = Memory({JOB: one_by_one})
        for each in (single, memory):
            each.note(JOB, Usec(START + second * SECOND), critical=False)
        one_by_one = single.known()[JOB]
    assert one_by_one == memory.known()[JOB]
    return one_by_one


def test_the_first_error_begins_an_episode_as_quiet_as_the_watch_is_long() -> None:
    """Of the time before nobody knows."""
    trouble = _after(5)
    assert (instant("5s"), instant("5s"), 1, 60 * MINUTE + 5 * SECOND) == (
        trouble.since,
        trouble.last,
        trouble.errors,
        trouble.quiet,
    )


@pytest.mark.parametrize(("seconds", "since", "errors"), [((0, 599, 1198), 0, 3), ((0, 600), 600, 1)])
def test_an_episode_ends_when_nothing_was_wrong_for_ten_minutes(
    seconds: tuple[int, ...], since: int, errors: int
) -> None:
    """The next error then begins another one, with the span between as its quiet."""
    trouble = _after(*seconds)
    assert (Usec(START + since * SECOND), errors) == (trouble.since, trouble.errors)
    assert since == 0 or trouble.quiet == QUIET


def test_a_clock_that_was_set_back_neither_ends_nor_begins_one() -> None:
    """The error counts, the instants never fall."""
    assert (instant("30s"), instant("40s"), 3) == (
        _after(30, 40, -900).since,
        _after(30, 40, -900).last,
        _after(30, 40, -900).errors,
    )


@given(st.lists(st.integers(-5, 3000), max_size=8))
def test_memory_is_bounded_and_never_falls(seconds: list[int]) -> None:
    """Six numbers, in order, whatever comes."""
    trouble = _after(*seconds)
    assert len(seconds) >= trouble.errors >= min(len(seconds), 1)
    if trouble.since is not None and trouble.last is not None:
        assert trouble.since <= trouble.last
    assert trouble.quiet >= 0


def test_only_errors_and_worse_are_trouble() -> None:
    """Warnings are not; of an entry that two jobs have in common each hears whose it is as well."""
    shared = [replace(match("1s", ERROR, job=job), cursor="same") for job in (JOB, OTHER_JOB)]
    found = [match("0s", ODD), match("0s", PANIC), *shared, match("2s", ERROR)]
    told = [(is_error, tuple(others)) for _, is_error, others in errors_in(found)]
    assert [(False, ()), (True, ()), (True, (OTHER_JOB,)), (True, (JOB,)), (True, ())] == told


_NAMES = tuple(JobName(name) for name in "abc")


@given(st.lists(st.tuples(st.integers(0, 3000), st.sets(st.sampled_from(_NAMES), min_size=1)), max_size=9))
def test_beside_a_job_counts_exactly_what_is_not_its_own_as_well(errors: list[tuple[int, set[JobName]]]) -> None:
    """However the entries were shared, and however they were read in pieces."""
    fresh = dict.fromkeys(_NAMES, FRESH)
    known, alone = fresh, {(job, other): Memory(fresh) for job in _NAMES for other in _NAMES if job != other}
    for number, (second, owners) in enumerate(errors):
        at = Usec(START + second * SECOND)
        found = [replace(match("0s", job=job), at=at, cursor=str(number)) for job in sorted(owners)]
        memory = Memory(known)
        for one, _, shared in errors_in(found):
            memory.note(one.job, at, critical=False, shared=shared)
        known = {job: trouble_from_record(trouble_record(one)) for job, one in memory.known().items()}
        for (job, other), expected in alone.items():
            if job in owners and other not in owners:
                expected.note(job, at, critical=False)
    for (job, other), expected in alone.items():
        assert _numbers(expected.known()[job]) == _numbers(known[job].beside(other))


def _numbers(one: Episode) -> tuple[object, ...]:
    return one.since, one.last, one.quiet, one.errors, one.critical


def _read(at: str) -> BatchRead:
    return batch(errors=1, at=at)


def test_a_reload_forgets_a_job_whose_rules_changed_and_keeps_the_others() -> None:
    """By new rules an old trouble would look like one that begins now."""
    begin = configured(policy(), policy(job=OTHER_JOB))
    seen = run(begin, _read("1s"), batch(errors=1, at="2s", job=OTHER_JOB))
    story = run(seen.state, settings(policy(rules_hash="rules-2"), policy(job=OTHER_JOB), at="3s"))
    assert instant("3s") == story.state.troubles[JOB].watched_from
    assert story.state.troubles[JOB].since is None
    assert instant("2s") == story.state.troubles[OTHER_JOB].since
    assert {JOB} == set(story.decisions[0].troubles)


def test_a_job_that_was_removed_is_forgotten() -> None:
    """Should it come back, nobody knows what it did meanwhile."""
    story = run(configured(policy(), policy(job=OTHER_JOB)), settings(policy(), at="3s"))
    assert {JOB} == set(story.state.troubles)
    assert {OTHER_JOB: None} == dict(story.decisions[0].troubles)


def test_what_was_in_common_with_a_removed_job_is_forgotten() -> None:
    """So the memory is bounded by the jobs that are configured."""
    shared = [replace(match("1s", job=job), cursor="same") for job in (JOB, OTHER_JOB)]
    seen = run(configured(policy(), policy(job=OTHER_JOB)), batch(*shared, at="1s"))
    assert {OTHER_JOB} == set(seen.state.troubles[JOB].apart)
    assert {} == run(seen.state, settings(policy(), at="3s")).state.troubles[JOB].apart
