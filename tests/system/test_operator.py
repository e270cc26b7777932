"""What an operator does on a fresh installation: look, make a first job, release by the shipped script, be alerted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.parts.machine import REPOSITORY, Machine
from tests.parts.prometheus import program
from tests.parts.stage import STATE, Job, configure, deploy, ready, times_rolled_back

EXAMPLES = "/usr/share/doc/release-watcher/examples"
CONFIG = "/etc/release-watcher/watcher.yaml"


def doctor(machine: Machine, *, user: str = "") -> tuple[int, list[dict[str, Any]]]:
    """Exit code, and all findings that are more than a note."""
    words = ("watcher", "doctor", "-o", "json")
    done = machine.run_as(user, *words, check=False) if user else machine.run(*words, check=False)
    found = json.loads(done.stdout)["findings"]
    return done.returncode, [one for one in found if one["severity"] in ("error", "warning")]


def found(machine: Machine) -> list[tuple[str, str]]:
    """Each check that found something, with the hint."""
    return [(one["check"], one["hint"]) for one in doctor(machine)[1]]


@pytest.fixture(scope="module", autouse=True)
def _people(machine: Machine) -> None:
    machine.run("useradd", "--create-home", "--groups", "release-watcher-deploy", "deployer")
    ready(machine)


def test_a_fresh_installation_has_nothing_to_mend(machine: Machine) -> None:
    """As root sees it, and as a user of release scripts does, who may look at less."""
    assert (0, []) == doctor(machine)
    assert (0, []) == doctor(machine, user="deployer")


def test_the_first_job_comes_from_the_journal(machine: Machine) -> None:
    """Written by `init` from real runs, one of which failed, it is checked, taken over and watched."""
    machine.unit("nightly.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo works; [ ! -e /tmp/bad ]'\n")
    for _ in range(3):
        machine.run("systemctl", "start", "nightly.service")
    machine.write("/tmp/bad", "")
    machine.run("systemctl", "start", "nightly.service", check=False)
    machine.until("the journal has it", lambda: machine.journal("-u", "nightly.service", "UNIT_RESULT=exit-code"))

    path = machine.watcher("init", "nightly.service", "--write").stdout.strip()
    assert "/etc/release-watcher/conf.d/nightly.yaml" == path
    text = machine.path(path).read_text()
    assert "# systemd runs nightly.service as Type=oneshot." in text
    assert "# Started: 4, ended well: 3, failed: 1. It runs about every " in text
    assert "- failed_runs: {count: 2, consecutive: true}" in text
    assert 0 == machine.watcher("check", "--system").returncode
    machine.watcher("reload")
    assert "nightly" in json.loads(machine.watcher("status", "-o", "json").stdout)["jobs"]
    machine.path(path).unlink()
    machine.watcher("reload")


def test_what_the_doctor_finds(machine: Machine) -> None:
    """Each fault with the line to run; run as it stands, it mends the fault."""
    configure(machine, Job(name="worker"))
    machine.unit("worker.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    machine.run("systemctl", "start", "worker.service")
    assert [] == found(machine)
    faults = {
        "systemctl stop release-watcher-rollback.path": "rollback units",
        f"chmod g+w {CONFIG}": "configuration files",
        "chmod o+w /usr/local/bin/rollback": "rollback commands",
        "chmod a-x /usr/local/bin/rollback": "rollback commands",
        f"chown root {STATE}/rollback-queue": "rollback queue",
        "touch /etc/release-watcher/disarm": "off switch",
        "systemctl stop release-watcher.service release-watcher.socket": "daemon",
    }
    for fault, check in faults.items():
        machine.run("sh", "-c", fault)
        [(said, hint)] = found(machine)
        assert check == said, fault
        machine.run("sh", "-c", hint)
        machine.until(f"mended by: {hint}", lambda: not found(machine))


def test_units_whose_output_is_lost(machine: Machine) -> None:
    """Told by the doctor, and to a release script on its standard error."""
    configure(machine, Job(name="worker"), Job(name="hidden"))
    machine.unit(
        "hidden.service", "[Service]\nExecStart=/bin/sleep infinity\nLogNamespace=elsewhere\nStandardOutput=null\n"
    )
    code, warnings = doctor(machine)
    assert 0 == code
    assert ["units", "units"] == [one["check"] for one in warnings]
    assert {"hidden"} == {one["job"] for one in warnings}
    done = machine.run_as("deployer", "watcher", "release", "start", "hidden", "--version", "2")
    assert 2 == done.stderr.count("watcher: warning: hidden.service: ")
    machine.run_as("deployer", "watcher", "release", "cancel", done.stdout.strip(), "--reason", "a test")


def test_the_shipped_script_as_a_user_of_the_group(machine: Machine) -> None:
    """It deploys, waits, and tells that the job broke and was rolled back."""
    configure(machine, Job(name="scripted"))
    machine.unit("scripted.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    deploy(machine, "scripted", "1.0")
    machine.write("/usr/local/bin/deploy", "#!/bin/sh\necho deployed $1\n", mode=0o755)
    words = (f"{EXAMPLES}/release.sh", "scripted", "2.0", "--", "/usr/local/bin/deploy", "2.0")
    script = machine.start("systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--uid=deployer", "--", *words)
    machine.until("a window is open", lambda: machine.metric("watcher_release_window_active", job_name="scripted") == 1)
    machine.run("systemctl", "start", "scripted.service", check=False)
    out, err = script.communicate(timeout=60)
    assert 1 == script.returncode, err
    assert "scripted 2.0: failed, and was rolled back" in err
    assert "deployed 2.0\n" in out
    [release] = json.loads(machine.watcher("release", "list", "--job", "scripted", "-o", "json").stdout)["releases"]
    assert 1 == times_rolled_back(machine, release["id"])


def test_prometheus_is_told_and_alerts(machine: Machine) -> None:
    """Debian's own server scrapes the activated listener, as shipped; the failed release makes its alert fire."""
    configure(machine, Job(name="alerted"))
    machine.unit("alerted.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    for name in ("prometheus", "promtool"):
        shutil.copy(program(name), machine.path(f"/usr/local/bin/{name}"))
    shipped = REPOSITORY / "deploy" / "prometheus"
    machine.write("/etc/prometheus/release-watcher.rules.yml", (shipped / "release-watcher.rules.yml").read_text())
    machine.write("/etc/prometheus/prometheus.yml", _often(shipped / "prometheus.yml"))
    server = ("prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/var/lib/prometheus")
    machine.run("systemd-run", "--unit=prometheus", "--", *server)

    def asked(expression: str) -> str:
        return machine.run("promtool", "query", "instant", "http://127.0.0.1:9090", expression, check=False).stdout

    machine.until("it is scraped", lambda: "=> 1 @" in asked("watcher_ready"))
    machine.until(
        "the job is known", lambda: "alerted" in asked('watcher_release_verdicts_total{verdict="failed"} == 0')
    )
    status, metrics = machine.tcp("/metrics")
    assert 200 == status
    assert "" == machine.run("promtool", "check", "metrics", text=metrics).stderr
    machine.watcher("release", "start", "alerted", "--version", "2.0", "--previous", "1.0")
    machine.run("systemctl", "start", "alerted.service", check=False)
    firing = 'ALERTS{alertname="ReleaseWatcherReleaseFailed", alertstate="firing", job_name="alerted"}'
    machine.until("the alert fires", lambda: asked(firing))


def _often(shipped: Path) -> str:
    """The shipped configuration, asking each second."""
    text = shipped.read_text()
    assert 2 == text.count("_interval: 15s")
    return text.replace("_interval: 15s", "_interval: 1s")
