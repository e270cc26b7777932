"""The daemon's side of a rollback, with the real runner."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from tests.dispatch.scene import ID, appends, failed_release, is_alive, lines, named, now, shell, until, write_claim
from watcher.adapters.handover import RollbackError
from watcher.adapters.rollback import EmbeddedRollback
from watcher.core.messages import RollbackObserved
from watcher.core.names import ReleaseId
from watcher.core.release import RollbackState

OTHER = ReleaseId("import-2")
CHILD = Path(__file__).parents[1] / "faults" / "rollback_child.py"
OVER = (RollbackState.SUCCEEDED, RollbackState.FAILED, RollbackState.UNKNOWN)


@pytest.fixture
def rollback(tmp_path: Path) -> EmbeddedRollback:
    """A rollback adapter on the test's own state directory."""
    return EmbeddedRollback(tmp_path, now)


def end_of(rollback: EmbeddedRollback, release_id: ReleaseId = ID) -> RollbackObserved:
    """Wait until the rollback is over, and for its runner to be gone."""
    until(lambda: any(seen.state in OVER for seen in rollback.observe(named(release_id))) and not rollback._alive)
    return rollback.observe(named(release_id))[0]


def test_from_queue_to_result(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """The command runs once, and its end is observed with times, exit code and output."""
    assert ([], frozenset()) == (rollback.observe(named(ID)), rollback.claimed([ID, OTHER]))
    rollback.queue(failed_release(appends(tmp_path / "ran", then="echo done")))
    seen = end_of(rollback)
    assert (RollbackState.SUCCEEDED, 0, "", "done\n") == (seen.state, seen.exit_code, seen.detail, seen.output)
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert seen.started_at <= seen.finished_at <= seen.at
    assert ([], 1) == (os.listdir(tmp_path / "rollback-queue"), lines(tmp_path / "ran"))
    assert frozenset({ID}) == rollback.claimed([ID, OTHER])


def test_queued_many_times(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """Queueing again, also by a later daemon, changes nothing once the command was started."""
    release = failed_release(appends(tmp_path / "ran"))
    rollback.queue(release)
    rollback.queue(release)
    seen = end_of(rollback)
    again = EmbeddedRollback(tmp_path, lambda: seen.at)
    again.queue(release)
    assert ([seen], {}) == (again.observe(named(ID)), again._alive)
    assert (1, []) == (lines(tmp_path / "ran"), os.listdir(tmp_path / "rollback-queue"))


def test_running_until_it_ends(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """While the command runs, that is what is observed, also by a later daemon; queueing does not block."""
    gate = tmp_path / "gate"
    began = monotonic()
    rollback.queue(failed_release(shell(f"until test -e {gate}; do sleep 0.02; done")))
    assert monotonic() - began < 1
    until(lambda: rollback.observe(named(ID)))
    later = EmbeddedRollback(tmp_path, now)
    for one in (rollback, later):
        assert [RollbackState.RUNNING] == [seen.state for seen in one.observe(named(ID))]
        assert frozenset({ID}) == one.claimed([ID])
    gate.touch()
    assert RollbackState.SUCCEEDED is end_of(rollback).state
    assert [RollbackState.SUCCEEDED] == [seen.state for seen in later.observe(named(ID))]


def test_daemon_dies_while_the_command_runs(tmp_path: Path) -> None:
    """The runner stands in a session of its own, and its result is taken over by the next daemon."""
    gate = tmp_path / "gate"
    command = json.dumps(appends(tmp_path / "ran", then=f"until test -e {gate}; do sleep 0.02; done"))
    with subprocess.Popen([sys.executable, CHILD, tmp_path, command, "stay"], start_new_session=True) as daemon:
        until(lambda: lines(tmp_path / "ran"))
        os.killpg(daemon.pid, signal.SIGKILL)
    gate.touch()
    assert (RollbackState.SUCCEEDED, 1) == (end_of(EmbeddedRollback(tmp_path, now)).state, lines(tmp_path / "ran"))


def test_runner_leaves_no_zombie(rollback: EmbeddedRollback) -> None:
    """A runner is waited for as soon as it ends, with nobody asking."""
    rollback.queue(failed_release(("true",)))
    (pid,) = rollback._alive
    until(lambda: not rollback._alive)
    assert not Path(f"/proc/{pid}").exists()


def test_twenty_threads_queue_at_once(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """One claim, one start."""
    release = failed_release(appends(tmp_path / "ran"))
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(rollback.queue, [release] * 20))
    assert (RollbackState.SUCCEEDED, 1) == (end_of(rollback).state, lines(tmp_path / "ran"))


def test_twenty_processes_queue_at_once(tmp_path: Path) -> None:
    """One claim, one start, whoever it was."""
    command = json.dumps(appends(tmp_path / "ran"))
    daemons = [subprocess.Popen([sys.executable, CHILD, tmp_path, command]) for _ in range(20)]
    assert [0] * 20 == [daemon.wait(60) for daemon in daemons]
    assert (RollbackState.SUCCEEDED, 1) == (end_of(EmbeddedRollback(tmp_path, now)).state, lines(tmp_path / "ran"))


def test_killed_runner(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """An interrupted command is unknown, says so with what it printed, and is not run again."""
    script = f"echo half way; echo $$ > {tmp_path}/pid; exec sleep 60"
    release = failed_release(appends(tmp_path / "ran", then=script))
    rollback.queue(release)
    until(lambda: lines(tmp_path / "pid") and lines(tmp_path / "rollback" / f"{ID}.log"))
    (runner,) = rollback._alive
    os.kill(runner, signal.SIGKILL)
    seen = end_of(rollback)
    assert (RollbackState.UNKNOWN, None, "half way\n") == (seen.state, seen.exit_code, seen.output)
    assert (
        "the rollback command was interrupted (its runner was killed): look at what it did, then finish or repeat it "
        "by hand; it is not run again" == seen.detail
    )
    rollback.queue(release)
    assert (1, frozenset({ID})) == (lines(tmp_path / "ran"), rollback.claimed([ID]))
    assert not rollback._alive
    left = int((tmp_path / "pid").read_text())
    assert is_alive(left)
    os.kill(left, signal.SIGKILL)


def test_reboot_while_the_command_ran(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """After a reboot, or a power cut that kept nothing but the name, the rollback is unknown."""
    claims = tmp_path / "rollback"
    write_claim(claims, appends(tmp_path / "ran"))
    write_claim(claims, appends(tmp_path / "ran"), OTHER)
    (claims / f"{ID}.started").write_text('{"schema": 1, "boot_id": "another", "started_at": 5, "pid": 1}')
    (claims / f"{OTHER}.started").touch()
    known, empty = rollback.observe(named(ID, OTHER))
    assert (RollbackState.UNKNOWN, 5, RollbackState.UNKNOWN, None) == (
        known.state,
        known.started_at,
        empty.state,
        empty.started_at,
    )
    assert "(the machine went down, or its runner was killed)" in known.detail
    assert "(the machine went down, or its runner was killed)" in empty.detail
    assert 0 == lines(tmp_path / "ran")


def test_interrupted_idempotent_command(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """It is run once more by whoever observes it."""
    write_claim(tmp_path / "rollback", appends(tmp_path / "ran"), idempotent=True)
    (tmp_path / "rollback" / f"{ID}.started").touch()
    assert [RollbackState.RUNNING] == [seen.state for seen in rollback.observe(named(ID))]
    assert (RollbackState.SUCCEEDED, 1) == (end_of(rollback).state, lines(tmp_path / "ran"))


def test_twice_interrupted_idempotent_command(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """The second interruption is the last."""
    write_claim(tmp_path / "rollback", appends(tmp_path / "ran"), idempotent=True)
    for name in ("started", "started.2"):
        (tmp_path / "rollback" / f"{ID}.{name}").touch()
    assert [RollbackState.UNKNOWN] == [seen.state for seen in rollback.observe(named(ID))]
    assert ({}, 0) == (rollback._alive, lines(tmp_path / "ran"))


def test_disarmed(rollback: EmbeddedRollback, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the file `disarm` is there nothing is claimed, and it is said once; afterwards the rollback runs."""
    release = failed_release(appends(tmp_path / "ran"))
    (tmp_path / "disarm").touch()
    rollback.queue(release)
    rollback.queue(release)
    expected = {"schema": 1, "id": ID, "job": "import", "version": "2.0", "previous": "1.9", "reason_code": "matches"}
    assert expected == json.loads((tmp_path / "rollback-queue" / f"{ID}.json").read_text())
    assert ([], [], frozenset()) == (
        os.listdir(tmp_path / "rollback"),
        rollback.observe(named(ID)),
        rollback.claimed([ID]),
    )
    assert ["rollbacks are off as long as a file exists"] == [record.message for record in caplog.records]
    (tmp_path / "disarm").unlink()
    rollback.queue(release)
    assert (RollbackState.SUCCEEDED, 1) == (end_of(rollback).state, lines(tmp_path / "ran"))


def test_disarmed_idempotent_command(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """The off switch also stops a repetition."""
    write_claim(tmp_path / "rollback", appends(tmp_path / "ran"), idempotent=True)
    (tmp_path / "rollback" / f"{ID}.started").touch()
    (tmp_path / "disarm").touch()
    assert [RollbackState.UNKNOWN] == [seen.state for seen in rollback.observe(named(ID))]
    assert ({}, 0) == (rollback._alive, lines(tmp_path / "ran"))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("truncated", "is damaged"),
        ("link", "is no regular file"),
        ("directory", "is no regular file"),
        ("other id", f'holds the claim of "{OTHER}"'),
    ],
)
def test_damaged_claim(
    rollback: EmbeddedRollback, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str, why: str
) -> None:
    """Nothing is run by it, nothing claimed anew, it is said once, and the rollback has failed."""
    claim = tmp_path / "rollback" / f"{ID}.claim"
    match damage:
        case "truncated":
            claim.write_text('{"schema": 1, "id": "imp')
        case "link":
            write_claim(tmp_path, appends(tmp_path / "ran"))
            claim.symlink_to(tmp_path / f"{ID}.claim")
        case "directory":
            claim.mkdir()
        case _:
            write_claim(tmp_path / "rollback", appends(tmp_path / "ran"), OTHER)
            (tmp_path / "rollback" / f"{OTHER}.claim").rename(claim)
    early = rollback.observe(named(ID))
    release = failed_release(appends(tmp_path / "ran"))
    rollback.queue(release)
    rollback.queue(release)
    late = rollback.observe(named(ID))
    assert [RollbackState.FAILED] * 2 == [seen.state for seen in early + late]
    assert [f"the rollback command was not run: {ID}.claim: {why}"] * 2 == [seen.detail for seen in early + late]
    assert ["rollback can not be run"] == [one.message for one in caplog.records if one.levelno == logging.ERROR]
    assert (0, frozenset({ID})) == (lines(tmp_path / "ran"), rollback.claimed([ID]))
    assert not rollback._alive


@pytest.mark.parametrize("started", [True, False])
def test_claim_of_another_release(rollback: EmbeddedRollback, tmp_path: Path, *, started: bool) -> None:
    """A claim outlives a lost store; a new release of the same id is not rolled back by the old one's command."""
    if started:
        rollback.queue(failed_release(appends(tmp_path / "ran"), version="1.0"))
        end_of(rollback)
    else:
        write_claim(tmp_path / "rollback", appends(tmp_path / "ran"), version="1.0")
    rollback.queue(failed_release(appends(tmp_path / "ran"), version="2.0"))
    (seen,) = rollback.observe(named(ID))
    expected = f"the rollback command was not run: {ID}.claim: was made for import 1.0"
    assert (RollbackState.FAILED, expected) == (seen.state, seen.detail)
    assert int(started) == lines(tmp_path / "ran")
    if started:  # also a daemon that has just begun knows
        assert [expected] == [one.detail for one in EmbeddedRollback(tmp_path, now).observe(named(ID))]


@pytest.mark.parametrize(
    "contents",
    [
        "",
        '{"schema": 1}',
        json.dumps({"schema": 1, "state": "great", "exit_code": 0, "signal": None, "detail": "", "output": ""}),
        json.dumps(
            {"schema": 1, "state": "great", "exit_code": 0, "signal": None, "detail": "", "output": ""}
            | {"started_at": 1, "finished_at": 1},
        ),
    ],
)
def test_damaged_result(rollback: EmbeddedRollback, tmp_path: Path, contents: str) -> None:
    """Nobody knows how the command ended, and it is not run again."""
    release = failed_release(appends(tmp_path / "ran", then="echo done"))
    rollback.queue(release)
    end_of(rollback)
    (tmp_path / "rollback" / f"{ID}.result").write_text(contents)
    rollback.queue(release)
    (seen,) = rollback.observe(named(ID))
    assert (RollbackState.UNKNOWN, "done\n") == (seen.state, seen.output)
    assert f"the rollback command was interrupted ({ID}.result: " in seen.detail
    assert 1 == lines(tmp_path / "ran")


def test_started_that_is_a_link(rollback: EmbeddedRollback, tmp_path: Path) -> None:
    """Whatever stands under the name of ID.started, the command is not run."""
    write_claim(tmp_path / "rollback", appends(tmp_path / "ran"))
    (tmp_path / "rollback" / f"{ID}.started").symlink_to("nowhere")
    rollback.queue(failed_release(appends(tmp_path / "ran")))
    assert [RollbackState.UNKNOWN] == [seen.state for seen in rollback.observe(named(ID))]
    assert ({}, 0) == (rollback._alive, lines(tmp_path / "ran"))


@pytest.mark.parametrize(
    ("version", "planned", "why"),
    [
        ("2\0", True, "version: holds a NUL"),
        ("x" * 4096, True, f"facts of {ID}: larger than 4096 bytes"),
        ("2.0", False, "job import: has no rollback command"),
    ],
)
def test_release_that_can_not_be_rolled_back(
    rollback: EmbeddedRollback, tmp_path: Path, version: str, why: str, *, planned: bool
) -> None:
    """What will never work is a failed rollback, not one that is tried every 30 s for ever."""
    rollback.queue(failed_release(("true",), version=version, planned=planned))
    (seen,) = rollback.observe(named(ID))
    assert (RollbackState.FAILED, f"the rollback command was not run: {why}") == (seen.state, seen.detail)
    assert ([], frozenset({ID})) == (os.listdir(tmp_path / "rollback"), rollback.claimed([ID]))


def test_missing_command(rollback: EmbeddedRollback) -> None:
    """One attempt, failed, with the name and the reason."""
    rollback.queue(failed_release(("/nonexistent/rollback",)))
    seen = end_of(rollback)
    why = "the rollback command was not run: /nonexistent/rollback: No such file or directory"
    assert (RollbackState.FAILED, why) == (seen.state, seen.detail)


def test_no_state_directory(tmp_path: Path) -> None:
    """The error names the directory and what is wrong with it."""
    with pytest.raises(RollbackError, match="/nothing/rollback-queue: No such file or directory"):
        EmbeddedRollback(tmp_path / "nothing", now)


@pytest.mark.parametrize("name", ["rollback-queue", "rollback"])
def test_directory_that_went_away(rollback: EmbeddedRollback, tmp_path: Path, name: str) -> None:
    """A directory that somebody removed is an error to be tried again, and then the rollback runs."""
    (tmp_path / name).rmdir()
    release = failed_release(appends(tmp_path / "ran"))
    with pytest.raises(RollbackError, match=f"/{name}: No such file or directory"):
        rollback.queue(release)
    (tmp_path / name).mkdir()
    rollback.queue(release)
    assert (RollbackState.SUCCEEDED, 1) == (end_of(rollback).state, lines(tmp_path / "ran"))


@pytest.fixture
def powerless() -> Iterator[Path]:
    """A directory that everybody may enter, and a test that is not root."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        was_root = os.geteuid() == 0
        if was_root:
            os.chown(path, 65534, 65534)
            os.seteuid(65534)
        try:
            yield path
        finally:
            if was_root:
                os.seteuid(0)


@pytest.mark.parametrize("name", ["rollback-queue", "rollback"])
def test_directory_that_is_read_only(powerless: Path, name: str) -> None:
    """The error names the directory, says what to do, and nothing was started."""
    rollback = EmbeddedRollback(powerless, now)
    (powerless / name).chmod(0o500)
    with pytest.raises(RollbackError, match=f"/{name}: Permission denied") as caught:
        rollback.queue(failed_release(appends(powerless / "ran")))
    assert "the user that runs the daemon must be able to write there, and the disk must have room" == caught.value.hint
    assert ({}, []) == (rollback._alive, rollback.observe(named(ID)))


def test_unreadable_claims(powerless: Path) -> None:
    """What can't be read now is an error, not a verdict on the rollback."""
    rollback = EmbeddedRollback(powerless, now)
    write_claim(powerless / "rollback", ["true"])
    (powerless / "rollback" / f"{ID}.claim").chmod(0)
    with pytest.raises(RollbackError, match="/rollback: Permission denied"):
        rollback.observe(named(ID))
    with pytest.raises(RollbackError, match="/rollback: Permission denied"):
        rollback.claimed([ID])
