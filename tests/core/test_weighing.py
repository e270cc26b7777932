"""A batch against one trial, without any release around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.events import ERROR, JOB, OTHER_JOB, PANIC, batch, began, gap, instant, match, of_run, policy, run, span
from watcher.core.found import Found, RunOutcome
from watcher.core.policy import FailedRuns, Threshold
from watcher.core.reason_words import say
from watcher.core.severity import Severity
from watcher.core.thresholds import standing
from watcher.core.trial import Trial, new_trial
from watcher.core.weighing import UNCLEAR_KEPT, Weighed, weigh


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


# ------------------------------------------------------------------------------------------------- old and new runs


def _with_runs(*thresholds: Threshold, **more: Any) -> Trial:
    new = new_trial(thresholds, since=instant("-5m"), **more)
    return new.started(instant("0s"), length=span("1h"), settle=span("5s"))


def _weighed(trial: Trial, *found: Found) -> Weighed:
    return weigh(trial, batch(*found, at="1h"), job=JOB, found=found)


def test_dying_noise_of_the_old_process_is_told_apart() -> None:
    """Matches and the bad end of an invocation that began before are shown, and held against nobody."""
    shutdown: list[Found] = [of_run(match("6s"), since="-2h"), run("7s", since="-2h", failed=True)]
    trial = _weighed(_with_runs(FailedRuns(count=1), *policy(limit=1).release.thresholds), *shutdown).trial
    assert ((), ((ERROR, 1),), 1, 0) == (trial.matches, trial.old_matches, trial.runs.old_failed, trial.runs.failed)


def test_what_began_while_the_release_was_prepared_is_of_the_release() -> None:
    """The script restarted the service before it said that the release is deployed."""
    weighed = _weighed(_with_runs(FailedRuns(count=1)), began("-1m"), run("7s", since="-1m", failed=True))
    assert ["1 of 1 run failed, limit 1"] == [say(reason) for reason in weighed.reasons]


def test_entries_without_an_invocation_count() -> None:
    """A job that is no unit of systemd has only lines."""
    assert ((ERROR, 1),) == _weighed(_with_runs(), match("6s")).trial.matches


def test_everybody_counts_if_the_configuration_says_so() -> None:
    """For services that no deployment restarts."""
    found: list[Found] = [of_run(match("6s"), since="-2h"), run("7s", since=None, failed=True)]
    trial = _weighed(_with_runs(blames_all=True), *found).trial
    assert (((ERROR, 1),), (), 1, 0) == (trial.matches, trial.old_matches, trial.runs.failed, trial.runs.old_failed)


def test_first_lines_may_come_before_the_begin_is_told() -> None:
    """A service may log before PID 1 says that it has started it: those lines are the release's all the same."""
    early = [of_run(match("6s"), 7, since=None), of_run(match("6s"), 8, since=None)]
    waiting = _weighed(_with_runs(*policy(limit=2).release.thresholds), *early).trial
    assert ((), 2) == (waiting.matches, len(waiting.unclear))
    weighed = _weighed(waiting, began("7s", 7), of_run(match("8s"), 7, since="7s"))
    assert (2, 1) == (weighed.reasons[0].count, len(weighed.trial.unclear))


def test_lines_whose_begin_nobody_saw_are_old_and_bounded() -> None:
    """The latest are kept in case their begin comes, the others are counted as old."""
    found = [of_run(match("6s"), since=None)] * (UNCLEAR_KEPT + 3)
    trial = _weighed(_with_runs(), *found).trial
    assert (((ERROR, 3),), UNCLEAR_KEPT) == (trial.old_matches, len(trial.unclear))


def test_what_had_to_be_let_go_is_remembered_by_its_invocation() -> None:
    """Only a begin that is told later makes it a loss; of what came within `settle` nothing is lost."""
    noise = [of_run(match("6s"), 7, since=None)] * (UNCLEAR_KEPT + 3)
    crowd = [of_run(match("7s"), number, since=None) for number in range(100, 2 * UNCLEAR_KEPT + 110)]
    trial = _weighed(_with_runs(), *noise).trial
    assert 3 == _weighed(trial, began("8s", 7)).trial.unjudged
    assert 0 == _weighed(trial, began("8s", 8)).trial.unjudged
    crowded = _weighed(trial, *crowd).trial
    assert UNCLEAR_KEPT + 1 == len(crowded.let_go)
    assert 0 < _weighed(crowded, began("8s", 8)).trial.unjudged  # it may be one of those that nobody counted apart
    early = [of_run(match("1s"), 7, since=None)] * (UNCLEAR_KEPT + 3)
    settling = replace(_with_runs(), settles_at=instant("5s"))
    assert 0 == _weighed(settling, *early, began("8s", 7)).trial.unjudged


def test_a_window_of_runs_is_over_with_its_last_run() -> None:
    """Only runs that count make it full: not what was stopped, nor what ended before it had settled."""
    found = [
        run("1s", 1, since="0s"),
        run("6s", 2, outcome=RunOutcome.STOPPED),
        run("10s", 3),
        run("20s", 4, failed=True),
        run("30s", 5, failed=True),
    ]
    weighed = _weighed(_with_runs(FailedRuns(count=2), runs_wanted=2), *found)
    assert (instant("20s"), (), 2, 1) == (
        weighed.trial.over_at, weighed.reasons, weighed.trial.runs.finished, weighed.trial.runs.failed,
    )  # fmt: skip


def test_a_full_window_takes_nothing_more() -> None:
    """Not even in a later batch, where something stamped earlier may still come; holes of it may become known."""
    full = _weighed(_with_runs(FailedRuns(count=1), runs_wanted=1), run("20s", 1)).trial
    late: list[Found] = [run("19s", 2, failed=True), run("40s", 3, failed=True)]
    weighed = weigh(full, batch(*late, at="40s", gaps=(gap("10s", "30s"),)), job=JOB, found=late)
    assert (instant("20s"), (), 1) == (weighed.trial.over_at, weighed.reasons, len(weighed.trial.gaps))
    assert full.runs == weighed.trial.runs


def test_the_run_that_both_crosses_and_fills_the_window_fails_it() -> None:
    """A crossing comes before the end."""
    weighed = _weighed(_with_runs(FailedRuns(count=1), runs_wanted=1), run("10s", failed=True))
    assert (None, 1) == (weighed.trial.over_at, len(weighed.reasons))


def test_the_entry_that_fills_the_window_may_be_the_error() -> None:
    """PID 1 tells of a failed run in an entry on which a rule fires as well; that one counts, later ones do not."""
    critical = policy(limit=1, severity=Severity.CRITICAL).release.thresholds
    last, told = run("10s", failed=True), of_run(match("10s", PANIC))
    weighed = _weighed(_with_runs(*critical, runs_wanted=1), last, told)
    assert (None, told, 1) == (weighed.trial.over_at, weighed.crossing, len(weighed.reasons))
    weighed = _weighed(_with_runs(*critical, runs_wanted=1), last, replace(told, cursor="the next entry"))
    assert (instant("10s"), None, ()) == (weighed.trial.over_at, weighed.crossing, weighed.trial.matches)


def test_an_expected_line_is_no_error() -> None:
    """It counts as evidence, also before the job has settled, but not of an older process."""
    line = replace(match("1s"), rules=(), is_expected=True)
    trial = _weighed(_with_runs(*policy(limit=1).release.thresholds), line, of_run(line, since="-1h")).trial
    assert (1, (), 0) == (trial.expected, trial.matches, trial.settling)
