"""The daemon is killed, restarted, down, misconfigured; the machine reboots. What was promised is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    LONG_ROLLBACK,
    QUEUE,
    Ground,
    Job,
    assert_counts_equal,
    assert_rolled_back_once,
    configure,
    drop_in,
    end_rollback,
    fail,
    ready,
    register,
    rollback_runs,
    times_rolled_back,
    wait_for,
)

DAEMON = "release-watcher.service"
JOBS = (
    Job(name="killed"),
    Job(name="orphaned"),
    Job(name="restarted", command=LONG_ROLLBACK),
    Job(name="reloaded"),
    Job(name="down"),
    Job(name="paused"),
    Job(name="rebooted"),
    Job(name="hung"),
    Job(name="hung-later", command=LONG_ROLLBACK),
    Job(name="upgraded", command=LONG_ROLLBACK),
    Job(name="meanwhile"),
)


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    configure(machine, *JOBS)
    for job in JOBS:
        machine.unit(f"{job.name}.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")


def test_daemon_killed_right_after_the_decision(machine: Machine) -> None:
    """Killed as soon as the order lies in the queue: the rollback runs, once, and the next daemon learns its end."""
    with drop_in(machine, DAEMON, "Environment=WATCHER_FAILPOINT=after_queue_file:kill"):
        machine.run("systemctl", "restart", DAEMON)
        ready(machine)
        release = register(machine, "killed")
        fail(machine, "killed")

        machine.until("the rollback ran", lambda: times_rolled_back(machine, release))
        machine.until("PID 1 starts it again", lambda: int(machine.show(DAEMON, "NRestarts")))
    machine.run("systemctl", "restart", DAEMON)
    ready(machine)
    assert_rolled_back_once(machine, release)


def test_rollback_that_is_queued_and_no_daemon(machine: Machine) -> None:
    """The order lies in the queue, the daemon is killed and stays down: PID 1 runs the command all the same."""
    machine.run("systemctl", "stop", "release-watcher-rollback.path")
    release = register(machine, "orphaned")
    fail(machine, "orphaned")
    machine.until("the order is in the queue", lambda: list(machine.path(QUEUE).glob(f"*{release}*")))
    machine.run("systemctl", "kill", "--signal=KILL", DAEMON)
    machine.run("systemctl", "stop", DAEMON)
    machine.run("systemctl", "start", "release-watcher-rollback.path")

    machine.until("the rollback ran", lambda: times_rolled_back(machine, release))
    assert "active" != machine.state_of(DAEMON)
    machine.run("systemctl", "start", DAEMON)
    assert_rolled_back_once(machine, release)


def test_daemon_restarted_while_a_rollback_runs(machine: Machine) -> None:
    """The command goes on under PID 1, is not started again, and the new daemon learns how it ended."""
    release = register(machine, "restarted")
    fail(machine, "restarted")
    pid = rollback_runs(machine, release)

    machine.run("systemctl", "restart", DAEMON)
    ready(machine)
    assert pid == rollback_runs(machine, release)
    assert "running" == machine.release(release)["rollback"]["state"]

    end_rollback(machine, release)
    assert_rolled_back_once(machine, release)


@contextmanager
def short_watchdog(machine: Machine) -> Iterator[None]:
    """A daemon that PID 1 looks after each three seconds."""
    with drop_in(machine, DAEMON, "WatchdogSec=3s"):
        machine.run("systemctl", "restart", DAEMON)
        ready(machine)
        yield
    machine.run("systemctl", "restart", DAEMON)
    ready(machine)


def hang(machine: Machine) -> str:
    """Stop the daemon where it stands; the process id of the one that hangs."""
    pid = machine.show(DAEMON, "MainPID")
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", DAEMON)
    return pid


def replaced(machine: Machine, hung: str) -> None:
    """Wait until PID 1 has ended the one that hangs and another is ready."""
    machine.until("PID 1 has another daemon", lambda: machine.show(DAEMON, "MainPID") not in ("0", hung))
    assert machine.journal("_PID=1", f"UNIT={DAEMON}", "UNIT_RESULT=watchdog")
    ready(machine)


def test_daemon_that_hangs_as_a_whole(machine: Machine) -> None:
    """PID 1's watchdog ends it and starts another one, which counts what came meanwhile, once, and acts on it."""
    with short_watchdog(machine):
        release = register(machine, "hung")
        hung = hang(machine)
        fail(machine, "hung")
        fail(machine, "hung")
        replaced(machine, hung)

        assert_rolled_back_once(machine, release)
        assert_counts_equal(machine, "hung", "hung.service")


def test_daemon_that_hangs_while_a_rollback_runs(machine: Machine) -> None:
    """The command goes on and is not started again; the daemon that PID 1 starts instead learns how it ended."""
    with short_watchdog(machine):
        release = register(machine, "hung-later")
        fail(machine, "hung-later")
        pid = rollback_runs(machine, release)
        replaced(machine, hang(machine))
        assert pid == rollback_runs(machine, release)

        end_rollback(machine, release)
        assert_rolled_back_once(machine, release)
        assert_counts_equal(machine, "hung-later", "hung-later.service")


def test_package_upgraded_while_a_rollback_runs(machine: Machine, ground: Ground) -> None:
    """The command lives and its end is taken over; the window of another job goes on and still sees a failure."""
    release, other = register(machine, "upgraded"), register(machine, "meanwhile")
    fail(machine, "upgraded")
    pid, daemon = rollback_runs(machine, release), machine.show(DAEMON, "MainPID")

    shutil.copy(ground.package, machine.path("/root"))
    machine.run("dpkg", "--install", f"/root/{ground.package.name}")
    ready(machine)
    assert daemon != machine.show(DAEMON, "MainPID")
    assert pid == rollback_runs(machine, release)
    assert "running" == machine.release(release)["rollback"]["state"]
    assert "watching" == machine.release(other)["phase"]

    end_rollback(machine, release)
    assert_rolled_back_once(machine, release)
    fail(machine, "meanwhile")
    assert_rolled_back_once(machine, other)


def test_reload_of_a_bad_configuration(machine: Machine) -> None:
    """`systemctl reload` fails, the errors are in the journal, the old configuration stays in use, the metric tells."""
    machine.write("/etc/release-watcher/conf.d/bad.yaml", "version: 1\njobs:\n  bad: {unit: [x.service]}\n")
    refused = machine.run("systemctl", "reload", DAEMON, check=False)
    assert 0 != refused.returncode
    assert "active" == machine.state_of(DAEMON)
    assert 0 == machine.metric("watcher_config_last_reload_successful")
    said = machine.out("journalctl", "--no-pager", "-o", "cat", "--unit=release-watcher.service")
    assert "/etc/release-watcher/conf.d/bad.yaml:3:9: jobs.bad.unit" in said

    release = register(machine, "reloaded")
    fail(machine, "reloaded")
    assert_rolled_back_once(machine, release)

    machine.path("/etc/release-watcher/conf.d/bad.yaml").unlink()
    machine.run("systemctl", "reload", DAEMON)
    assert 1 == machine.metric("watcher_config_last_reload_successful")


def test_release_that_is_registered_while_the_daemon_is_down(machine: Machine) -> None:
    """The socket is PID 1's: the registration starts the daemon and waits for its answer."""
    machine.run("systemctl", "stop", DAEMON)
    assert "inactive" == machine.state_of(DAEMON)

    release = register(machine, "down")

    machine.until("the service is up", lambda: machine.state_of(DAEMON) == "active")
    fail(machine, "down")
    assert_rolled_back_once(machine, release)


def test_threshold_crossed_while_paused(machine: Machine) -> None:
    """The release fails and its rollback is held; a person orders it later, and it runs once."""
    machine.watcher("pause", "--reason", "night of the big move")
    assert 1 == machine.metric("watcher_paused", job_name="paused")
    release = register(machine, "paused")
    fail(machine, "paused")
    assert 2 == wait_for(machine, release)
    assert ("failed", "held") == _state(machine, release)
    assert 0 == times_rolled_back(machine, release)

    machine.watcher("resume")
    machine.watcher("release", "rollback", release, "--reason", "the move is over")
    machine.until("it was rolled back", lambda: _state(machine, release) == ("failed", "succeeded"))
    assert_rolled_back_once(machine, release)


def test_reboot_inside_a_window(machine: Machine) -> None:
    """The window goes on over the reboot, the counts too, and a failure afterwards is rolled back once."""
    release = register(machine, "rebooted")
    before = {name: value for name, value in machine.metrics().items() if "_entries_total" in name}
    machine.reboot()
    ready(machine)
    assert "watching" == machine.release(release)["phase"]
    after = machine.metrics()
    assert all(value <= after[name] for name, value in before.items())

    fail(machine, "rebooted")
    assert_rolled_back_once(machine, release)
    for job in JOBS:
        assert_counts_equal(machine, job.name, f"{job.name}.service")


def _state(machine: Machine, release: str) -> tuple[str, str]:
    found = machine.release(release)
    return found["phase"], found["rollback"]["state"]
