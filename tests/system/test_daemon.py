"""The daemon is killed, restarted, down, misconfigured; the machine reboots. What was promised is kept."""

from __future__ import annotations

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    QUEUE,
    RAN,
    Job,
    assert_counts_equal,
    assert_rolled_back_once,
    configure,
    ready,
    register,
    times_rolled_back,
    wait_for,
)

# Waits until a file is there, so that a test can do things while the rollback runs.
LONG_ROLLBACK = f"""\
#!/bin/sh
cat >/dev/null
echo "$WATCHER_RELEASE_ID" >>{RAN}
touch /run/rollback-runs
until [ -e /run/rollback-may-end ]; do sleep 0.05; done
"""
JOBS = (
    Job(name="killed"),
    Job(name="orphaned"),
    Job(name="restarted", command="/usr/local/bin/long-rollback"),
    Job(name="reloaded"),
    Job(name="down"),
    Job(name="paused"),
    Job(name="rebooted"),
)


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    machine.write("/usr/local/bin/long-rollback", LONG_ROLLBACK, mode=0o755)
    configure(machine, *JOBS)
    for job in JOBS:
        machine.unit(f"{job.name}.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")


def fail(machine: Machine, job: str) -> None:
    """One failed run."""
    machine.run("systemctl", "start", f"{job}.service", check=False)


def test_daemon_killed_right_after_the_decision(machine: Machine) -> None:
    """Killed as soon as the order lies in the queue: the rollback runs, once, and the next daemon learns its end."""
    drop_in = "/etc/systemd/system/release-watcher.service.d/failpoint.conf"
    machine.write(drop_in, "[Service]\nEnvironment=WATCHER_FAILPOINT=after_queue_file:kill\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "release-watcher.service")
    ready(machine)
    release = register(machine, "killed")
    fail(machine, "killed")

    machine.until("the rollback ran", lambda: times_rolled_back(machine, release))
    machine.until("PID 1 starts it again", lambda: int(machine.show("release-watcher.service", "NRestarts")))
    machine.path(drop_in).unlink()
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "release-watcher.service")
    ready(machine)
    assert_rolled_back_once(machine, release)


def test_rollback_that_is_queued_and_no_daemon(machine: Machine) -> None:
    """The order lies in the queue, the daemon is killed and stays down: PID 1 runs the command all the same."""
    machine.run("systemctl", "stop", "release-watcher-rollback.path")
    release = register(machine, "orphaned")
    fail(machine, "orphaned")
    machine.until("the order is in the queue", lambda: list(machine.path(QUEUE).glob(f"*{release}*")))
    machine.run("systemctl", "kill", "--signal=KILL", "release-watcher.service")
    machine.run("systemctl", "stop", "release-watcher.service")
    machine.run("systemctl", "start", "release-watcher-rollback.path")

    machine.until("the rollback ran", lambda: times_rolled_back(machine, release))
    assert "active" != machine.state_of("release-watcher.service")
    machine.run("systemctl", "start", "release-watcher.service")
    assert_rolled_back_once(machine, release)


def test_daemon_restarted_while_a_rollback_runs(machine: Machine) -> None:
    """The command goes on under PID 1, is not started again, and the new daemon learns how it ended."""
    release = register(machine, "restarted")
    fail(machine, "restarted")
    machine.until("the rollback runs", lambda: machine.path("/run/rollback-runs").exists())
    unit = f"release-watcher-rollback@{release}.service"
    pid = machine.show(unit, "MainPID")

    machine.run("systemctl", "restart", "release-watcher.service")
    ready(machine)
    assert pid == machine.show(unit, "MainPID")
    assert "running" == machine.release(release)["rollback"]["state"]

    machine.write("/run/rollback-may-end", "")
    assert_rolled_back_once(machine, release)


def test_reload_of_a_bad_configuration(machine: Machine) -> None:
    """`systemctl reload` fails, the errors are in the journal, the old configuration stays in use, the metric tells."""
    machine.write("/etc/release-watcher/conf.d/bad.yaml", "version: 1\njobs:\n  bad: {unit: [x.service]}\n")
    refused = machine.run("systemctl", "reload", "release-watcher.service", check=False)
    assert 0 != refused.returncode
    assert "active" == machine.state_of("release-watcher.service")
    assert 0 == machine.metric("watcher_config_last_reload_successful")
    said = machine.out("journalctl", "--no-pager", "-o", "cat", "--unit=release-watcher.service")
    assert "/etc/release-watcher/conf.d/bad.yaml:3:9: jobs.bad.unit" in said

    release = register(machine, "reloaded")
    fail(machine, "reloaded")
    assert_rolled_back_once(machine, release)

    machine.path("/etc/release-watcher/conf.d/bad.yaml").unlink()
    machine.run("systemctl", "reload", "release-watcher.service")
    assert 1 == machine.metric("watcher_config_last_reload_successful")


def test_release_that_is_registered_while_the_daemon_is_down(machine: Machine) -> None:
    """The socket is PID 1's: the registration starts the daemon and waits for its answer."""
    machine.run("systemctl", "stop", "release-watcher.service")
    assert "inactive" == machine.state_of("release-watcher.service")

    release = register(machine, "down")

    machine.until("the service is up", lambda: machine.state_of("release-watcher.service") == "active")
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
