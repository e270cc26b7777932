"""What waits for a baseline is judged by what was known of other jobs when it came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    JOB,
    OTHER_JOB,
    PANIC,
    baseline_read,
    batch,
    configured,
    error,
    instant,
    match,
    policy,
    release,
    seen,
    span,
)
from tests.playbook import Story, play
from watcher.core.found import Found
from watcher.core.policy import AboveBaseline, NewErrors, Threshold
from watcher.core.reason import ReasonCode
from watcher.core.record import from_record, to_record
from watcher.core.release import RollbackState
from watcher.core.severity import Severity

FORTNIGHT = span("14d")


def _is_held(story: Story) -> bool:
    codes = [one.code for one in story.last.record.reasons]
    assert (ReasonCode.SHARED_CAUSE in codes) is (RollbackState.HELD is story.last.rollback)
    return ReasonCode.SHARED_CAUSE in codes


@pytest.mark.parametrize("read_at", ["1s", "5m", "17m"])
@pytest.mark.parametrize(
    "threshold",
    [
        NewErrors(count=1, lookback=FORTNIGHT),
        AboveBaseline(severity=Severity.ERROR, factor=3.0, confidence=0.999, lookback=FORTNIGHT),
    ],
)
@pytest.mark.parametrize("is_shared", [True, False])
def test_the_cause_is_the_same_however_late_the_baseline_is_read(
    read_at: str,
    threshold: Threshold,
    is_shared: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """What waits for the baseline is judged by what was known of other jobs when it came, also after a restart."""
    jobs = (policy(thresholds=(threshold,), window="1h"), policy(job=OTHER_JOB))
    events = [
        batch(match("3m", PANIC, job=OTHER_JOB if is_shared else JOB), at="3m"),
        *(batch(match(f"{one}m"), error(f"{one}m", "new"), at=f"{one}m") for one in range(4, 13)),
        batch(match("16m", PANIC, job=OTHER_JOB), at="16m"),
    ]
    early = [one for one in events if one.at < instant(read_at)]
    state = play(configured(*jobs), release(), *early).state
    loaded = {key: from_record(to_record(one)) for key, one in state.releases.items()}
    story = play(replace(state, releases=loaded), baseline_read(at=read_at), *events[len(early) :])
    assert is_shared is _is_held(story)


def test_what_an_older_program_put_by_is_judged_by_what_is_known_now() -> None:
    """It kept nothing of what was known then."""
    jobs = (policy(thresholds=(NewErrors(count=1, lookback=FORTNIGHT),), window="1h"), policy(job=OTHER_JOB))
    found = (match("3m", PANIC, job=OTHER_JOB), error("4m", "new"))
    state = play(configured(*jobs), release(), batch(*found, at="4m")).state
    older = {key: seen(one, witnessed=()) for key, one in state.releases.items()}
    assert _is_held(play(replace(state, releases=older), baseline_read(at="5m")))


def test_what_was_known_is_kept_once_for_as_long_as_it_stays_the_same() -> None:
    """So a storm of errors makes no long record."""
    jobs = (policy(thresholds=(NewErrors(count=100, lookback=FORTNIGHT),), window="1h"), policy(job=OTHER_JOB))
    storm = [error(f"{one}s", "new") for one in range(1, 99)]
    found: list[Found] = [*storm[:50], match("51s", PANIC, job=OTHER_JOB), *storm[50:]]
    waiting = play(configured(*jobs), release(), batch(*found, at="2m")).last.record
    assert [(0, None), (50, ReasonCode.SHARED_CAUSE)] == [
        (one.place, None if one.cause is None else one.cause.code) for one in waiting.trial.witnessed
    ]
    assert () == play(configured(*jobs), release(), batch(*found, at="2m"), baseline_read()).last.record.trial.witnessed
