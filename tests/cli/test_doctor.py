"""`watcher doctor`, `check --system`, and what `release start` says of units whose output is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.events import JOB, configured, policy
from tests.parts.front import MemoryFront
from tests.parts.recorded import make_machine
from tests.parts.verbs import served
from watcher.cli.main import main
from watcher.doctor import service_checks

CONFIG = "version: 1\njobs:\n  import: {units: [import.service], packs: [systemd]}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with one job, on a machine where its unit prints to nowhere."""
    path = tmp_path / "watcher.yaml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    return path


def test_what_is_told_of_a_daemon(config: Path, tmp_path: Path) -> None:
    """One that answers but is not ready is an error with its reason; exit code 78."""
    front = MemoryFront(reason_not_ready="the journal can't be read: nobody listens")
    with served(front, tmp_path) as daemon:
        said = daemon.watcher("doctor", "--config", str(config), "-o", "json")
    assert 78 == said.code
    assert 1 == said.json["schema"]
    assert not said.json["ok"]
    errors = [one for one in said.json["findings"] if one["severity"] == "error" and one["check"] == "daemon"]
    assert ["is not ready: the journal can't be read: nobody listens"] == [one["what"] for one in errors]
    assert {"check", "severity", "job", "what", "hint"} == set(errors[0])


def test_people_read_lines(config: Path, tmp_path: Path) -> None:
    """The weight first, the line to run beneath, the sum at the end; a hostile reason stays one line."""
    front = MemoryFront(reason_not_ready="bad\x1b[31m\nluck")
    with served(front, tmp_path) as daemon:
        said = daemon.watcher("doctor", "--config", str(config))
    assert "error    daemon: is not ready: bad\\x1b[31m\\nluck\n         hint: " in said.out
    assert " error" in said.out.splitlines()[-1]
    assert "\x1b" not in said.out


def test_nothing_to_mend(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings alone leave the exit code at 0."""
    machine = make_machine(tmp_path / "machine", monkeypatch)
    machine.unit("import.service", StandardOutput="null")
    machine.journal("--lines=1", {"MESSAGE": "hello"})
    with served(MemoryFront(), tmp_path):
        assert 0 == main(["doctor", "--config", str(config), "--state-dir", str(tmp_path)])


def test_check_with_the_system(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files first, then the machine; no daemon is asked for."""
    machine = make_machine(tmp_path / "machine", monkeypatch)
    machine.unit("import.service", LogNamespace="other")
    machine.journal("--lines=1", {"MESSAGE": "hello"})
    (tmp_path / "proc").mkdir()
    monkeypatch.setattr(service_checks, "_PROC", tmp_path / "proc")  # daemons of other tests may run now
    assert 0 == main(["check", "--config", str(config), "--system", "-o", "json"])
    found = json.loads(capsys.readouterr().out)
    assert [True] == [one["ok"] for one in found["files"]]
    warnings = [one for one in found["findings"] if one["severity"] == "warning"]
    assert [("units", "import")] == [(one["check"], one["job"]) for one in warnings]
    machine.journald("Storage=none\n")
    assert 78 == main(["check", "--config", str(config), "--system"])
    assert f"{config}: ok, 1 job" in capsys.readouterr().out


def test_a_release_is_warned_about_lost_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, with the way out; the id alone on stdout. Only where the journal is this machine's."""
    machine = make_machine(tmp_path / "machine", monkeypatch)
    [unit] = [
        value for option, value in zip(policy().journalctl, policy().journalctl[1:], strict=False) if option == "-u"
    ]
    machine.unit(unit, StandardOutput="null")

    start = ["release", "start", JOB, "--version", "2", "--state-dir", str(tmp_path)]
    with served(MemoryFront(journal="journal"), tmp_path):
        assert 0 == main(start)
    out, err = capsys.readouterr()
    assert f"{JOB}-1\n" == out
    assert f"watcher: warning: {unit}: StandardOutput=null: what it prints there is thrown away, not logged; " in err
    (tmp_path / "control.sock").unlink(missing_ok=True)
    with served(MemoryFront(state=configured(policy(command=("/bin/true",)))), tmp_path):
        assert 0 == main(start)
    assert "" == capsys.readouterr().err
