"""The rollback queue and root's configuration in the hands of somebody who means ill: refused, and still at work."""

from __future__ import annotations

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    CLAIMS,
    QUEUE,
    Job,
    assert_rolled_back_once,
    configure,
    register,
    times_rolled_back,
    wait_for,
)

PATH_UNIT = "release-watcher-rollback.path"
JOBS = (Job(name="honest"), Job(name="disarmed"), Job(name="writable"))


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    configure(machine, *JOBS)
    for job in JOBS:
        machine.unit(f"{job.name}.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")


def emptied(machine: Machine) -> None:
    """The queue is empty, nothing of it was started, and the path unit goes on watching."""
    machine.until("the queue is empty", lambda: not list(machine.path(QUEUE).iterdir()), patience=60)
    machine.until(
        "the dispatcher has ended", lambda: machine.state_of("release-watcher-rollback.service") == "inactive"
    )
    assert "active" == machine.state_of(PATH_UNIT)
    assert not list(machine.path(CLAIMS).glob("*.claim"))


def complaints(machine: Machine) -> str:
    """What the dispatcher said."""
    return machine.out("journalctl", "--no-pager", "-o", "cat", "SYSLOG_IDENTIFIER=release-watcher-dispatcher")


def order(release: str, job: str = "honest") -> str:
    """A queue file as the daemon writes it."""
    return f'{{"id": "{release}", "job": "{job}", "version": "2.0", "previous": "1.0", "reason_code": "matches"}}'


def test_queue_with_links_and_foreign_files(machine: Machine) -> None:
    """Symbolic links, hard links, fifos, directories, bad names and files of other users are refused and taken away."""
    orders = [
        ("link", f"ln -s /etc/shadow {QUEUE}/link"),
        ("hard", f"ln /etc/hostname {QUEUE}/hard"),
        ("fifo", f"mkfifo {QUEUE}/fifo"),
        ("directory", f"mkdir {QUEUE}/directory"),
        ("name", f"touch {QUEUE}/'a b;reboot'"),
        ("device", f"mknod {QUEUE}/device c 1 3"),
        ("foreign", f"echo '{order('foreign')}' >{QUEUE}/foreign && chown nobody {QUEUE}/foreign"),
        ("garbage", f"echo 'not an order' >{QUEUE}/garbage && chown release-watcher {QUEUE}/garbage"),
    ]
    for name, command in orders:
        machine.run("sh", "-c", f"echo vm >/etc/hostname; {command}")
        emptied(machine)
        assert name in complaints(machine) or name == "name"
    assert machine.path("/etc/shadow").exists()
    assert "a b" in complaints(machine)


def test_queue_with_a_huge_file(machine: Machine) -> None:
    """A file of a gigabyte is refused by its size, without being read."""
    machine.run("sh", "-c", f"truncate -s 1G {QUEUE}/huge && chown release-watcher {QUEUE}/huge")
    emptied(machine)
    assert "huge" in complaints(machine)


def test_queue_with_ten_thousand_files(machine: Machine) -> None:
    """All are taken away in one go or a few; the journal is not flooded, and the path unit stays alive."""
    before = len(complaints(machine).splitlines())
    machine.run("systemctl", "stop", "release-watcher-rollback.path")  # else each look finds what was made meanwhile
    machine.run("sh", "-c", f"cd {QUEUE} && seq -f 'many-%.0f' 10000 | xargs touch")
    machine.run("systemctl", "start", "release-watcher-rollback.path")
    emptied(machine)
    assert len(complaints(machine).splitlines()) - before < 1000


def test_order_of_the_daemon_after_all_that(machine: Machine) -> None:
    """An honest release is still rolled back."""
    release = register(machine, "honest")
    machine.run("systemctl", "start", "honest.service", check=False)
    assert_rolled_back_once(machine, release)


def test_configuration_that_its_group_may_write(machine: Machine) -> None:
    """Root's dispatcher takes no command from it: held with the reason, and not run until a person mends it."""
    release = register(machine, "writable")
    machine.run("chmod", "g+w", "/etc/release-watcher/conf.d/jobs.yaml")
    machine.run("systemctl", "start", "writable.service", check=False)

    assert 2 == wait_for(machine, release)
    found = machine.release(release)
    assert "held" == found["rollback"]["state"]
    assert 0 == times_rolled_back(machine, release)
    assert "jobs.yaml" in complaints(machine)
    assert "active" == machine.state_of(PATH_UNIT)

    machine.run("chmod", "g-w", "/etc/release-watcher/conf.d/jobs.yaml")
    machine.watcher("release", "rollback", release, "--reason", "mended")
    assert_rolled_back_once(machine, release)


def test_off_switch_without_a_daemon(machine: Machine) -> None:
    """While the file `disarm` exists nothing is run, whoever asks; the release says why."""
    machine.write("/etc/release-watcher/disarm", "")
    release = register(machine, "disarmed")
    machine.run("systemctl", "start", "disarmed.service", check=False)
    assert 2 == wait_for(machine, release)
    assert "disarm" in machine.watcher("release", "show", release).stdout
    assert 0 == times_rolled_back(machine, release)

    machine.path("/etc/release-watcher/disarm").unlink()
    machine.watcher("release", "rollback", release, "--reason", "armed again")
    assert_rolled_back_once(machine, release)
