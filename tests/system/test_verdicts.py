"""Releases that no single line gives away, on a booted machine: judged by runs, by the past, and by other jobs."""

from __future__ import annotations

import time

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import Job, assert_rolled_back_once, configure, deploy, register, times_rolled_back, wait_for

CRITICAL = "matches: {severity: critical}"
JOBS = (
    Job(name="asleep", window="3s"),
    Job(name="flaky", fail_when="above_baseline: {severity: error, factor: 2, confidence: 0.95}"),
    Job(name="left", fail_when=CRITICAL, shared_cause="hold"),
    Job(name="right", fail_when=CRITICAL, shared_cause="hold"),
    Job(name="loader", fail_when="new_errors: {count: 3}", window="20s"),
)
HISTORY = 125.0
"""Seconds that a job must have been seen quiet before its failure is evidence of a shared cause."""
FLAKY = """\
#!/bin/sh
# Fails one run in five; from version 2.0 on four in five.
number=$(($(cat /opt/flaky/runs 2>/dev/null || echo 0) + 1))
echo $number >/opt/flaky/runs
if grep -q ^2.0 /opt/flaky/version; then test $((number % 5)) = 0; else test $((number % 5)) != 0; fi
"""
LOADER = """\
#!/bin/sh
# <3> is how a program tells journald that a line is an error.
echo "<3>shard $1 did not answer in $2 ms"
if grep -q ^2.0 /opt/loader/version; then echo "<3>cannot parse the header of batch $2"; fi
"""


@pytest.fixture(scope="module", autouse=True)
def watched_since(machine: Machine) -> float:
    """When the jobs began to be watched, by this machine's monotonic clock; the loader's past begins here as well."""
    configure(machine, *JOBS)
    for job in JOBS:
        deploy(machine, job.name, "1.0")
    machine.write("/usr/local/bin/loader", LOADER, mode=0o755)
    machine.unit("loader.service", "[Service]\nType=oneshot\nExecStart=/usr/local/bin/loader 7 205\n")
    run_often(machine, "loader.service", 4)
    return time.monotonic()


def run_often(machine: Machine, unit: str, times: int) -> None:
    """Start a oneshot so often, one run after the other."""
    machine.run("sh", "-c", f"for _ in $(seq {times}); do systemctl start {unit}; done", check=False)


def test_a_job_that_never_runs(machine: Machine) -> None:
    """Its timer does not elapse in the window: nothing failed and nothing is known, so it does not pass."""
    machine.unit("asleep.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
    machine.unit("asleep.timer", "[Timer]\nOnActiveSec=1d\n")
    machine.run("systemctl", "start", "asleep.timer")
    release = register(machine, "asleep")

    assert 3 == wait_for(machine, release)
    found = machine.release(release)
    assert "inconclusive" == found["verdict"]
    assert found["reasons"][0].startswith("no run seen")


def test_a_job_that_fails_more_often_than_before(machine: Machine) -> None:
    """One run in five failed before, four in five since: not one failure tells it, their share does."""
    machine.write("/usr/local/bin/flaky", FLAKY, mode=0o755)
    machine.unit(
        "flaky.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/usr/local/bin/flaky\n",
    )
    run_often(machine, "flaky.service", 100)
    deploy(machine, "flaky", "2.0")
    release = register(machine, "flaky")
    run_often(machine, "flaky.service", 100)

    found = assert_rolled_back_once(machine, release)
    assert "20 of 100 before" in found["reasons"][0], found["reasons"]


def test_a_full_disk_that_fails_two_jobs(machine: Machine, watched_since: float) -> None:
    """The job that was not released fails as well: the release failed, but its rollback waits for a person."""
    machine.run("mkdir", "-p", "/srv/small")
    machine.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/srv/small")
    for name in ("left", "right"):
        command = f"/bin/sh -ec 'head -c 4096 /dev/zero >/srv/small/{name}; rm /srv/small/{name}'"
        machine.unit(f"{name}.service", f"[Service]\nType=oneshot\nExecStart={command}\n")
        machine.run("systemctl", "start", f"{name}.service")
    time.sleep(max(HISTORY - (time.monotonic() - watched_since), 0.0))

    release = register(machine, "left")
    machine.run("dd", "if=/dev/zero", "of=/srv/small/full", "bs=1k", check=False)
    for name in ("right", "left"):
        assert 0 != machine.run("systemctl", "start", f"{name}.service", check=False).returncode

    assert 2 == wait_for(machine, release)
    found = machine.release(release)
    assert ("failed", "held") == (found["verdict"], found["rollback"]["state"])
    assert any("right" in reason for reason in found["reasons"]), found["reasons"]
    assert 0 == times_rolled_back(machine, release)


def test_a_new_kind_of_error_three_times(machine: Machine) -> None:
    """Errors that were there before count for nothing, however often; a kind that never was counts from the first."""
    release = register(machine, "loader")
    run_often(machine, "loader.service", 4)
    assert "watching" == machine.release(release)["phase"]

    deploy(machine, "loader", "2.0")
    run_often(machine, "loader.service", 3)
    found = assert_rolled_back_once(machine, release)
    assert "new" in found["reasons"][0]
