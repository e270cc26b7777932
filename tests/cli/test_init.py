"""`watcher init`: from a real journal to a job that `watcher check` takes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.parts.journals import Fields, write_journal
from watcher.cli.main import main
from watcher.config.load import load_settings
from watcher.core.policy import Mode
from watcher.journal.units import unit_name

DAY = 86_400_000_000
MINUTE = 60_000_000
NOW = time.time_ns() // 1000
UNIT = "import.service"


def said(ago: int, message: str, unit: str = UNIT) -> Fields:
    return {"__REALTIME_TIMESTAMP": NOW - ago, "_SYSTEMD_UNIT": unit, "MESSAGE": message}


def record(ago: int, message_id: str, run: int) -> Fields:
    facts = {"_PID": "1", "UNIT": UNIT, "MESSAGE_ID": message_id, "MESSAGE": "…", "INVOCATION_ID": f"{run + 1:032x}"}
    return {"__REALTIME_TIMESTAMP": NOW - ago, **facts}


def runs() -> list[Fields]:
    """A run each ten minutes for an hour, two days ago; at the end three tracebacks within a minute."""
    begin = 2 * DAY
    entries = []
    for number in range(6):
        at = begin - number * 10 * MINUTE
        entries += [record(at, "7d4958e842da4a758f6c1cdc7b36dcc5", number), said(at - 1, "imports")]
        entries += [record(at - 2 * MINUTE, "7ad2d189f7e94e70a38c781354912448", number)]
    at = begin - 55 * MINUTE
    for _ in range(3):
        at -= 1000
        entries += [said(at, "Traceback (most recent call last):"), said(at - 1, "ValueError: x")]
    return entries


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration without jobs that reads a directory of journal files."""
    write_journal(tmp_path / "journal", runs())
    path = tmp_path / "watcher.yaml"
    path.write_text(f"version: 1\njournal: {{directory: {tmp_path / 'journal'}}}\njobs: {{}}\n")
    return path


def test_the_job_can_be_used_as_it_is(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Written into conf.d it is part of a configuration that loads, with what the journal showed."""
    assert 0 == main(["init", UNIT, "--config", str(config), "--write"])
    written = config.parent / "conf.d" / "import.yaml"
    assert f"{written}\n" == capsys.readouterr().out
    assert 0 == main(["check", "--config", str(config)])
    settings = load_settings(config)
    [job] = settings.jobs
    policy = settings.policies[job.name]
    assert (UNIT,) == job.units
    assert {"systemd", "python"} == {rule.pack for rule in job.rules}
    assert Mode.OBSERVE is policy.release.mode
    assert (3, 60 * MINUTE) == (policy.release.window_runs, policy.release.window)
    assert 1 == policy.release.expect.successful_runs
    assert policy.release.rollback is None
    assert () == settings.warnings
    labels = [one.label for one in policy.release.thresholds]
    assert ["1 failed run in a row", "7 error matches in 2m"] == labels


def test_the_numbers_stand_in_the_comments(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader sees what each proposal goes by."""
    assert 0 == main(["init", UNIT, "--config", str(config)])
    text = capsys.readouterr().out
    assert "# Started: 6, ended well: 6, failed: 0. It runs about every 10m." in text
    assert "#   python: traceback 3" in text
    assert "# Entries of error and worse: 3, 0.4 a day." in text
    assert "at most 3 within 2m, so 7 are unusual." in text
    assert "# Runs that failed: 0, at most 0 one after the other." in text
    assert not (config.parent / "conf.d").exists()


def test_a_file_is_never_replaced(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither one of the same name, nor a job that the configuration has."""
    (config.parent / "conf.d").mkdir()
    (config.parent / "conf.d" / "import.yaml").write_text("# mine\n")
    assert 78 == main(["init", UNIT, "--config", str(config), "--write"])
    assert "import.yaml: exists" in capsys.readouterr().err
    assert "# mine\n" == (config.parent / "conf.d" / "import.yaml").read_text()
    assert 0 == main(["init", UNIT, "--config", str(config), "--write", "--name", "second"])
    assert 78 == main(["init", UNIT, "--config", str(config), "--name", "second"])
    assert "second: there is such a job already" in capsys.readouterr().err


def test_a_unit_of_which_nothing_is_known(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped unit makes no job."""
    assert 78 == main(["init", "imports", "--config", str(config)])
    assert (
        "imports: the journal holds no entry of it since -7d\n  hint: journalctl -u imports" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("unit", "hint"),
    [
        ("nightly.timer", "systemctl show --value -p Triggers nightly.timer names it"),
        ("spool.path", "systemctl show --value -p Triggers spool.path names it"),
        ("import@.service", "watcher init 'import@*.service'"),
    ],
)
def test_a_unit_that_runs_nothing_itself(
    unit: str, hint: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job made of a timer would see no run, ever: refused, with the line that leads to the service."""
    assert 64 == main(["init", unit, "--config", str(config)])
    assert f"  hint: {hint}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("unit", "name"), [("import@*.service", "import"), ("a b.service", "a-b"), ('x"y\\z.service', "x-y-z")]
)
def test_names_of_jobs(unit: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the unit's own, always a safe one, and what is odd in the unit's is quoted as YAML has it."""
    seen = unit_name(unit).replace("*", "eu")
    write_journal(tmp_path / "journal", [said(DAY, "hello", seen)])
    config = tmp_path / "watcher.yaml"
    config.write_text(f"version: 1\njournal: {{directory: {tmp_path / 'journal'}}}\njobs: {{}}\n")
    assert 0 == main(["init", unit, "--config", str(config)])
    text = capsys.readouterr().out
    assert f"\n  {name}:\n" in text
    alone = tmp_path / "alone.yaml"
    alone.write_text(text)
    assert (unit,) == load_settings(alone).jobs[0].units


def test_a_unit_with_an_escape_sequence(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused, and shown so that no terminal obeys it."""
    assert 64 == main(["init", "x\x1b[31m.service", "--config", str(config)])
    assert "x\\x1b[31m.service: is no unit" in capsys.readouterr().err


def test_the_answer_for_programs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file that was written."""
    assert 0 == main(["init", UNIT, "--config", str(config), "--write", "-o", "json"])
    found = json.loads(capsys.readouterr().out)
    assert {"schema": 1, "file": str(config.parent / "conf.d" / "import.yaml"), "job": "import"} == found
