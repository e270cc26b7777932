"""Notes as files."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
from pathlib import Path

import pytest

from watcher.adapters.notes import NoteError, Notes
from watcher.core.names import ReleaseId

ID = ReleaseId("import-1")


def test_note_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    """Log text may hold secrets: directory 0700, files 0600, whatever the umask, and nothing else is left there."""
    notes = Notes(tmp_path / "state" / "notes")
    before = os.umask(0)
    try:
        notes.write(ID, "# PASSED ✓\n", {"schema": 1, "reason": "\u202e\ud800"})
    finally:
        os.umask(before)
    directory = tmp_path / "state" / "notes"
    assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
    assert ["import-1.json", "import-1.md"] == sorted(file.name for file in directory.iterdir())
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()}
    assert "# PASSED ✓\n" == notes.read(ID)
    text = (directory / "import-1.json").read_bytes()
    assert {"schema": 1, "reason": "\u202e\ud800"} == json.loads(text)
    assert text.isascii()


def test_writing_again_replaces(tmp_path: Path) -> None:
    """A rollback that ended makes the note anew; one that crashed half-way is overwritten too."""
    notes = Notes(tmp_path)
    notes.write(ID, "a long first note\n", {"n": 1})
    (tmp_path / ".import-1.md.tmp").write_text("what a crash has left, longer than what comes")
    notes.write(ID, "second\n", {"n": 2})
    assert "second\n" == notes.read(ID)
    assert {"n": 2} == json.loads((tmp_path / "import-1.json").read_text())
    assert ["import-1.json", "import-1.md"] == sorted(file.name for file in tmp_path.iterdir())


def test_same_note_gives_the_same_bytes(tmp_path: Path) -> None:
    """Writing what is there already changes no byte."""
    notes = Notes(tmp_path)
    notes.write(ID, "note\n", {"b": [1, 2], "a": None})
    before = [file.read_bytes() for file in sorted(tmp_path.iterdir())]
    notes.write(ID, "note\n", {"b": [1, 2], "a": None})
    assert before == [file.read_bytes() for file in sorted(tmp_path.iterdir())]


def test_release_without_a_note_has_none(tmp_path: Path) -> None:
    """Neither an empty nor a missing directory is an error."""
    assert Notes(tmp_path).read(ID) is None
    assert Notes(tmp_path / "missing").read(ID) is None


@pytest.mark.parametrize("name", ["../evil", "", ".hidden", "a/b", "a\nb"])
def test_id_that_is_no_plain_name_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is ever written or read outside the directory."""
    notes = Notes(tmp_path / "notes")
    with pytest.raises(NoteError, match="is no release id"):
        notes.write(ReleaseId(name), "x", {})
    with pytest.raises(NoteError, match="is no release id"):
        notes.read(ReleaseId(name))
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]


def test_planted_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the place of the temporary file is an error, and what it points at stays as it is."""
    target = tmp_path / "target"
    target.write_text("precious")
    directory = tmp_path / "notes"
    directory.mkdir()
    (directory / ".import-1.md.tmp").symlink_to(target)
    with pytest.raises(NoteError, match=rf"^{directory}/import-1\.md: {os.strerror(errno.ELOOP)}"):
        Notes(directory).write(ID, "x", {})
    assert "precious" == target.read_text()


def test_note_that_can_not_be_written_says_where_and_why(tmp_path: Path) -> None:
    """The message begins with the path; the old note stays whole."""
    (tmp_path / "notes").write_text("a file, not a directory")
    with pytest.raises(NoteError, match=rf"^{tmp_path}/notes: File exists") as caught:
        Notes(tmp_path / "notes").write(ID, "x", {})
    assert "tried again" in caught.value.hint
    good = Notes(tmp_path / "good")
    good.write(ID, "old\n", {})
    (tmp_path / "good" / ".import-1.md.tmp").mkdir()
    with pytest.raises(NoteError, match=rf"^{tmp_path}/good/import-1\.md: Is a directory"):
        good.write(ID, "new\n", {})
    assert "old\n" == good.read(ID)


def test_write_that_stops_in_the_middle_leaves_the_old_note(tmp_path: Path) -> None:
    """As on a full disk: the error is told, and both files are the old ones, whole."""
    notes = Notes(tmp_path)
    notes.write(ID, "old\n", {"n": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(NoteError, match=rf"^{tmp_path}/import-1\.json: File too large"):
            notes.write(ID, "new\n", {"n": "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "old\n" == notes.read(ID)
    assert {"n": 1} == json.loads((tmp_path / "import-1.json").read_text())


def test_note_that_is_no_text_is_an_error_with_its_path(tmp_path: Path) -> None:
    """A damaged file is said, not shown."""
    (tmp_path / "import-1.md").write_bytes(b"\xff\xfe")
    with pytest.raises(NoteError, match=rf"^{tmp_path}/import-1\.md: "):
        Notes(tmp_path).read(ID)
