"""Whether a failure is shared with jobs that had no release."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    ERROR,
    JOB,
    NEXT,
    ODD,
    OTHER_JOB,
    PANIC,
    RELEASE,
    batch,
    configured,
    match,
    person,
    policy,
    release,
    request,
    run,
    settings,
)
from tests.playbook import Story, expect, play
from watcher.core.found import Found, Match
from watcher.core.messages import BatchRead, Judgement, QueueRollback
from watcher.core.names import JobName
from watcher.core.policy import Mode, SharedCause
from watcher.core.reason import ReasonCode
from watcher.core.release import Phase, RollbackState
from watcher.core.state import State

FULL_DISK = "1 other job without a release (export) began to fail in the same 2m: perhaps it is not the release"


def _begin(*, mode: Mode = Mode.ROLLBACK, shared: SharedCause = SharedCause.HOLD, limit: int = 2) -> State:
    jobs = (policy(mode=mode, shared_cause=shared, limit=limit), policy(job=OTHER_JOB), policy(job=JobName("report")))
    return play(configured(*jobs), release()).state


def _errors(*at: str, job: JobName = JOB) -> tuple[Match, ...]:
    return tuple(match(one, job=job) for one in at)


def _read(*found: Found, at: str) -> BatchRead:
    return batch(*found, at=at)


def _is_held(story: Story) -> bool:
    codes = [one.code for one in story.last.record.reasons]
    assert Phase.FAILED is story.last.phase
    assert (ReasonCode.SHARED_CAUSE in codes) is (RollbackState.HELD is story.last.rollback)
    return ReasonCode.SHARED_CAUSE in codes


def test_a_full_disk_that_fails_two_jobs_holds_the_rollback() -> None:
    """The verdict says so, the reason stands with the rollback, and a person decides."""
    story = play(_begin(), _read(*_errors("60s", "62s", job=OTHER_JOB), *_errors("63s", "64s"), at="64s"))
    assert ["2 error matches in 1s, limit 2 in 2m", FULL_DISK] == story.last.reasons
    expect(
        story,
        f"64s import-1 phase watching -> failed: 2 error matches in 1s, limit 2 in 2m; {FULL_DISK}",
        f"64s import-1 rollback none -> held: {FULL_DISK}",
        "WriteNote import-1",
    )
    ordered = play(story.state, person(Judgement.ROLLBACK, at="5m"))
    assert QueueRollback(RELEASE) in ordered.commands[0]


def test_with_ignore_nobody_looks() -> None:
    """The rollback runs, and the verdict is silent about the others."""
    events = _read(*_errors("60s", "62s", job=OTHER_JOB), *_errors("63s", "64s"), at="64s")
    story = play(_begin(shared=SharedCause.IGNORE), events)
    assert (["2 error matches in 1s, limit 2 in 2m"], RollbackState.QUEUED) == (story.last.reasons, story.last.rollback)


@pytest.mark.parametrize(
    ("is_shared", "others"),
    [
        (True, (run("60s", failed=True, job=OTHER_JOB),)),
        (False, (run("60s", job=OTHER_JOB),)),
        (True, _errors("50s", "60s", job=OTHER_JOB)),
        (False, _errors("60s", job=OTHER_JOB)),  # one error is no trouble
        (True, (match("60s", PANIC, job=OTHER_JOB),)),  # a critical one is
        (False, (match("50s", ODD, job=OTHER_JOB), match("60s", ODD, job=OTHER_JOB))),  # nor are warnings
        (True, _errors("-50s", "-40s", job=OTHER_JOB)),  # it was there first: the release met a disk that was full
        (False, _errors("-3m", "50s", job=OTHER_JOB)),  # it failed long before
        (False, _errors("-11m", "-5m", "50s", "51s", job=OTHER_JOB)),  # it fails all the time
    ],
)
def test_another_job_counts_that_began_to_fail_with_the_release(is_shared: bool, others: tuple[Found, ...]) -> None:  # noqa: FBT001 - a column of the table
    """Two errors or a critical one, the first of them in the same two minutes, after a quiet time."""
    assert is_shared is _is_held(play(_begin(), _read(*others, *_errors("61s", "62s"), at="62s")))


def test_what_comes_after_the_failure_is_no_evidence_for_it() -> None:
    """The decision goes by the entries up to the one that crossed, however they were read."""
    late = _errors("63s", "64s", job=OTHER_JOB)
    assert not _is_held(play(_begin(), _read(*_errors("61s", "62s"), *late, at="64s")))


def test_a_long_failure_asks_for_a_long_quiet() -> None:
    """A release took twelve minutes to fail: what had errors eleven minutes before its trouble is no witness."""
    jobs = (policy(limit=2, within=None), policy(job=OTHER_JOB))
    begin = play(configured(*jobs), release()).state
    earlier = _errors("-10m", job=OTHER_JOB)
    trouble = _errors("1m", "1m1s", job=OTHER_JOB)
    own = _errors("11m", "12m")
    assert _is_held(play(begin, _read(*trouble, *own, at="12m")))
    assert not _is_held(play(begin, _read(*earlier, *trouble, *own, at="12m")))


def test_a_watch_that_has_just_begun_knows_no_quiet() -> None:
    """A job that is watched for a minute may have failed for days."""
    jobs = (policy(limit=2), policy(job=OTHER_JOB))
    begin = play(configured(jobs[0]), release()).state
    late = replace(begin, troubles={})
    story = play(
        late, settings(*jobs, at="50s"), _read(*_errors("55s", "56s", job=OTHER_JOB), *_errors("61s", "62s"), at="62s")
    )
    assert not _is_held(story)


def test_a_job_with_a_release_of_its_own_is_no_witness() -> None:
    """It may have broken by itself; once its window is long over it is one again."""
    own = release(request(OTHER_JOB), fresh_id=NEXT, at="1s")
    found = (*_errors("50s", "60s", job=OTHER_JOB), *_errors("61s", "62s"))
    assert not _is_held(play(_begin(), own, _read(*found, at="62s")))
    jobs = (policy(limit=2), policy(job=OTHER_JOB, window="1m"))
    long_ago = play(configured(*jobs), release(request(OTHER_JOB), fresh_id=NEXT, at="-1h"), batch(at="-10m")).state
    assert _is_held(play(long_ago, release(), _read(*found, at="62s")))


@pytest.mark.parametrize(("mode", "rollback"), [(Mode.OBSERVE, RollbackState.NONE), (Mode.ASK, RollbackState.HELD)])
def test_in_other_modes_the_verdict_says_it_too(mode: Mode, rollback: RollbackState) -> None:
    """And what mode rollback would have done stands in the record."""
    story = play(_begin(mode=mode), _read(*_errors("50s", "60s", job=OTHER_JOB), *_errors("61s", "62s"), at="62s"))
    assert (FULL_DISK, rollback) == (story.last.reasons[1], story.last.rollback)
    proposal = story.last.record.proposal
    assert proposal is not None
    assert (RollbackState.HELD, ReasonCode.SHARED_CAUSE) == (proposal.state, proposal.reason.code)


def test_what_a_person_fails_is_not_held_by_it() -> None:
    """Who says that the release is bad has looked."""
    story = play(_begin(), _read(*_errors("50s", "60s", job=OTHER_JOB), at="62s"), person(Judgement.FAIL, at="70s"))
    assert RollbackState.QUEUED is story.last.rollback


def test_all_witnesses_are_counted_and_the_first_named() -> None:
    """In alphabetical order."""
    report = JobName("report")
    found = (*_errors("50s", "51s", job=report), *_errors("52s", "60s", job=OTHER_JOB), *_errors("61s", "62s"))
    assert (
        play(_begin(), _read(*found, at="62s"))
        .last.reasons[1]
        .startswith("2 other jobs without a release (export, report)")
    )


def test_a_burst_of_the_released_job_alone_is_not_shared() -> None:
    """Its own errors are no evidence."""
    assert not _is_held(play(_begin(limit=5), _read(*_errors(*["60s"] * 4, "61s"), match("62s", ERROR), at="62s")))


def _of_both(at: str, *jobs: JobName) -> tuple[Match, ...]:
    return tuple(replace(one, cursor=f"cursor-{at}") for job in jobs for one in _errors(at, job=job))


def test_two_jobs_that_share_a_unit_are_witnesses_for_a_third() -> None:
    """Their entries are nothing of the released job's, so both began to fail beside it."""
    found = (
        *(one for at in ("50s", "60s") for one in _of_both(at, OTHER_JOB, JobName("report"))),
        *_errors("61s", "62s"),
    )
    story = play(_begin(), _read(*found, at="62s"))
    assert _is_held(story)
    assert story.last.reasons[1].startswith("2 other jobs without a release (export, report)")


def test_entries_of_the_released_job_are_no_evidence_from_another_one() -> None:
    """A unit that both jobs name may have been broken by the release; one error of the other's own is no trouble."""
    shared = tuple(one for at in ("50s", "60s") for one in _of_both(at, JOB, OTHER_JOB))
    own = _errors("55s", job=OTHER_JOB)
    assert not _is_held(play(_begin(limit=2), _read(shared[0], shared[1], *own, *shared[2:], at="60s")))
    more = (*_errors("55s", "56s", job=OTHER_JOB), *shared[2:])
    assert _is_held(play(_begin(limit=2), _read(*shared[:2], *more, at="60s")))
