"""The units as systemd itself reads them, and the files beside them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from watcher.adapters.message_ids import ALL
from watcher.config.leaves import LONGEST_ROLLBACK
from watcher.core.duration import HOUR

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not there: apt-get install systemd")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Copies of the units whose programs are there, under names that systemd can load."""
    programs = tmp_path / "opt" / "bin"
    programs.mkdir(parents=True)
    for name in ("watcher", "python3"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    units = tmp_path / "units"
    units.mkdir()
    for unit in UNITS.iterdir():
        name = unit.name.replace("@.", "@import-1.")
        (units / name).write_text(unit.read_text().replace("/opt/release-watcher/bin", str(programs)))
    return units


@needs_systemd
def test_systemd_has_nothing_to_say(installed: Path) -> None:
    """Every unit is understood whole: an unknown key is a line on stderr and still exit code 0."""
    argv = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(installed.iterdir()))]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "release-watcher" in line]
    assert (0, []) == (done.returncode, ours)


@needs_systemd
def test_the_daemon_is_shut_in(installed: Path) -> None:
    """`systemd-analyze security` gives the daemon 1.0 or less."""
    service = installed / "release-watcher.service"
    argv = ["systemd-analyze", "security", "--offline=yes", "--threshold=10", "--no-pager", str(service)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout[-400:] + done.stderr


def test_each_line_of_the_sandbox_has_its_reason() -> None:
    """Between a comment and the next one stand a few lines that it speaks of, never a long list without one."""
    lines = (UNITS / "release-watcher.service").read_text().split("# --- Sandbox")[1].splitlines()
    alone = 0
    for line in lines:
        alone = 0 if line.startswith("#") or not line else alone + 1
        assert alone <= 7, line


def test_no_notify_reload() -> None:
    """Systemd 252 takes `Type=notify-reload` for `simple`, with exit code 0."""
    assert "Type=notify\n" in (UNITS / "release-watcher.service").read_text()


def test_the_outer_bound_lies_outside() -> None:
    """The unit of a rollback ends later than the longest time limit that a job may have."""
    assert "TimeoutStartSec=25h\n" in (UNITS / "release-watcher-rollback@.service").read_text()
    assert 25 * HOUR > LONGEST_ROLLBACK


def test_the_catalog_explains_every_entry_of_ours() -> None:
    """Each message id stands there once, with a subject, and no other does."""
    text = (ROOT / "deploy" / "catalog" / "release-watcher.catalog").read_text()
    ids = [line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- ")]
    assert sorted(ALL) == sorted(ids)
    assert len(ids) == text.count("\nSubject: ") == text.count("\nDefined-By: release-watcher\n")


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is not there: apt-get install systemd")
def test_journalctl_takes_the_catalog(tmp_path: Path) -> None:
    """It compiles, and explains an id."""
    catalog = tmp_path / "usr" / "lib" / "systemd" / "catalog"
    catalog.mkdir(parents=True)
    (tmp_path / "var" / "lib" / "systemd" / "catalog").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "catalog" / "release-watcher.catalog", catalog)
    made = subprocess.run(
        ["journalctl", f"--root={tmp_path}", "--update-catalog"], capture_output=True, text=True, check=False
    )
    assert (0, "") == (made.returncode, made.stderr)
    listed = subprocess.run(
        ["journalctl", f"--root={tmp_path}", "--list-catalog"], capture_output=True, text=True, check=True
    )
    assert len(ALL) == len(listed.stdout.splitlines())
