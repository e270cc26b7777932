"""The verdict in sentences that can be checked by hand."""

from __future__ import annotations

from tests.events import batch, began, configured, gap, match, of_run, policy, release, run, span, watching
from tests.playbook import play
from watcher.core.explain import explanation, number
from watcher.core.found import Found
from watcher.core.policy import Expectation, FailedRatio, FailedRuns, MatchThreshold
from watcher.core.severity import Severity

LIMITS = (
    MatchThreshold(count=4, severity=Severity.ERROR, within=span("2m")),
    FailedRuns(count=3, consecutive=True),
    FailedRatio(ratio=0.8, min_runs=2),
)


def test_everything_that_the_verdict_rests_on_is_said() -> None:
    """Span, matches old and new, runs, each limit with its arithmetic, what was expected, coverage, the closest."""
    found: list[Found] = [
        of_run(match("5s"), since="-1h"),
        began("10s", 2),
        of_run(match("20s"), 2, since="10s"),
        run("30s", 2, since="10s", failed=True),
        run("40s", 3, since="31s"),
        run("50s", 4, since="41s"),
    ]
    begin = watching(thresholds=LIMITS, expect=Expectation(successful_runs=2), settle="1s")
    story = play(begin, batch(*found, at="1m"), batch(at="15m"))
    told = "\n".join(explanation(story.last.record))
    assert (
        """\
Counted: entries from 2027-01-15T08:00:00.000000Z on, before 2027-01-15T08:15:00.000000Z, each by its own instant. \
Before 2027-01-15T08:00:01.000000Z nothing is held against the release.
Only invocations that began at 2027-01-15T08:00:00.000000Z or later count (blame: new).
Matches held against it: 1 (1 x boom); before it had settled: 0.
Matches of older invocations, not held against it: 1, and 0 of invocations whose begin was not seen.
Runs of the release: 1 began, 2 succeeded, 1 failed (0 of these before it had settled), 0 were stopped; \
3 count towards limits.
4 error matches in 2m: at most 1 of 4, that is 25 % of the limit: not crossed.
3 failed runs in a row: at most 1 of 3, that is 33 % of the limit (3 runs ended, 1 failed in a row): not crossed.
0.8 of runs failed, from 2 on: at most 0.5 of 0.8, that is 62 % of the limit (1 of 2 runs failed: 1 / 2 = 0.5): \
not crossed.
Expected: 2 successful runs; seen: 2: met.
Coverage: no hole was found.
Closest to failing the release: 0.8 of runs failed, from 2 on, 0.5 of 0.8 (62 % of the limit)."""
        == told
    )


def test_the_closest_and_the_holes_are_named() -> None:
    """What passed tells what came nearest; a hole says what it does."""
    story = play(watching(limit=4), batch(match("1m"), at="2m", gaps=(gap("3m", "4m"),)), batch(at="15m"))
    *_, hole, closest = explanation(story.last.record)
    assert hole.startswith("Coverage: missing, 3 entries, from 2027-01-15T08:03:00")
    assert "Closest to failing the release: 4 error matches in 2m, 1 of 4 within 2m (25 % of the limit)." == closest


def test_before_the_clock_starts_there_is_nothing_to_explain() -> None:
    """A prepared release was not judged."""
    assert [] == explanation(play(configured(policy()), release(prepare=True)).last.record)


def test_numbers_for_people() -> None:
    """Whole ones without a point, others with three digits that count."""
    assert ["3", "0.333", "0"] == [number(one) for one in (3.0, 1 / 3, 0)]
