"""What keeps a release from passing: the least evidence, condition by condition."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events import batch, began, configured, deployed, match, of_run, policy, release, run, watching
from tests.playbook import Story, play
from watcher.core.found import Found, RunOutcome
from watcher.core.policy import Blame, Expectation, FailedRatio, FailedRuns
from watcher.core.release import Phase

EARLY = [of_run(match("1m"), since=None) for _ in range(70)]
ONE_RUN = Expectation(successful_runs=1)
NO_RUN = "no run seen: nothing that began since the release was registered ran within 15m"


def at_the_end(*found: Found, entries: int = 1, **terms: Any) -> Story:
    """The story of a window in which this was found, read to its end."""
    return play(watching(**terms), batch(*found, entries=entries, at="10m"), batch(at="15m"))


@pytest.mark.parametrize(
    ("found", "terms", "reasons"),
    [
        ([], {"has_runs": True}, [NO_RUN]),
        (
            [*EARLY, began("2m"), run("3m", since="2m")],
            {"has_runs": True, "limit": 60},
            ["judged in part: 20 entries found no room while the begin of their run was still to come"],
        ),
        ([*EARLY, began("2m", 2)], {"has_runs": True, "limit": 60}, []),  # the old run's, as far as anybody can tell
        ([began("1m")], {"has_runs": True}, []),
        ([], {"has_runs": True, "blame": Blame.ALL}, []),
        ([], {}, []),
        ([], {"thresholds": (FailedRuns(count=1),)}, [NO_RUN]),
        ([], {"thresholds": (FailedRatio(ratio=0.2, min_runs=5),), "blame": Blame.ALL}, [NO_RUN]),
        ([run("2m", since="1m")], {"thresholds": (FailedRuns(count=1),)}, []),
        ([], {"thresholds": (FailedRuns(count=1),), "has_runs": True, "blame": Blame.ALL}, []),
        ([began("1m"), run("2m", since="1m")], {"has_runs": True, "expect": ONE_RUN}, []),
        (
            [run("2m", since="-1h")],
            {"has_runs": True, "expect": ONE_RUN},
            [
                f"{NO_RUN}; 0 matches and 1 run of older invocations were not held against it",
                "no run seen, 1 successful run expected",
            ],
        ),
        (
            [began("1m"), run("2m", since="1m"), began("3m"), run("4m", since="3m", failed=True)],
            {"has_runs": True, "expect": Expectation(successful_runs=2)},
            ["1 successful run of 2 seen, 2 expected"],
        ),
        (
            [began("1m"), run("2m", since="1m", failed=True)],
            {"has_runs": True},
            ["no success seen: 1 run ended, 1 of them failed"],
        ),
        (
            [began("1s"), match("2s"), run("3s", since="1s", failed=True)],
            {"has_runs": True, "settle": "30s"},
            [
                "no success seen: 1 run ended, 1 of them failed",
                "1 run failed and 1 match in the first 30s, within `settle`: not held against the release",
            ],
        ),
        (
            [began("1s"), run("3s", since="1s", failed=True), began("4s", 2), match("5s")],
            {"has_runs": True, "settle": "30s"},
            [],
        ),
        (
            [match("5s"), match("6s")],
            {"has_runs": True, "settle": "30s", "expect": ONE_RUN},
            [
                NO_RUN,
                "no run seen, 1 successful run expected",
                "2 matches in the first 30s, within `settle`: not held against the release",
            ],
        ),
        (
            [began("1m"), run("2m", since="1m", failed=True), began("3m", 2)],
            {"has_runs": True},
            [],
        ),
        (
            [began("1m"), run("1m", since="1m", outcome=RunOutcome.SKIPPED)],
            {"has_runs": True},
            [NO_RUN],
        ),
        ([], {"expect": Expectation(line=True)}, ["not seen, though expected: "]),
    ],
)
def test_no_evidence_no_pass(found: list[Found], terms: Any, reasons: list[str]) -> None:
    """Each missing piece is a reason of its own, and without any the release passes."""
    story = at_the_end(*found, **terms)
    assert (Phase.INCONCLUSIVE if reasons else Phase.PASSED) is story.last.phase
    assert reasons == (story.last.reasons if reasons else [])


def test_a_window_of_runs_without_one_is_inconclusive() -> None:
    """Also of a job that runs under `watcher job exec`; one run is evidence, though more were waited for."""
    assert [NO_RUN] == at_the_end(window_runs=3).last.reasons
    story = at_the_end(run("1m"), window_runs=3)
    assert ["no threshold crossed in 15m (0 matches and 1 run seen)"] == story.last.reasons


def test_a_window_of_runs_ends_with_the_last_of_them() -> None:
    """As of the instant of its end, long before the latest end."""
    runs = [run("1m", 1), run("3m", 2), run("5m", 3)]
    story = play(watching(window_runs=2, has_runs=True), batch(began("1s"), *runs, at="6m"))
    assert (Phase.PASSED, "180s") == (story.last.phase, story.last.ended_at)
    assert ["no threshold crossed in 3m (0 matches and 2 runs seen)"] == story.last.reasons


def test_a_restart_while_the_release_is_prepared_is_its_run() -> None:
    """Between registration and deployment the script restarts the service: that invocation is the new one."""
    story = play(
        configured(policy(has_runs=True)),
        release(prepare=True),
        batch(of_run(match("5s"), 1, since="-1h"), began("10s", 2), at="10s"),
        deployed(at="20s"),
        batch(entries=1, at="1m"),
        batch(at="15m20s"),
    )
    assert (Phase.PASSED, 1, ()) == (
        story.last.phase, story.last.record.trial.runs.begun, story.last.record.trial.old_matches,
    )  # fmt: skip
