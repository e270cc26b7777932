"""Who does not see the machine's journal is told, where an empty answer would look like a quiet job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from watcher.cli import sight
from watcher.cli.output import Output
from watcher.journal.source import Source

PLAIN = Output(is_json=False, has_colour=False)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal file of this machine, in a directory of its own."""
    (tmp_path / "machine-id").write_text("c0ffee\n")
    monkeypatch.setattr(sight, "_MACHINE_ID", tmp_path / "machine-id")
    monkeypatch.setattr(sight, "_PLACES", (tmp_path / "run", tmp_path / "var"))
    path = tmp_path / "var" / "c0ffee" / "system.journal"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_a_closed_journal_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the way out; and nothing on standard output, where the answer goes."""
    monkeypatch.setattr(os, "access", lambda path, _: path != file)
    sight.warn_if_blind(Source(), PLAIN)
    out, err = capsys.readouterr()
    assert ("", True) == (out, "does not see the system's entries" in err)
    assert "member of the group systemd-journal" in err


@pytest.mark.usefixtures("file")
def test_an_open_journal_needs_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said to who reads it."""
    sight.warn_if_blind(Source(), PLAIN)
    assert "" == capsys.readouterr().err


@pytest.mark.parametrize("source", [Source(directory="/srv/journals"), Source(namespace="other")])
def test_other_journals(
    source: Source, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory that is named is read or fails by itself, and a namespace has files of its own."""
    monkeypatch.setattr(os, "access", lambda path, _: path != file)
    sight.warn_if_blind(source, PLAIN)
    assert "" == capsys.readouterr().err
