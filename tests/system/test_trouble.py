"""Machines on which the daemon can't work: it says so, loses nothing, and goes on when a person has mended it."""

from __future__ import annotations

from collections.abc import Callable

from tests.parts.machine import Machine
from tests.parts.stage import (
    STATE,
    Job,
    assert_counts_equal,
    assert_rolled_back_once,
    configure,
    ready,
    register,
)

JOB = Job(name="job")
FAILING = "[Service]\nType=oneshot\nExecStart=/bin/false\n"
FILLER = f"{STATE}/filler"


def wait_for_complaint(machine: Machine, word: str) -> None:
    """Wait until /-/ready is 503 with this word in its reason."""

    def complains() -> bool:
        status, text = machine.tcp("/-/ready")
        assert status == 503, text
        return word in text

    machine.until(f"/-/ready speaks of {word}", complains, patience=60)


def start_anew(machine: Machine) -> None:
    """Restart the daemon without waiting until it is ready; the one before answers no more."""
    machine.run("systemctl", "stop", "release-watcher.service")
    machine.run("systemctl", "start", "--no-block", "release-watcher.service")


def test_machine_that_stores_no_journal(boot: Callable[[str], Machine]) -> None:
    """With Storage=none nothing can be seen: not ready, with the reason; once it is stored again, all is well."""
    machine = boot("no-storage")
    machine.write("/etc/systemd/journald.conf.d/none.conf", "[Journal]\nStorage=none\n")
    machine.run("systemctl", "restart", "systemd-journald.service")
    start_anew(machine)
    wait_for_complaint(machine, "Storage=none")
    assert "active" != machine.state_of("release-watcher.service")

    machine.path("/etc/systemd/journald.conf.d/none.conf").unlink()
    machine.run("systemctl", "restart", "systemd-journald.service")
    ready(machine)


def test_daemon_without_the_group_of_the_journal(boot: Callable[[str], Machine]) -> None:
    """Who may not read the journal sees an empty one: not ready, with the reason, never a healthy zero."""
    machine = boot("no-group")
    machine.run("gpasswd", "--delete", "release-watcher", "systemd-journal")
    drop_in = "/etc/systemd/system/release-watcher.service.d/no-group.conf"
    machine.write(drop_in, "[Service]\nSupplementaryGroups=\n")
    machine.run("systemctl", "daemon-reload")
    start_anew(machine)
    wait_for_complaint(machine, "systemd-journal")

    machine.path(drop_in).unlink()
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "release-watcher.service")
    ready(machine)


def test_state_directory_that_is_full(boot: Callable[[str], Machine]) -> None:
    """What is held back lasts for one registration; then it is refused. Nothing that was logged meanwhile is lost."""
    machine = boot("full-disk")
    machine.run("systemctl", "stop", "release-watcher.service")
    owner = machine.out("id", "-u", "release-watcher")
    machine.run("mount", "-t", "tmpfs", "-o", f"size=4M,mode=0700,uid={owner},gid={owner}", "tmpfs", STATE)
    machine.run("systemctl", "start", "release-watcher.service")
    configure(machine, JOB)
    machine.unit("job.service", FAILING)
    machine.unit("chatter.service", "[Service]\nType=oneshot\nExecStart=/bin/echo hello\n")
    machine.run("sh", "-c", f"cat /dev/zero >{FILLER} || true")

    release = register(machine, "job")
    machine.run("sh", "-c", f"cat /dev/zero >>{FILLER} || true")
    refused = machine.watcher("release", "start", "job", "--version", "2.1", check=False)
    assert 75 == refused.returncode
    assert "make room" in refused.stderr
    machine.run("systemctl", "start", "job.service", check=False)
    machine.until("it is not ready", lambda: machine.tcp("/-/ready")[0] == 503)
    assert "active" == machine.state_of("release-watcher.service")

    machine.path(FILLER).unlink()
    ready(machine)
    assert_rolled_back_once(machine, release)
    assert_counts_equal(machine, "job", "job.service")
