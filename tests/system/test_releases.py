"""Releases that break a job in each way that systemd knows, on a booted machine: each rolled back, once, by PID 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    DEBIAN,
    Job,
    assert_counts_equal,
    assert_rolled_back_once,
    configure,
    deploy,
    register,
    wait_for,
)

JOBS = (
    Job(name="shop"),
    Job(name="nightly", fail_when="matches: {severity: critical, count: 2}"),
    Job(name="shard", units=("shard@*.service",)),
    Job(name="segfault", fail_when="matches: {rule: unit-failed}"),
    Job(name="coredump", fail_when="matches: {rule: core-dump}"),
    Job(name="hungry"),
    Job(name="silent", fail_when="matches: {rule: watchdog}"),
    Job(name="looping", fail_when="matches: {rule: unit-failed, count: 3}"),
    Job(name="slow", fail_when="matches: {rule: timeout}"),
    Job(name="stuck", command="/bin/false"),
)

# A program of version 2 fails; every other version works.
SHOP = """\
#!/usr/bin/python3
import signal
if open("/opt/shop/version").read().strip() == "2.0":
    raise KeyError("a table that version 2 forgot")
print("serving", flush=True)
signal.pause()
"""
COREDUMP = """\
#!/usr/bin/python3
# What the kernel does for |/lib/systemd/systemd-coredump %P %u %g %s %t %c %h: a container has no core_pattern.
import os, resource, signal, socket, subprocess, time
words = [os.getpid(), os.getuid(), os.getgid(), int(signal.SIGSEGV), int(time.time()), 2**63, socket.gethostname()]
if open("/opt/coredump/version").read().strip() == "2.0":
    subprocess.run(["/lib/systemd/systemd-coredump", *map(str, words)], input=b"no core", check=True)
    os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    configure(machine, *JOBS)
    for job in JOBS:
        deploy(machine, job.name, "1.0")


def oneshot(machine: Machine, name: str, command: str, *lines: str) -> None:
    """A job that fails once version 2.0 is there."""
    guarded = f"if grep -q ^2.0 /opt/{name}/version; then {command}; else echo fine; fi"
    machine.unit(
        f"{name}.service",
        "\n".join(["[Service]", "Type=oneshot", *lines, f"ExecStart=/bin/sh -c '{guarded}'", ""]),
    )


def test_release_of_a_service_that_crashes(machine: Machine) -> None:
    """The service is restarted by the release and dies; PID 1 runs the rollback, and the service serves again."""
    machine.write("/usr/local/bin/shop", SHOP, mode=0o755)
    machine.unit("shop.service", "[Service]\nExecStart=/usr/local/bin/shop\n")
    deploy(machine, "shop", "1.0", unit="shop.service")
    machine.run("systemctl", "start", "shop.service")
    machine.until("version 1 serves", lambda: machine.journal("--unit=shop.service", "_COMM=shop"))

    deploy(machine, "shop", "2.0")
    release = register(machine, "shop", "--reason", "new tables", "--owner", "shop-team@example.com")
    machine.run("systemctl", "restart", "shop.service")

    found = assert_rolled_back_once(machine, release)
    assert "shop-team@example.com" == found["owner"]
    assert "1.0" == machine.out("cat", "/opt/shop/version")
    assert "active" == machine.state_of("shop.service")
    assert 1 <= machine.metric("watcher_rule_matches_total", job_name="shop", rule="traceback", severity="error")
    assert_counts_equal(machine, "shop", "shop.service")


def test_audit_trail_of_a_release(machine: Machine) -> None:
    """`journalctl WATCHER_RELEASE_ID=…` tells the whole story of a release, and the catalog explains each step."""
    release = next(found["id"] for found in _releases(machine) if found["job"] == "shop")
    trail = machine.journal(f"WATCHER_RELEASE_ID={release}", "SYSLOG_IDENTIFIER=release-watcher")
    states = [entry["WATCHER_STATE"] for entry in trail if "WATCHER_STATE" in entry]
    assert ["watching", "failed", "queued"] == states[:3]
    assert "succeeded" in states
    assert ["failed"] == [entry["WATCHER_VERDICT"] for entry in trail if "WATCHER_VERDICT" in entry]
    assert {"shop"} == {entry["WATCHER_JOB"] for entry in trail if "WATCHER_STATE" in entry}
    assert machine.journal(f"WATCHER_RELEASE_ID={release}", "SYSLOG_IDENTIFIER=release-watcher-dispatcher")
    explained = machine.out("journalctl", "--catalog", "--no-pager", f"WATCHER_RELEASE_ID={release}")
    assert "Subject: A release has failed" in explained


def test_release_of_a_oneshot_that_a_timer_starts(machine: Machine) -> None:
    """Its runs begin to fail at the timer's pace; the second failed run fails the release."""
    oneshot(machine, "nightly", "echo cannot load; exit 3")
    machine.unit("nightly.timer", "[Timer]\nOnActiveSec=0\nOnUnitActiveSec=500ms\nAccuracySec=10ms\n")
    machine.run("systemctl", "start", "nightly.timer")
    machine.until("a good run", lambda: machine.journal("--unit=nightly.service", "JOB_RESULT=done"))

    deploy(machine, "nightly", "2.0")
    release = register(machine, "nightly")

    assert_rolled_back_once(machine, release)
    machine.run("systemctl", "stop", "nightly.timer")
    assert_counts_equal(machine, "nightly", "nightly.service")


def test_release_of_a_template_of_which_one_instance_fails(machine: Machine) -> None:
    """All instances are one job: the failure of one is enough, and every one is counted."""
    machine.unit("shard@.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo %i; test %i != us'\n")
    release = register(machine, "shard")
    for instance, code in (("eu", 0), ("asia", 0), ("us", 1)):
        assert code == machine.run("systemctl", "start", f"shard@{instance}.service", check=False).returncode

    assert_rolled_back_once(machine, release)
    assert_counts_equal(machine, "shard", "shard@eu.service", "shard@asia.service", "shard@us.service")


def test_release_that_segfaults(machine: Machine) -> None:
    """Killed by a signal, no core, no systemd-coredump: PID 1's record of the failed unit is enough."""
    oneshot(machine, "segfault", "kill -SEGV $$$$", "LimitCORE=0")
    release = register(machine, "segfault")
    deploy(machine, "segfault", "2.0")
    machine.run("systemctl", "start", "segfault.service", check=False)

    assert_rolled_back_once(machine, release)
    assert_counts_equal(machine, "segfault", "segfault.service")


@pytest.mark.xfail(
    DEBIAN == "trixie",
    reason="systemd 257's journalctl also shows what the user systemd-coredump reports (README, Not yet)",
)
def test_release_whose_core_systemd_coredump_took(machine: Machine) -> None:
    """The report of systemd-coredump belongs to the job, as in `journalctl -u`, and the crash is counted once."""
    machine.write("/usr/local/bin/coredump", COREDUMP, mode=0o755)
    machine.unit(
        "coredump.service",
        "[Service]\nType=oneshot\nLimitCORE=infinity\nWorkingDirectory=/tmp\nExecStart=/usr/local/bin/coredump\n",
    )
    release = register(machine, "coredump")
    deploy(machine, "coredump", "2.0")
    machine.run("systemctl", "start", "coredump.service", check=False)

    assert_rolled_back_once(machine, release)
    machine.until("systemd-coredump reports it", lambda: machine.journal("COREDUMP_UNIT=coredump.service"))
    assert_counts_equal(machine, "coredump", "coredump.service")
    assert 1 == machine.metric("watcher_rule_matches_total", job_name="coredump", rule="core-dump", severity="critical")


def test_release_that_eats_its_memory(machine: Machine) -> None:
    """The kernel kills it at the limit of its cgroup."""
    with memory_limit(machine, "hungry") as (join, lines):
        oneshot(machine, "hungry", join + 'exec /usr/bin/python3 -c "bytearray(1 << 28)"', *lines)
        release = register(machine, "hungry")
        deploy(machine, "hungry", "2.0")
        machine.run("systemctl", "start", "hungry.service", check=False)

        assert_rolled_back_once(machine, release)
    assert "9" == machine.show("hungry.service", "ExecMainStatus")
    assert_counts_equal(machine, "hungry", "hungry.service")


def test_release_that_misses_its_watchdog(machine: Machine) -> None:
    """It is ready, then says nothing more; PID 1 kills it."""
    machine.unit(
        "silent.service",
        "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=300ms\nLimitCORE=0\n"
        "ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep 60'\n",
    )
    release = register(machine, "silent")
    machine.run("systemctl", "start", "silent.service", check=False)

    assert_rolled_back_once(machine, release)
    assert_counts_equal(machine, "silent", "silent.service")


def test_release_that_loops_into_the_start_limit(machine: Machine) -> None:
    """Each turn is one failed run; the second record of the last run, written at the limit, is not counted."""
    machine.unit(
        "looping.service",
        "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=3\n"
        "[Service]\nRestart=on-failure\nRestartSec=0\nExecStart=/bin/false\n",
    )
    release = register(machine, "looping")
    machine.run("systemctl", "start", "looping.service", check=False)

    assert_rolled_back_once(machine, release)
    machine.until("the limit is hit", lambda: machine.state_of("looping.service") == "failed")
    assert_counts_equal(machine, "looping", "looping.service")
    assert 3 == machine.metric(
        "watcher_rule_matches_total", job_name="looping", rule="unit-failed", severity="critical"
    )


def test_release_that_does_not_start_in_time(machine: Machine) -> None:
    """The start job times out and the unit is killed."""
    machine.unit("slow.service", "[Service]\nType=oneshot\nTimeoutStartSec=300ms\nExecStart=/bin/sleep 60\n")
    release = register(machine, "slow")
    machine.run("systemctl", "start", "slow.service", check=False)

    assert_rolled_back_once(machine, release)
    assert_counts_equal(machine, "slow", "slow.service")


def _releases(machine: Machine) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(machine.http("/api/v1/releases")[1])["releases"]
    return found


@contextmanager
def memory_limit(machine: Machine, name: str) -> Iterator[tuple[str, list[str]]]:
    """A limit of 32 MiB: what the program does first, and lines of its unit.

    PID 1 sets the limit where it has the controller; else the program goes into a cgroup v1 that is made here.
    """
    if "memory" in machine.out("cat", "/sys/fs/cgroup/cgroup.controllers").split():
        yield "", ["MemoryMax=32M", "MemorySwapMax=0"]
        return
    machine.run("mount", "-t", "cgroup", "-o", "memory", "cgroup", "/mnt")
    group = f"/mnt/release-watcher-{machine.name}-{name}"
    try:
        machine.run("sh", "-c", f"mkdir {group} && echo 32M >{group}/memory.limit_in_bytes")
        yield f"echo $$$$ >{group}/cgroup.procs && ", []
    finally:
        machine.run("rmdir", group)
        machine.run("umount", "/mnt")


def test_rollback_that_fails_is_a_failed_unit(machine: Machine) -> None:
    """`systemctl --failed` shows it until it is reset, also after another start; the path unit goes on watching."""
    oneshot(machine, "stuck", "exit 3")
    deploy(machine, "stuck", "2.0")
    release = register(machine, "stuck")
    machine.run("systemctl", "start", "stuck.service", check=False)
    assert 2 == wait_for(machine, release), machine.release(release)

    unit = f"release-watcher-rollback@{release}.service"
    for _ in range(2):
        machine.until("the unit has ended", lambda: machine.state_of(unit) == "failed")
        assert unit in machine.out("systemctl", "--failed", "--plain", "--no-legend")
        assert ("exit-code", "2") == (machine.show(unit, "Result"), machine.show(unit, "ExecMainStatus"))
        machine.run("systemctl", "start", unit, check=False)
    found = machine.release(release)["rollback"]
    assert ("failed", 1) == (found["state"], found["exit_code"])
    assert 1 == machine.metrics()["watcher_rollback_failures_total{job_name=stuck}"]
    assert "active" == machine.state_of("release-watcher-rollback.path")

    machine.run("systemctl", "reset-failed", unit)
    assert unit not in machine.out("systemctl", "--failed", "--plain", "--no-legend")
