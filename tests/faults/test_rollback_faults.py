"""A rollback that is interrupted anywhere: the command is started once, or it is said that nobody knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dispatch.scene import ID, appends, failed_release, lines, named, now, run_runner, until, write_claim
from watcher.adapters.rollback import EmbeddedRollback
from watcher.core.messages import RollbackObserved
from watcher.core.release import RollbackState
from watcher.dispatch import failpoint

CHILD = Path(__file__).with_name("rollback_child.py")
KTH = Path(__file__).with_name("rollback_kth.py")
BEFORE_START = ["after_queue_file", "after_claim", "after_unqueue", "before_started"]
IN_THE_RUN = ["after_started", "during_command", "before_result"]
AFTER_RUN = ["after_result"]
IN_THE_DAEMON = BEFORE_START[:3]
HALF_A_FILE = {"half_created": RollbackState.SUCCEEDED, "half_replaced": RollbackState.UNKNOWN}
"""Of the runner's ID.started and ID.result."""
OVER = (RollbackState.SUCCEEDED, RollbackState.FAILED, RollbackState.UNKNOWN)


def die_at(point: str, state: Path, *how: str) -> None:
    """Let a daemon queue the rollback, and it or its runner be killed at the point."""
    environment = os.environ | {failpoint.VARIABLE: f"{point}:kill"}
    argv = [sys.executable, str(CHILD), str(state), json.dumps(appends(state / "ran")), *how]
    ended = subprocess.run(argv, env=environment, check=False)
    assert (-9 if point in IN_THE_DAEMON else 0) == ended.returncode


def restart(state: Path, *, idempotent: bool = False) -> RollbackObserved:
    """A new daemon on the same state, which does what daemons do until the rollback is over."""
    rollback = EmbeddedRollback(state, now)
    release = failed_release(appends(state / "ran"), idempotent=idempotent)
    if ID not in rollback.claimed([ID]):
        rollback.queue(release)
    until(lambda: any(seen.state in OVER for seen in rollback.observe(named(ID))) and not rollback._alive)
    return rollback.observe(named(ID))[0]


@pytest.mark.parametrize("point", BEFORE_START)
def test_killed_before_the_start(tmp_path: Path, point: str) -> None:
    """The command never ran, so the next daemon has it run, once."""
    die_at(point, tmp_path)
    assert 0 == lines(tmp_path / "ran")
    assert (RollbackState.SUCCEEDED, 1) == (restart(tmp_path).state, lines(tmp_path / "ran"))
    assert (RollbackState.SUCCEEDED, 1) == (restart(tmp_path).state, lines(tmp_path / "ran"))
    assert [] == os.listdir(tmp_path / "rollback-queue")


@pytest.mark.parametrize("point", IN_THE_RUN)
def test_killed_between_start_and_result(tmp_path: Path, point: str) -> None:
    """Nobody knows what the command did: unknown, and never again."""
    die_at(point, tmp_path)
    expected = 0 if point == "after_started" else 1
    until(lambda: expected == lines(tmp_path / "ran"))
    assert RollbackState.UNKNOWN is restart(tmp_path).state
    EmbeddedRollback(tmp_path, now).queue(failed_release(appends(tmp_path / "ran")))
    assert 1 == run_runner(tmp_path / "rollback").returncode
    assert (RollbackState.UNKNOWN, expected) == (restart(tmp_path).state, lines(tmp_path / "ran"))


@pytest.mark.parametrize("point", IN_THE_RUN)
def test_idempotent_command_killed_between_start_and_result(tmp_path: Path, point: str) -> None:
    """It is run once more, and that result counts."""
    die_at(point, tmp_path, "idempotent")
    first = 0 if point == "after_started" else 1
    until(lambda: first == lines(tmp_path / "ran"))
    assert RollbackState.SUCCEEDED is restart(tmp_path, idempotent=True).state
    assert RollbackState.SUCCEEDED is restart(tmp_path, idempotent=True).state
    assert first + 1 == lines(tmp_path / "ran")


@pytest.mark.parametrize("point", HALF_A_FILE)
def test_runner_killed_over_half_a_file(tmp_path: Path, point: str) -> None:
    """Half an ID.started is none: it is run, once. Half an ID.result is none either: nobody knows."""
    EmbeddedRollback(tmp_path, now)  # makes the directories
    write_claim(tmp_path / "rollback", appends(tmp_path / "ran"))
    environment = os.environ | {failpoint.VARIABLE: f"{point}:kill"}
    assert -9 == run_runner(tmp_path / "rollback", env=environment).returncode
    until(lambda: lines(tmp_path / "ran") == (point == "half_replaced"))
    assert (HALF_A_FILE[point], 1) == (restart(tmp_path).state, lines(tmp_path / "ran"))


@pytest.mark.parametrize("point", AFTER_RUN)
def test_killed_after_the_result(tmp_path: Path, point: str) -> None:
    """The result is taken over, and taking it over again gives the same."""
    die_at(point, tmp_path)
    first, second = restart(tmp_path), restart(tmp_path)
    assert (RollbackState.SUCCEEDED, 1) == (first.state, lines(tmp_path / "ran"))
    assert (first.started_at, first.finished_at, first.output) == (second.started_at, second.finished_at, second.output)


def test_claim_without_store(tmp_path: Path) -> None:
    """A lost store queues again what was rolled back already; the claim stands."""
    die_at("none", tmp_path)
    EmbeddedRollback(tmp_path, now).queue(failed_release(appends(tmp_path / "ran")))
    assert (RollbackState.SUCCEEDED, 1) == (restart(tmp_path).state, lines(tmp_path / "ran"))


@pytest.mark.parametrize("deed", ["fail", "kill"])
@pytest.mark.parametrize("who", ["queue", "run"])
def test_every_call_goes_wrong_once(tmp_path: Path, who: str, deed: str) -> None:
    """Whichever system call fails or kills: one start at most, and an end that says what is known."""
    for at_call in range(1, 200):
        state = tmp_path / str(at_call)
        (state / "rollback").mkdir(parents=True)
        if who == "run":
            write_claim(state / "rollback", appends(state / "ran"))
        argv = [sys.executable, str(KTH), who, deed, str(at_call), str(state), json.dumps(appends(state / "ran"))]
        ended = subprocess.run(argv, check=False, capture_output=True, timeout=60)
        assert ended.returncode in (0, -9 if deed == "kill" else 3, 1 if who == "run" else 0), at_call
        never_started = not (state / "rollback" / f"{ID}.started").exists()
        seen = restart(state)
        assert lines(state / "ran") <= 1, at_call
        if never_started or who == "queue":
            assert (RollbackState.SUCCEEDED, 1) == (seen.state, lines(state / "ran")), at_call
        assert (seen.state is RollbackState.SUCCEEDED) is not bool(seen.detail), at_call
        assert seen.state is not RollbackState.FAILED or lines(state / "ran") == 0, at_call
        if ended.returncode == 0:
            assert at_call > 10
            return
    pytest.fail("the calls never ended")
