"""The shipped release scripts: each is run as its tool would run it, against a real daemon on a real journal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from tests.parts.daemons import DaemonProcess
from tests.parts.journals import LiveJournal
from tests.parts.verbs import CHECKOUT
from watcher.cli.main import parser

EXAMPLES = CHECKOUT / "deploy" / "examples"
UNIT = "import.service"
STARTED = "39f53479d3a045ac8e11786248231fbf"
JOB = """\
    units: [import.service]
    rules:
      - {{name: boom, match: '^boom', severity: error}}
    release:
      mode: rollback
      window: 2s
      settle: 0s
      fail_when:
        - matches: {{rule: boom, count: 3}}
      rollback: {{command: [{rollback}], timeout: 5s}}
"""
# what the CI tools set
SURROUNDINGS = {
    "CI_COMMIT_TAG": "v2.4.1",
    "CI_COMMIT_TITLE": 'faster; $(touch evil) "parser"',
    "CI_JOB_ID": "4711",
    "GITLAB_USER_EMAIL": "someone@example.com",
    "GITHUB_RUN_ID": "4712",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_STEP_SUMMARY": "summary.md",
    "VERSION": "v2.4.1",
    "REASON": 'faster; $(touch evil) "parser"',
    "OWNER": "someone",
}


class Job:
    """The job at work: it logs ten lines a second, and is started again by systemd once something was deployed."""

    def __init__(self, journal: LiveJournal, deployed: Path) -> None:
        self._journal = journal
        self._deployed = deployed
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="job")
        self._invocation = 0
        self.message = "fine"

    def _work(self) -> None:
        self._start()
        seen = False
        while not self._ended.wait(0.1):
            if self._deployed.exists() and not seen:
                seen = True
                self._start()
            self._say(MESSAGE=self.message, _SYSTEMD_UNIT=UNIT, _SYSTEMD_INVOCATION_ID=f"{self._invocation:032x}")

    def _start(self) -> None:
        self._invocation += 1
        record = {"UNIT": UNIT, "MESSAGE_ID": STARTED, "INVOCATION_ID": f"{self._invocation:032x}", "_PID": "1"}
        self._say(MESSAGE=f"Started {UNIT}.", **record)

    def _say(self, **fields: str) -> None:
        self._journal.send({"__REALTIME_TIMESTAMP": time.time_ns() // 1000, **fields})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)


@dataclass(frozen=True)
class Host:
    """A host with a daemon, a job, a deployment command and `watcher` on its PATH."""

    directory: Path
    daemon: DaemonProcess
    job: Job

    def run(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """A command in the working directory, as a release script's author would start it."""
        environment = {**os.environ, **SURROUNDINGS, **more, "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}"}
        return subprocess.run(
            list(map(str, words)),
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def shell(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A script line, as the runners of CI start it."""
        return self.run("bash", "-euo", "pipefail", "-c", script, **more)

    @property
    def last(self) -> dict[str, Any]:
        """The newest release."""
        found: list[dict[str, Any]] = yaml.safe_load(self.daemon.cli("release", "list", "-o", "json").stdout)[
            "releases"
        ]
        return found[0]


@contextmanager
def host(directory: Path) -> Iterator[Host]:
    """A host on which `deploy.sh bad` makes the job fail, and `deploy.sh broken` fails itself."""
    (directory / "bin").mkdir()
    (directory / "journal").mkdir()
    programs = {
        "rollback": f"#!/bin/sh\necho $WATCHER_VERSION > {directory}/rolled-back\n",
        "deploy.sh": f'#!/bin/sh\n[ "$1" != broken ] || exit 9\necho "$1" > {directory}/deployed\n',
    }
    for name, text in programs.items():
        _program(directory / name, text)
    daemon = DaemonProcess(directory, JOB.format(rollback=directory / "rollback"))
    options = f"--config {daemon.config} --state-dir {daemon.state}"
    _program(directory / "bin" / "watcher", f'#!/bin/sh\nexec {sys.executable} -m watcher {options} "$@"\n')
    with LiveJournal(directory / "journal") as journal, Job(journal, directory / "deployed") as job, daemon:
        yield Host(directory, daemon, job)


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


# ------------------------------------------------------------------------------------------------------------- bash


def test_the_script_of_a_release_that_passes(here: Host) -> None:
    """The command ran, the verdict is the exit code, and the note is printed."""
    done = here.run(EXAMPLES / "release.sh", "import", "2.4.1", "--", "./deploy.sh", "good")
    assert 0 == done.returncode, done.stderr
    assert "\nimport 2.4.1: passed\n" in done.stdout
    assert "\n# PASSED: " in done.stdout
    assert "good\n" == (here.directory / "deployed").read_text()


def test_the_script_of_a_release_that_breaks_the_job(here: Host) -> None:
    """It is rolled back, and the script ends with 1."""
    here.job.message = "boom"
    done = here.run(EXAMPLES / "release.sh", "import", "2.4.2", "--", "./deploy.sh", "bad")
    assert 1 == done.returncode, done.stderr
    assert "import 2.4.2: failed, and was rolled back\n" in done.stderr
    assert ("failed", "succeeded") == (here.last["phase"], here.last["rollback"]["state"])


def test_the_script_of_a_deployment_that_fails(here: Host) -> None:
    """Nothing is judged, and the deployment's own exit code comes back."""
    done = here.run(EXAMPLES / "release.sh", "import", "2.4.3", "--", "./deploy.sh", "broken")
    assert 9 == done.returncode, done.stderr
    assert "cancelled" == here.last["phase"]


def test_the_script_tells_how_it_is_used(tmp_path: Path) -> None:
    """Without a command it does nothing."""
    done = subprocess.run([EXAMPLES / "release.sh", "import", "2.4.1"], capture_output=True, text=True, check=False)
    assert (64, "usage: release.sh JOB VERSION -- COMMAND…\n") == (done.returncode, done.stderr)


def test_shellcheck_finds_nothing() -> None:
    """In no script of the examples."""
    scripts = sorted(EXAMPLES.glob("*.sh"))
    assert scripts
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert "" == done.stdout


# ---------------------------------------------------------------------------------------------------------- Ansible

PLAYBOOK = EXAMPLES / "ansible-release.yml"


def played(here: Host, **variables: str) -> subprocess.CompletedProcess[str]:
    """The playbook on this host, its files in the test's directory."""
    given = {
        "version": "2.4.1",
        "targets": "localhost",
        "deploy_command": f"['{here.directory}/deploy.sh', 'good']",
        **variables,
    }
    facts = "{" + ", ".join(f"{name}: {value}" for name, value in given.items()) + "}"
    program = Path(sys.executable).parent / "ansible-playbook"
    more = {"ANSIBLE_HOME": str(here.directory / "ansible"), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    local = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    return here.run(program, *local, "-e", facts, PLAYBOOK, **more)


def test_the_playbook_of_a_release_that_passes(here: Host) -> None:
    """Each step is done, and the play ends well."""
    done = played(here)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "passed" == here.last["verdict"]
    assert "rolled out by Ansible" == here.last["reason"]


def test_the_playbook_of_a_release_that_breaks_the_job(here: Host) -> None:
    """The play fails, so the next hosts are left alone."""
    here.job.message = "boom"
    done = played(here)
    assert 2 == done.returncode, done.stdout + done.stderr
    assert "succeeded" == here.last["rollback"]["state"]


def test_the_playbook_of_a_deployment_that_fails(here: Host) -> None:
    """The release is cancelled, and the play fails."""
    done = played(here, deploy_command=f"['{here.directory}/deploy.sh', 'broken']")
    assert 2 == done.returncode, done.stdout + done.stderr
    assert "cancelled" == here.last["phase"]


def test_the_playbook_goes_host_by_host() -> None:
    """One first, and the first failure stops the rest."""
    [play] = yaml.safe_load(PLAYBOOK.read_text())
    assert 1 == play["serial"][0]
    assert 0 == play["max_fail_percentage"]


# --------------------------------------------------------------------------------------------------- GitLab, GitHub


def gitlab() -> list[str]:
    """The lines of the GitLab job, in their order."""
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["release"]
    return [*job["script"], *job["after_script"]]


def github() -> list[str]:
    """The `run` lines of the workflow, in their order."""
    steps = yaml.safe_load((EXAMPLES / "github-release.yml").read_text())["jobs"]["release"]["steps"]
    return [step["run"] for step in steps if "run" in step]


@pytest.mark.parametrize(
    ("lines", "note"), [(gitlab(), "release.md"), (github(), "summary.md")], ids=["GitLab", "GitHub"]
)
def test_the_job_of_a_release_that_passes(here: Host, lines: list[str], note: str) -> None:
    """Every line works as it stands, and what the commit says is never run."""
    for line in lines:
        done = here.shell(line)
        assert 0 == done.returncode, f"{line}\n{done.stdout}{done.stderr}"
    assert "v2.4.1\n" == (here.directory / "deployed").read_text()
    assert "passed" in (here.directory / note).read_text()
    assert SURROUNDINGS["REASON"] == here.last["reason"]
    assert not (here.directory / "evil").exists()


@pytest.mark.parametrize("lines", [gitlab(), github()], ids=["GitLab", "GitHub"])
def test_each_command_is_one_that_there_is(lines: list[str]) -> None:
    """By the real parser: verbs and options."""
    commands = [words for line in lines for words in [shlex.split(line)] if words[0] == "watcher"]
    assert len(lines) == len(commands)
    for words in commands:
        own = words[1 : words.index("--")] if "--" in words else words[1:]
        own = own[: next((place for place, word in enumerate(own) if word in (">", ">>")), len(own))]
        assert parser().parse_args(own).run


def test_no_expression_of_the_workflow_stands_in_a_script() -> None:
    """What GitHub puts in for `${{ … }}` would be run as shell."""
    assert [] == [line for line in github() if "${{" in line]
    workflow = yaml.safe_load((EXAMPLES / "github-release.yml").read_text())
    assert {"contents": "read"} == workflow["permissions"]
