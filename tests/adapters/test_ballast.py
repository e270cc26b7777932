"""Room that is held back on a real disk, and what becomes of a disk on which it can't be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from watcher.adapters.ballast import NAME, SIZE, Ballast


def test_held_back_and_given_up(tmp_path: Path) -> None:
    """Once, and again after it was given up."""
    ballast = Ballast(tmp_path)
    for _ in range(2):
        ballast.lay()
        assert SIZE == (tmp_path / NAME).stat().st_size
        assert ballast.drop()
    assert not ballast.drop()


def test_it_can_not_be_held_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was just stored is stored all the same: it is told, once for each cause, and tried again."""
    (tmp_path / NAME).mkdir()
    ballast = Ballast(tmp_path)
    for _ in range(3):
        ballast.lay()
    assert [("no room is held back for decisions", "Is a directory")] == [
        (one.message, one.__dict__["facts"]["why"]) for one in caplog.records
    ]
    (tmp_path / NAME).rmdir()
    ballast.lay()
    assert SIZE == (tmp_path / NAME).stat().st_size


def test_directory_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """That is told by whoever stores there; here it is no end."""
    home = tmp_path / "state"
    home.mkdir()
    ballast = Ballast(home)
    shutil.rmtree(home)
    ballast.lay()
    assert "No such file or directory" in str(caplog.records[0].__dict__["facts"])


def test_it_can_not_be_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Then there is no more room than before, and whoever wanted it is told of a full disk."""
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "stays").touch()
    assert not Ballast(tmp_path).drop()
    assert ["room that is held back can't be given up"] == [one.message for one in caplog.records]
