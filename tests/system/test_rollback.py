"""Rollbacks by way of PID 1: a dispatcher that fails or is never started; a command whose words look like errors."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    QUEUE,
    ROLLBACK,
    Job,
    assert_rolled_back_once,
    configure,
    drop_in,
    fail,
    register,
    times_rolled_back,
)

DISPATCHER = "release-watcher-rollback.service"
PATH_UNIT = "release-watcher-rollback.path"
TIMES = 10
PACE_MS = 200  # instead of a second, for the sake of the suite
LOUD = "/usr/local/bin/loud-rollback"
LOUD_LINES = 50
WORDS = "everything is broken"
JOBS = (
    Job(name="refused"),
    Job(name="missing"),
    Job(name="untaken"),
    Job(name="loud", command=LOUD, more=", verify: 2s, check: [/usr/local/bin/loud-check]"),
)
# A careless site: takes every service, and words that the rollback's own units and lines are full of.
CARELESS = f"""\
version: 1
jobs:
  careless:
    units: ["*.service"]
    packs: [systemd, python]
    rules:
      - {{name: words, match: '{WORDS}', severity: critical}}
      - {{name: ours, match: '(?i)rollback|release-watcher', severity: error}}
    release:
      mode: observe
      fail_when: [{{matches: {{rule: words}}}}]
"""
LOUD_CHECK = f"""\
#!/bin/sh
cat >/dev/null
i=0; while [ $i -lt {LOUD_LINES} ]; do echo "{WORDS}"; i=$((i+1)); done
printf 'Traceback (most recent call last):\\nKeyError: 1\\n' >&2
"""
LOUD_ROLLBACK = f"""\
{LOUD_CHECK}
exec {ROLLBACK} </dev/null
"""


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    machine.write("/usr/local/bin/loud-check", LOUD_CHECK, mode=0o755)
    machine.write(LOUD, LOUD_ROLLBACK, mode=0o755)
    machine.write("/etc/release-watcher/conf.d/careless.yaml", CARELESS)
    configure(machine, *JOBS)
    for job in JOBS:
        machine.unit(f"{job.name}.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")


def failures(machine: Machine) -> list[int]:
    """When PID 1 has seen the dispatcher fail, in microseconds."""
    records = machine.journal("_PID=1", f"UNIT={DISPATCHER}", "MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c")
    return [int(record["__REALTIME_TIMESTAMP"]) for record in records]


@pytest.mark.parametrize(
    ("job", "program"),
    [("refused", "/bin/false"), ("missing", "/nowhere/python3")],  # the second is as quick as a failure can be
)
def test_dispatcher_that_fails_ten_times(machine: Machine, job: str, program: str) -> None:
    """The order waits and the path unit lives through it; with a dispatcher that works it is run, once."""
    before = len(failures(machine))
    with drop_in(machine, DISPATCHER, "ExecStart=", f"ExecStart={program}", f"RestartSec={PACE_MS}ms"):
        release = register(machine, job)
        fail(machine, job)
        machine.until("it has failed ten times", lambda: len(failures(machine)) >= before + TIMES)
        machine.until("the order is there", lambda: list(machine.path(QUEUE).glob(f"*{release}*")))
        assert 0 == times_rolled_back(machine, release)

    assert_rolled_back_once(machine, release)
    at = failures(machine)[before:]
    assert min(later - earlier for earlier, later in pairwise(at)) > PACE_MS * 1000
    assert ("active", "success") == (machine.state_of(PATH_UNIT), machine.show(PATH_UNIT, "Result"))
    assert not list(machine.path(QUEUE).iterdir())


def test_order_that_nobody_takes(machine: Machine) -> None:
    """Somebody has stopped the path unit: the daemon and the doctor say so; once it is started the rollback runs."""
    machine.run("systemctl", "stop", PATH_UNIT)
    release = register(machine, "untaken")
    fail(machine, "untaken")
    machine.until("/-/ready tells", lambda: "waits and was not begun" in machine.tcp("/-/ready")[1], patience=120)
    assert f"{PATH_UNIT}: is not active" in machine.watcher("doctor", check=False).stdout
    assert 0 == times_rolled_back(machine, release)

    machine.run("systemctl", "start", PATH_UNIT)
    assert_rolled_back_once(machine, release)
    machine.until("it is ready again", lambda: (200, "ready\n") == machine.tcp("/-/ready"))


def test_rollback_whose_words_look_like_errors(machine: Machine) -> None:
    """What check, rollback, dispatcher and daemon say belongs to nobody, even where a job takes every service."""
    shared = {"job_name": "careless", "rule": "unit-failed", "severity": "critical"}
    failed_before = machine.metric("watcher_rule_matches_total", **shared)
    release = register(machine, "loud")
    other = register(machine, "careless")
    fail(machine, "loud")
    assert_rolled_back_once(machine, release)

    fail(machine, "loud")
    machine.until(
        "all that lies before this second failure was read",
        lambda: machine.metric("watcher_rule_matches_total", **shared) == failed_before + 2,
    )
    said = machine.journal(f"_SYSTEMD_UNIT=release-watcher-rollback@{release}.service")
    assert LOUD_LINES == [entry["MESSAGE"] for entry in said].count(WORDS)
    metrics = machine.metrics()
    for rule, severity in (("words", "critical"), ("ours", "error"), ("traceback", "error")):
        assert 0 == metrics[f"watcher_rule_matches_total{{job_name=careless,rule={rule},severity={severity}}}"]
    assert "watching" == machine.release(other)["phase"]
    assert 0 == metrics["watcher_rule_matches_total{job_name=loud,rule=traceback,severity=error}"]
