"""Who may do what on a booted machine: the group of release scripts, others, and users that forge records of PID 1."""

from __future__ import annotations

import json

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    CLAIMS,
    STATE,
    Job,
    assert_counts_equal,
    assert_rolled_back_once,
    configure,
    deploy,
    times_rolled_back,
)

FORGED = """\
MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c
MESSAGE=worker.service: Failed with result 'exit-code'.
PRIORITY=3
UNIT=worker.service
UNIT_RESULT=exit-code
INVOCATION_ID=00000000000000000000000000000001
_PID=1
_SYSTEMD_UNIT=worker.service
"""
FORGED_CORE = """\
MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1
MESSAGE=Process 4711 (worker) of user 0 dumped core.
COREDUMP_UNIT=worker.service
OBJECT_SYSTEMD_UNIT=worker.service
_UID=0
"""
FORGED_LOSS = """\
MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e
MESSAGE=Suppressed 4711 messages from worker.service
OBJECT_SYSTEMD_UNIT=worker.service
N_DROPPED=4711
_TRANSPORT=driver
"""


@pytest.fixture(scope="module", autouse=True)
def _people(machine: Machine) -> None:
    machine.run("useradd", "--create-home", "--groups", "release-watcher-deploy", "deployer")
    machine.run("useradd", "--create-home", "mallory")
    configure(machine, Job(name="worker"), Job(name="deployed"), Job(name="site"))
    machine.unit("worker.service", "[Service]\nType=oneshot\nExecStart=/bin/echo works\n")
    machine.unit("deployed.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")


def test_release_script_of_the_deploy_group(machine: Machine) -> None:
    """A user of the group registers and waits for the end; the record names the user."""
    deploy(machine, "deployed", "2.0")
    words = ("watcher", "release", "start", "deployed", "--version", "2.0", "--previous", "1.0")
    release = machine.run_as("deployer", *words).stdout.strip()
    machine.run("systemctl", "start", "deployed.service", check=False)

    code = machine.run_as("deployer", "watcher", "release", "wait", release, "--timeout", "60s", check=False).returncode
    assert 1 == code
    found = assert_rolled_back_once(machine, release)
    assert "deployer" in json.dumps(found)
    note = machine.run_as("deployer", "watcher", "release", "note", release).stdout
    assert release in note


def test_release_script_from_the_examples(machine: Machine) -> None:
    """The script that the package ships deploys, waits, says what came of it, and ends with the release's code."""
    machine.run("install", "-d", "-o", "deployer", "/srv/site")
    machine.unit("site.timer", "[Timer]\nOnActiveSec=0\nOnUnitInactiveSec=300ms\nAccuracySec=10ms\n")
    machine.unit("site.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c '! grep ^2.0 /srv/site/version'\n")
    machine.run("systemctl", "start", "site.timer")

    script = ("env", "RELEASE_TIMEOUT=30s", "bash", "/usr/share/doc/release-watcher/examples/release.sh", "site", "2.0")
    said = machine.run_as("deployer", *script, "--", "sh", "-c", "echo 2.0 >/srv/site/version", check=False)

    assert 1 == said.returncode, said
    assert "site 2.0: failed, and was rolled back" in said.stderr
    listed = json.loads(machine.http("/api/v1/releases")[1])["releases"]
    assert_rolled_back_once(machine, next(found["id"] for found in listed if found["job"] == "site"))


def test_user_outside_of_the_group(machine: Machine) -> None:
    """Refused with exit code 77 by the socket's mode: nothing is registered, and nothing of the records can be read."""
    before = machine.http("/api/v1/releases")[1]
    words = ("watcher", "release", "start", "worker", "--version", "6.6")
    refused = machine.run_as("mallory", *words, check=False)
    assert 77 == refused.returncode
    assert "release-watcher-deploy" in refused.stderr
    assert before == machine.http("/api/v1/releases")[1]
    for directory in (STATE, CLAIMS):
        assert 0 != machine.run_as("mallory", "ls", directory, check=False).returncode


def test_records_of_pid_1_that_a_user_forges(machine: Machine) -> None:
    """`logger --journald` of a user with the fields of a failed unit: no count, no verdict, no rollback."""
    release = machine.watcher("release", "start", "worker", "--version", "2.0", "--previous", "1.0").stdout.strip()
    before = machine.metrics()
    for text in (FORGED, FORGED_CORE, FORGED_LOSS):
        for _ in range(5):
            machine.run_as("mallory", "logger", "--journald", text=text)
    machine.run("systemctl", "start", "worker.service")

    # The honest run comes after the forged records, so these have been read once it is counted.
    assert assert_counts_equal(machine, "worker", "worker.service") > 0
    forged = machine.journal(f"_UID={machine.out('id', '-u', 'mallory')}", "_TRANSPORT=journal")
    assert 15 == sum("MESSAGE_ID" in entry for entry in forged)
    after = machine.metrics()
    for name in (
        "watcher_rule_matches_total{job_name=worker,rule=unit-failed,severity=critical}",
        "watcher_runs_total{job_name=worker,outcome=failed}",
        "watcher_release_verdicts_total{job_name=worker,verdict=failed}",
        "watcher_journal_gaps_total{reason=dropped}",
    ):
        assert before.get(name) == after.get(name)
    assert "watching" == machine.release(release)["phase"]
    assert 0 == times_rolled_back(machine, release)


def test_user_of_the_group_can_not_choose_the_command(machine: Machine) -> None:
    """What root runs comes from root's configuration; the daemon's own user can write nothing of it."""
    for path in (
        "/etc/release-watcher/watcher.yaml",
        "/etc/release-watcher/conf.d/jobs.yaml",
        "/usr/local/bin/rollback",
    ):
        for user in ("deployer", "release-watcher"):
            assert 0 != machine.run_as(user, "sh", "-c", f"echo >>{path}", check=False).returncode
    assert 0 != machine.run_as("release-watcher", "touch", f"{CLAIMS}/x.claim", check=False).returncode
    found = machine.out(
        "find",
        "/opt/release-watcher",
        "/etc/release-watcher",
        "-not",
        "-user",
        "root",
        "-o",
        "-perm",
        "/022",
        "-not",
        "-type",
        "l",
    )
    assert "" == found
