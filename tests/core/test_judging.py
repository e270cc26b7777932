"""Batches of the journal against an open window."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    ERROR,
    HELLO,
    JOB,
    ODD,
    OTHER_JOB,
    PANIC,
    RELEASE,
    batch,
    configured,
    gap,
    instant,
    match,
    peaks,
    person,
    policy,
    release,
    span,
    watching,
)
from tests.playbook import expect, play
from watcher.core import counters
from watcher.core.duration import Usec
from watcher.core.found import JobTally, Match
from watcher.core.messages import Judgement, QueueRollback, WriteNote
from watcher.core.names import ReleaseId
from watcher.core.policy import MatchThreshold, Mode
from watcher.core.release import Phase, RollbackState, Verdict
from watcher.core.severity import Severity
from watcher.core.weighing import GAPS_KEPT, SIGHTINGS_KEPT

THREE_ODD = (MatchThreshold(count=3, rule=ODD),)


def test_fifth_match_fails_the_release() -> None:
    """The match that reaches the limit fails the release and queues one rollback."""
    story = play(watching(limit=5, within="2m"), batch(errors=4, at="0s"), batch(errors=1, at="42s"))
    assert [[], [WriteNote(RELEASE), QueueRollback(RELEASE)]] == story.commands
    assert ["5 error matches in 42s, limit 5 in 2m"] == story.last.reasons
    assert (Phase.FAILED, Verdict.FAILED, "42s") == (story.last.phase, story.last.verdict, story.last.ended_at)


def test_the_whole_story_of_a_failure_is_told_in_order() -> None:
    """Phase first, then the rollback: one journal line each, the note before the rollback is handed over."""
    expect(
        play(watching(limit=1), batch(errors=1, at="10s"), batch(errors=9, at="11s"), batch(entries=1, at="15m")),
        "10s import-1 phase watching -> failed: 1 error match in 0ms, limit 1 in 2m",
        "10s import-1 rollback none -> queued: 1 error match in 0ms, limit 1 in 2m",
        "WriteNote import-1",
        "QueueRollback import-1",
    )


def test_healthy_window_passes_at_its_stored_end() -> None:
    """The verdict is as of the end of the window, however late the batch that shows it was taken in."""
    story = play(watching(), batch(entries=3, at="1m"), batch(entries=1, at="16m", taken="3h"))
    assert (Phase.PASSED, "900s") == (story.last.phase, story.last.ended_at)
    assert ["no threshold crossed in 15m (0 matches seen)"] == story.last.reasons


def test_window_stays_open_until_everything_before_its_end_is_read() -> None:
    """A batch that was taken in after the end, but had been read before it, closes nothing."""
    before_end = Usec(instant("15m") - 1)
    story = play(watching(), batch(entries=1, at="1m"), batch(at=before_end, taken="20m"))
    assert story.last.phase is Phase.WATCHING
    assert Phase.PASSED is play(story.state, batch(at="15m")).last.phase


def test_matches_below_the_limit_pass() -> None:
    """One match less than the limit is no failure, and the reason tells how many there were."""
    story = play(watching(limit=5), batch(errors=4, at="1m"), batch(at="15m"))
    assert ["no threshold crossed in 15m (4 matches seen)"] == story.last.reasons
    assert ((4,), ((ERROR, 4),)) == (peaks(story.last.record), story.last.record.trial.matches)


def test_matches_too_far_apart_do_not_add_up() -> None:
    """Matches count together only within the span; the record keeps the most that ever stood there."""
    story = play(
        watching(limit=3, within="1m"), *(batch(errors=1, at=f"{minute}m") for minute in range(10)), batch(at="15m")
    )
    assert (Phase.PASSED, (1,)) == (story.last.phase, peaks(story.last.record))


def test_without_a_span_the_whole_window_counts() -> None:
    """A threshold without `within` adds up over the window."""
    story = play(watching(limit=3, within=None), *(batch(errors=1, at=f"{minute}m") for minute in (1, 7, 14)))
    assert (["3 error matches in 13m, limit 3"], "840s") == (story.last.reasons, story.last.ended_at)


def test_worse_matches_count_towards_a_severity() -> None:
    """A threshold on errors counts critical matches too, and nothing milder."""
    story = play(watching(limit=2), batch(match("1s", PANIC), match("2s", ODD), match("3s", ERROR), at="4s"))
    assert ["2 error matches in 2s, limit 2 in 2m"] == story.last.reasons


def test_threshold_on_a_rule_counts_that_rule_only() -> None:
    """Other rules of the same or a worse severity leave it alone."""
    story = play(
        watching(thresholds=THREE_ODD),
        batch(match("1s", ODD), match("2s", ODD), errors=7, at="3s"),
        batch(match("9s", ODD), at="9s"),
    )
    assert ["3 odd matches in 8s, limit 3"] == story.last.reasons


def test_an_entry_with_several_rules_counts_once() -> None:
    """Three entries on which two rules fired are three matches for a severity, whichever rules those are."""
    twice = [match(f"{second}s", PANIC, ERROR) for second in range(3)]
    assert Phase.WATCHING is play(watching(limit=4), batch(*twice, at="3s")).last.phase
    story = play(watching(limit=3), batch(*twice, at="3s"))
    assert ["3 error matches in 2s, limit 3 in 2m"] == story.last.reasons
    assert ((PANIC, 3), (ERROR, 3)) == tuple(reversed(story.last.record.trial.matches))


def test_all_thresholds_crossed_by_one_match_are_reasons() -> None:
    """A match that completes two thresholds gives both reasons; the first is the rollback's."""
    both = (MatchThreshold(count=2, severity=Severity.WARNING), MatchThreshold(count=1, rule=ERROR))
    story = play(watching(thresholds=both), batch(match("1s", ODD), match("4s", ERROR), at="4s"))
    assert ["2 warning matches in 3s, limit 2", "1 boom match in 0ms, limit 1"] == story.last.reasons
    assert "2 warning matches in 3s, limit 2" == story.last.rollback_reason


def test_nothing_after_the_crossing_is_held_against_the_release() -> None:
    """The record of a failed release ends with the match that failed it; the counters go on."""
    story = play(watching(limit=2), batch(match("1s", ODD), match("2s"), match("3s"), match("4s"), at="5s"))
    assert ("3s", ((ERROR, 2), (ODD, 1))) == (story.last.ended_at, story.last.record.trial.matches)
    assert 3 == story.counter(counters.MATCHES, JOB, ERROR, "error")


def test_matches_while_settling_are_counted_apart() -> None:
    """Start-up noise is in the metrics and in the record, and never against the release."""
    settled = Usec(instant("30s") - 1)
    story = play(watching(limit=1, settle="30s"), batch(match("0s"), match(settled), at=settled))
    assert (Phase.WATCHING, 2) == (story.last.phase, story.last.record.trial.settling)
    assert ((), (0,)) == (story.last.record.trial.matches, peaks(story.last.record))
    assert 2 == story.counter(counters.MATCHES, JOB, ERROR, "error")
    assert Phase.FAILED is play(story.state, batch(errors=1, at="30s")).last.phase


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        (Usec(instant("0s") - 1), Phase.PASSED),
        (instant("0s"), Phase.FAILED),
        (Usec(instant("15m") - 1), Phase.FAILED),
        (instant("15m"), Phase.PASSED),
    ],
)
def test_the_window_is_half_open(at: Usec, phase: Phase) -> None:
    """A match at the start is inside, one at the exact end is not, and belongs to nobody's window."""
    alive = batch(entries=1, at="1m", read_until="-1m")
    assert phase is play(watching(limit=1), alive, batch(match(at), at="15m")).last.phase


def test_matches_before_the_end_count_in_the_batch_that_closes_the_window() -> None:
    """A batch that reaches past the end first counts what lies inside."""
    story = play(watching(limit=2), batch(match("14m"), match("14m59s"), match("15m"), at="20m"))
    assert (Phase.FAILED, "899s") == (story.last.phase, story.last.ended_at)


def test_matches_of_another_job_do_not_count() -> None:
    """A window is its job's alone."""
    begin = play(configured(policy(limit=1), policy(job=OTHER_JOB)), release())
    story = play(begin.state, batch(errors=9, job=OTHER_JOB, at="1m"), batch(entries=1, at="2m"), batch(at="15m"))
    assert (Phase.PASSED, 9) == (story.last.phase, story.counter(counters.ENTRIES, OTHER_JOB))


def test_one_entry_may_fail_the_releases_of_two_jobs() -> None:
    """An entry that belongs to two jobs is held against both."""
    other = replace(release().request, job=OTHER_JOB, id=ReleaseId("export-1"))
    begin = play(configured(policy(limit=1), policy(job=OTHER_JOB, limit=1)), release(), release(other))
    story = play(begin.state, batch(match("1s"), match("1s", job=OTHER_JOB), at="1s"))
    assert [Phase.FAILED, Phase.FAILED] == [one.phase for one in story.state.releases.values()]


def test_a_silent_job_is_not_known_to_be_healthy() -> None:
    """A window in which the job said nothing ends inconclusive."""
    story = play(watching(), batch(entries=1, at="-1s"), batch(at="7m"), batch(entries=1, at="15m"))
    assert (Phase.INCONCLUSIVE, Verdict.INCONCLUSIVE) == (story.last.phase, story.last.verdict)
    assert [
        "no run seen, and no entry of the job in 15m: a silent job is not known to be healthy"
    ] == story.last.reasons


def test_entries_of_another_job_do_not_break_the_silence() -> None:
    """Only the job's own entries show that it lives."""
    begin = play(configured(policy(), policy(job=OTHER_JOB)), release())
    assert Phase.INCONCLUSIVE is play(begin.state, batch(entries=5, job=OTHER_JOB, at="15m")).last.phase


def test_entries_around_the_window_do_not_break_the_silence() -> None:
    """A batch with entries before the start and after the end only has shown nothing of the window."""
    around = replace(
        batch(at="20m"), tallies=(JobTally(job=JOB, entries=2, first_at=instant("-1m"), last_at=instant("16m")),)
    )
    assert Phase.INCONCLUSIVE is play(watching(), around).last.phase


@pytest.mark.parametrize(
    ("since", "until", "phase"),
    [
        ("1m", "2m", Phase.INCONCLUSIVE),
        ("-1m", "0s", Phase.INCONCLUSIVE),
        ("-2m", "-1m", Phase.PASSED),
        ("14m", "20m", Phase.INCONCLUSIVE),
        ("15m", "20m", Phase.PASSED),
        ("-1m", "1h", Phase.INCONCLUSIVE),
    ],
)
def test_a_hole_that_touches_the_window_keeps_it_from_passing(since: str, until: str, phase: Phase) -> None:
    """Nobody knows what stood in the hole: inconclusive. A hole before or after the window is nothing to it."""
    story = play(watching(), batch(entries=1, at="1m", read_until="-1h"), batch(gaps=(gap(since, until),), at="15m"))
    assert phase is story.last.phase
    assert [] == [command for step in story.commands for command in step if isinstance(command, QueueRollback)]


def test_the_reason_of_a_hole_names_its_kind_and_size() -> None:
    """The record says what kind of hole it was, and how many entries, where that is known."""
    unknown = replace(gap("3m", "3m"), entries=None)
    story = play(watching(), batch(entries=1, gaps=(gap("1m", "2m"), unknown), at="14m", read_until="15m"))
    assert [
        "coverage has a hole (missing): 3 entries not seen",
        "coverage has a hole (missing): an unknown number of entries not seen",
    ] == story.last.reasons


def test_a_hole_of_another_job_is_nothing_to_this_one() -> None:
    """A hole that is known to be one job's stays that job's."""
    story = play(watching(), batch(entries=1, gaps=(gap("1m", "2m", job=OTHER_JOB),), at="14m", read_until="15m"))
    assert (Phase.PASSED, 1) == (story.last.phase, story.counter(counters.GAPS, "missing"))


def test_a_hole_does_not_save_a_release_that_fails() -> None:
    """What was seen is enough to fail, whatever else was not seen."""
    story = play(watching(limit=1), batch(gaps=(gap("1s", "2s"),), at="2s"), batch(errors=1, at="3s"))
    assert (Phase.FAILED, RollbackState.QUEUED) == (story.last.phase, story.last.rollback)


def test_what_is_not_judged_keeps_the_release_from_passing() -> None:
    """A configured condition that this version can't evaluate makes the end inconclusive, with its key."""
    story = play(watching(unjudged=("fail_when[1].failed_runs",)), batch(entries=1, at="14m"), batch(at="15m"))
    assert Phase.INCONCLUSIVE is story.last.phase
    assert ["fail_when[1].failed_runs is configured but not judged by this version"] == story.last.reasons


def test_a_record_is_bounded_whatever_is_logged() -> None:
    """Sightings, gaps and counted instants have a most; the counts themselves are exact."""
    few = (MatchThreshold(count=3, rule=ODD, within=span("1m")),)
    noise = [match(f"{second}s", HELLO) for second in range(800)]
    holes = tuple(gap(f"{second}s", f"{second + 1}s") for second in range(100))
    story = play(watching(thresholds=few), batch(*noise, gaps=holes, at="800s"))
    record = story.last.record.trial
    assert (SIGHTINGS_KEPT, GAPS_KEPT) == (len(record.sightings), len(record.gaps))
    assert (((HELLO, 800),), 100) == (record.matches, story.counter(counters.GAPS, "missing"))
    assert [f"cursor-{JOB}-{instant(f'{second}s')}" for second in range(SIGHTINGS_KEPT)] == [
        one.cursor for one in record.sightings
    ]


def test_a_clock_set_back_neither_hides_nor_doubles_a_match() -> None:
    """Entries are judged in the journal's order; one that steps back in time counts at its forerunner's instant."""
    story = play(watching(limit=3), batch(match("50s"), match("20s"), match("51s"), at="52s", read_until="10s"))
    assert (["3 error matches in 1s, limit 3 in 2m"], "51s") == (story.last.reasons, story.last.ended_at)


def _told(host: str, at: str) -> Match:
    return replace(match(at), cursor=f"s=1;i=1;b={host};m=1;t=1;x={at}")


def test_what_another_host_tells_late_is_judged_by_its_own_time() -> None:
    """Also when it is older than what was read: with those of its time it crosses, and the failure is of that time."""
    first = batch(_told("a", "8m"), _told("a", "9m"), at="9m", read_until="1m")
    one = batch(_told("b", "2m"), at="9m", read_until="1m")
    assert Phase.WATCHING is play(watching(limit=3), first, one).last.phase
    late = batch(_told("b", "130s"), _told("b", "140s"), at="9m", read_until="1m")
    story = play(watching(limit=3), first, one, late)
    assert (["3 error matches in 20s, limit 3 in 2m"], "140s") == (story.last.reasons, story.last.ended_at)


def test_what_another_host_tells_after_the_end_is_only_counted() -> None:
    """A window that has closed stays closed; the counters hold all."""
    heard = batch(entries=3, at="1m"), batch(entries=3, at="16m")
    story = play(watching(limit=1), *heard, batch(_told("b", "2m"), entries=1, at="17m"))
    assert Phase.PASSED is story.last.phase
    assert 1 == story.counter(counters.MATCHES, JOB, ERROR, "error")


def test_a_match_that_changes_nothing_changes_no_record() -> None:
    """A batch without anything for a window has no release to store."""
    story = play(watching(), batch(entries=1, at="1s"), batch(entries=4, at="2s"), batch(errors=1, at="15m"))
    assert [1, 0, 1] == [len(decision.changed) for decision in story.decisions]


def test_counters_go_on_without_a_window() -> None:
    """Entries, matches and gaps are counted for every job at every time, whatever is judged."""
    story = play(
        configured(policy()),
        batch(match("1s", PANIC, ERROR), entries=4, gaps=(gap("0s", "1s"),), at="1s"),
        batch(errors=2, at="2s"),
    )
    assert 7 == story.counter(counters.ENTRIES, JOB)
    assert 1 == story.counter(counters.MATCHES, JOB, PANIC, "critical")
    assert 3 == story.counter(counters.MATCHES, JOB, ERROR, "error")
    assert 1 == story.counter(counters.GAPS, "missing")
    assert [[], []] == story.commands


def test_the_metric_before_and_after_stands_in_the_record() -> None:
    """The counters at the start and at the end of the window are kept for the note."""
    begin = play(configured(policy()), batch(errors=2, entries=10, at="-1m"), release())
    story = play(begin.state, batch(errors=1, entries=5, at="1m"), batch(at="15m"))
    record = story.last.record
    assert (12, 2) == (record.entries_before, record.matches_before)
    assert (18, 3) == (record.entries_after, record.matches_after)


def test_detection_latency_is_taken_from_the_failing_match() -> None:
    """From the instant of the entry to the instant at which the batch was taken in, once for a failure."""
    story = play(watching(limit=1), batch(errors=1, at="10s", taken=Usec(instant("10s") + 40_000)))
    assert 1 == story.counter(f"{counters.DETECTION_LATENCY}_bucket", "0.05")
    assert 40_000 == story.counter(f"{counters.DETECTION_LATENCY}_sum_usec")


def test_detection_latency_is_never_negative() -> None:
    """An entry from a clock ahead of ours was seen at once."""
    story = play(watching(limit=1), batch(errors=1, at="10s", taken="9s"))
    assert 1 == story.counter(f"{counters.DETECTION_LATENCY}_bucket", "0.01")
    assert 0 == story.counter(f"{counters.DETECTION_LATENCY}_sum_usec")


def test_a_window_that_a_person_fails_has_no_detection_latency() -> None:
    """Only what the daemon detected is measured."""
    story = play(watching(mode=Mode.OBSERVE), person(Judgement.FAIL, at="10s"))
    assert [] == [series for series in story.state.counters if series[0].startswith(counters.DETECTION_LATENCY)]


def test_position_and_reading_instants_are_adopted() -> None:
    """The reader's position is kept as it came; how far was read never falls back."""
    story = play(
        configured(policy()),
        batch(entries=1, at="10s", position="p1"),
        batch(at="5s"),
        batch(at="12s", position="p2"),
    )
    state = story.state
    assert ("p2", instant("12s"), instant("10s")) == (state.position, state.read_until, state.last_entry_at)
    assert ["p1", None, "p2"] == [decision.position for decision in story.decisions]
