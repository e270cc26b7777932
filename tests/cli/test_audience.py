"""Whether anybody counts a run that `watcher job exec` tells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from watcher.cli import audience
from watcher.cli.audience import unheard
from watcher.cli.main import main

CRON = "0::/system.slice/cron.service\n"
NOBODY = 65534


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A job in the main file, one in a drop-in."""
    main_file = tmp_path / "watcher.yaml"
    main_file.write_text(
        "version: 1\n"
        "jobs:\n"
        "  nightly: {identifiers: [nightly], run_as: nobody}\n"
        "  rooted: {identifiers: [rooted]}\n"
        "  in-cron: {units: [cron.service]}\n"
        "  elsewhere: {units: ['import@*.service'], identifiers: [im]}\n"
    )
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "weekly.yaml").write_text("jobs: {weekly: {identifiers: [weekly]}}\n")
    return main_file


@pytest.mark.parametrize(
    ("uid", "job", "identifier", "expected"),
    [
        (0, "nightly", "nightly", None),
        (0, "weekly", "weekly", None),
        (NOBODY, "nightly", "nightly", None),
        (NOBODY, "rooted", "rooted", "job rooted has no `run_as`, so that only root's runs are believed"),
        (1, "nightly", "nightly", "job nightly is run as nobody, and runs of daemon are not believed"),
        (0, "nightli", "nightli", 'has no job nightli (did you mean "nightly"?)'),
        (0, "nightly", "cron", "cron is no identifier of job nightly (it has nightly; set"),
        (0, "in-cron", "in-cron", None),
        (0, "elsewhere", "elsewhere", "elsewhere is no identifier of job elsewhere (it has im; set"),
    ],
)
def test_who_hears_of_a_run(
    config: Path, monkeypatch: pytest.MonkeyPatch, *, uid: int, job: str, identifier: str, expected: str | None
) -> None:
    """Told is what the reader would do: the job must be there, its user believed, and the entry its own."""
    monkeypatch.setattr(os, "getuid", lambda: uid)
    cgroups = config.parent / "cgroup"
    cgroups.write_text(CRON)
    why = unheard(job, identifier=identifier, config=config, cgroups=cgroups)
    assert (why is None) if expected is None else (why is not None and expected in why)


@pytest.mark.parametrize("text", [None, "version: [", "jobs: 7", "jobs: {nightly: 3}"])
def test_what_can_not_be_known_is_no_complaint(tmp_path: Path, text: str | None) -> None:
    """A file that is not there, can't be read or is broken is others' business."""
    config = tmp_path / "watcher.yaml"
    if text is not None:
        config.write_text(text)
    assert unheard("nightly", identifier="nightly", config=config) is None


def test_a_run_nobody_counts_is_warned_of(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, after the command, whose exit code stays."""
    assert 7 == main(["job", "exec", "hourly", "--config", str(config), "--", "sh", "-c", "exit 7"])
    assert f"WARNING: this run of job hourly is not counted: {config} has no job hourly" in capsys.readouterr().err
    assert 0 == main(["job", "exec", "weekly", "--config", str(config), "--", "true"])
    assert "WARNING" not in capsys.readouterr().err


def test_our_unit_is_the_one_that_journald_names(tmp_path: Path) -> None:
    """The first part of the cgroup that is no slice; none without a hierarchy of version 2."""
    path = tmp_path / "cgroup"
    for text, unit in (
        ("0::/user.slice/user-7.slice/user@7.service/app.slice/x.service\n", "user@7.service"),
        ("0::/user.slice/user-7.slice/session-3.scope\n", "session-3.scope"),
        ("0::/\n", None),
        ("4:cpu:/a.service\n", None),
    ):
        path.write_text(text)
        assert unit == audience._unit(path)
    assert audience._unit(tmp_path / "none") is None
