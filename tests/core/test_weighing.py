"""A batch against one trial, without any release around it."""

from __future__ import annotations

from tests.events import ERROR, JOB, OTHER_JOB, batch, gap, instant, match, policy, span
from watcher.core.thresholds import standing
from watcher.core.trial import Trial, new_trial
from watcher.core.weighing import weigh


def _trial(limit: int) -> Trial:
    new = new_trial(policy(limit=limit).release.thresholds)
    return new.started(instant("0s"), length=span("1m"), settle=span("5s"))


def test_it_stops_at_the_crossing() -> None:
    """What crosses is told with its reasons, and nothing after it is counted."""
    errors = [match("4s"), match("6s"), match("7s"), match("8s")]
    weighed = weigh(_trial(2), batch(*errors, at="9s"), job=JOB, found=errors)
    assert errors[2] == weighed.crossing
    assert [2] == [reason.count for reason in weighed.reasons]
    assert (((ERROR, 2),), 1) == (weighed.trial.matches, weighed.trial.settling)


def test_without_a_crossing_everything_is_counted() -> None:
    """Holes that touch the span are kept, others and other jobs' are not; entries of the job make it heard."""
    gaps = (gap("1s", "2s"), gap("2m", "3m"), gap("3s", "4s", job=OTHER_JOB))
    read = batch(match("6s"), at="6s", gaps=gaps)
    weighed = weigh(_trial(2), read, job=JOB, found=read.found)
    assert (None, ()) == (weighed.crossing, weighed.reasons)
    assert (gaps[:1], True, [1]) == (
        weighed.trial.gaps, weighed.trial.heard, [standing(one).count for one in weighed.trial.counts],
    )  # fmt: skip


def test_a_batch_of_no_concern_leaves_the_trial_as_it_is() -> None:
    """So that nothing is stored for it."""
    trial = _trial(2)
    assert trial is weigh(trial, batch(entries=1, at="2m"), job=JOB, found=[]).trial
