"""What the stories on a booted machine share: the package, jobs, releases, and what must hold at the end of each."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.machine import Machine

DEBIAN = os.environ.get("WATCHER_TEST_DEBIAN", "bookworm")
STATE = "/var/lib/release-watcher"
CLAIMS = "/var/lib/release-watcher-rollback"
QUEUE = f"{STATE}/rollback-queue"
ROLLBACK = "/usr/local/bin/rollback"
RAN = "/var/log/rollbacks"
LONG_ROLLBACK = "/usr/local/bin/long-rollback"

# What a site would configure: goes back to the version before, starts the job again, and writes down that it ran.
_ROLLBACK_PROGRAM = f"""\
#!/bin/sh
set -e
cat >/dev/null
echo "$WATCHER_RELEASE_ID" >>{RAN}
mkdir -p /opt/$WATCHER_JOB
echo "$WATCHER_PREVIOUS" >/opt/$WATCHER_JOB/version
if [ -e /opt/$WATCHER_JOB/unit ]; then systemctl restart "$(cat /opt/$WATCHER_JOB/unit)"; fi
"""

# Waits until a file is there, so that a test can do things while the rollback runs.
_LONG_PROGRAM = f"""\
#!/bin/sh
cat >/dev/null
echo "$WATCHER_RELEASE_ID" >>{RAN}
touch "/run/runs-$WATCHER_RELEASE_ID"
until [ -e "/run/may-end-$WATCHER_RELEASE_ID" ]; do sleep 0.05; done
"""


@dataclass(frozen=True)
class Ground:
    """What every machine stands on."""

    plain: Path
    """A minimal Debian, without the package."""
    package: Path
    """The .deb."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job in the configuration; its program reads /opt/NAME/version."""

    name: str
    units: tuple[str, ...] = ()
    fail_when: str = "matches: {severity: critical}"
    window: str = "15m"
    mode: str = "rollback"
    command: str = ROLLBACK
    more: str = ""
    shared_cause: str = "ignore"

    def yaml(self) -> str:
        """The job, indented for the section `jobs`."""
        units = ", ".join(f'"{unit}"' for unit in self.units or (f"{self.name}.service",))
        return (
            f"  {self.name}:\n"
            f"    units: [{units}]\n"
            f"    packs: [systemd, python]\n"
            f"    release:\n"
            f"      mode: {self.mode}\n"
            f"      window: {self.window}\n"
            f"      settle: 0s\n"
            f"      shared_cause: {self.shared_cause}\n"
            f"      fail_when: [{{{self.fail_when}}}]\n"
            f"      rollback: {{command: [{self.command}], timeout: 30s{self.more}}}\n"
        )


def install(machine: Machine, package: Path) -> str:
    """Install a package as an operator does; the machine has no network. Returns what apt said."""
    shutil.copy(package, machine.path("/root"))
    return machine.out("apt-get", "install", "--quiet=2", "--yes", "--allow-downgrades", f"/root/{package.name}")


def ready(machine: Machine) -> None:
    """Wait until the daemon says that it reads the journal."""

    def answers() -> bool:
        try:
            return machine.tcp("/-/ready")[0] == 200
        except ConnectionError:  # the daemon ended while we asked
            return False

    machine.until("the daemon is ready", answers)


def configure(machine: Machine, *jobs: Job) -> None:
    """Put these jobs under watch, with a rollback program that leaves a trace."""
    machine.write(ROLLBACK, _ROLLBACK_PROGRAM, mode=0o755)
    machine.write(LONG_ROLLBACK, _LONG_PROGRAM, mode=0o755)
    text = "version: 1\nrollbacks_per_hour: 1000\njobs:\n" + "".join(job.yaml() for job in jobs)
    machine.write("/etc/release-watcher/conf.d/jobs.yaml", text)
    ready(machine)
    machine.watcher("reload")


@contextmanager
def drop_in(machine: Machine, unit: str, *lines: str) -> Iterator[None]:
    """Lines of `[Service]` on top of a unit's own, for as long as the context lasts; running processes keep theirs."""
    file = f"/etc/systemd/system/{unit}.d/test.conf"
    machine.write(file, "\n".join(["[Service]", *lines, ""]))
    machine.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        machine.path(file).unlink()
        machine.run("systemctl", "daemon-reload")


def fail(machine: Machine, job: str) -> None:
    """One run of the job's unit of the same name, which fails."""
    machine.run("systemctl", "start", f"{job}.service", check=False)


def deploy(machine: Machine, job: str, version: str, *, unit: str = "") -> None:
    """Lay a version of the job's program down; `unit` is what a rollback starts again."""
    machine.write(f"/opt/{job}/version", version + "\n")
    if unit:
        machine.write(f"/opt/{job}/unit", unit + "\n")


def register(machine: Machine, job: str, *options: str, version: str = "2.0") -> str:
    """Register a release as root's script does; returns its id."""
    words = ("release", "start", job, "--version", version, "--previous", "1.0", *options)
    return machine.watcher(*words).stdout.strip()


def wait_for(machine: Machine, release: str, *, timeout: str = "60s") -> int:
    """Wait for the end of a release, as a script does; the exit code."""
    return machine.watcher("release", "wait", release, "--timeout", timeout, check=False).returncode


def rollback_runs(machine: Machine, release: str) -> str:
    """Wait until a rollback by LONG_ROLLBACK is in its command; the process id of its unit."""
    machine.until("the rollback runs", lambda: machine.path(f"/run/runs-{release}").exists())
    return machine.show(f"release-watcher-rollback@{release}.service", "MainPID")


def end_rollback(machine: Machine, release: str) -> None:
    """Let LONG_ROLLBACK end."""
    machine.write(f"/run/may-end-{release}", "")


def times_rolled_back(machine: Machine, release: str) -> int:
    """How often the command really ran."""
    ran = machine.path(RAN)
    return ran.read_text(encoding="utf-8").splitlines().count(release) if ran.exists() else 0


def assert_rolled_back_once(machine: Machine, release: str) -> dict[str, Any]:
    """The whole end of a failed release: exit code, the command, PID 1's records, metrics, the note on disk."""
    assert 1 == wait_for(machine, release), machine.release(release)
    found = machine.release(release)
    job = found["job"]
    assert ("failed", "succeeded") == (found["phase"], found["rollback"]["state"])
    assert 1 == times_rolled_back(machine, release)
    assert machine.path(f"{CLAIMS}/{release}.claim").exists()
    assert machine.path(f"{CLAIMS}/{release}.result").exists()
    done = ("_PID=1", f"UNIT=release-watcher-rollback@{release}.service", "JOB_RESULT=done")
    records = machine.until("PID 1 says that the unit ended", lambda: machine.journal(*done))
    assert 1 == len(records), records

    metrics = machine.metrics()
    assert 1 == metrics[f"watcher_rollbacks_total{{job_name={job}}}"]
    assert 0 == metrics[f"watcher_rollback_failures_total{{job_name={job}}}"]
    assert 1 == metrics[f"watcher_release_verdicts_total{{job_name={job},verdict=failed}}"]
    assert 0 == metrics[f"watcher_release_window_active{{job_name={job}}}"]

    note = machine.until("the note is on the disk", lambda: _note(machine, release, "succeeded"))
    assert "failed" == note["verdict"]
    markdown = machine.path(f"{STATE}/notes/{release}.md")
    machine.until("so is its Markdown", markdown.exists)
    assert release in markdown.read_text(encoding="utf-8")
    return found


def _note(machine: Machine, release: str, rollback: str) -> dict[str, Any]:
    path = machine.path(f"{STATE}/notes/{release}.json")
    note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return note if note.get("rollback", {}).get("state") == rollback else {}


def assert_counts_equal(machine: Machine, job: str, *units: str) -> int:
    """The entries counted for the job come to be exactly those that `journalctl -u` shows; returns their number."""
    name = f"watcher_journal_entries_total{{job_name={job}}}"
    seen = (0, 0)

    def are_equal() -> bool:
        nonlocal seen
        counted = int(machine.metrics()[name])
        seen = (counted, len(machine.journal(*[f"--unit={unit}" for unit in units])))
        # Both have to stand still: journald may be behind, and we behind journald.
        return seen[0] == seen[1] > 0 and counted == machine.metrics()[name]

    try:
        machine.until("counts are equal", are_equal)
    except AssertionError as error:
        raise AssertionError(f"{job}: counted and shown by journalctl: {seen}") from error
    return seen[0]
