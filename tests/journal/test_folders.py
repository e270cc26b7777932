from __future__ import annotations

from pathlib import Path

import pytest

from watcher.journal.folders import folders_of
from watcher.journal.source import Source


@pytest.mark.parametrize("place", [".", "a" * 32])
def test_file_that_comes_and_goes(tmp_path: Path, place: str) -> None:
    """A new, a renamed and a removed file show, also in a machine's own directory."""
    source = Source(directory=str(tmp_path))
    (tmp_path / place).mkdir(exist_ok=True)
    seen = [folders_of(source)]
    (tmp_path / place / "system.journal").touch()
    seen.append(folders_of(source))
    (tmp_path / place / "system.journal").rename(tmp_path / place / "archived.journal")
    seen.append(folders_of(source))
    (tmp_path / place / "archived.journal").unlink()
    seen.append(folders_of(source))
    assert 4 == len(set(seen))
    assert seen[-1] == folders_of(source)


def test_growing_file_is_no_change(tmp_path: Path) -> None:
    """What is written into a file doesn't show: that the library sees by itself."""
    file = tmp_path / "system.journal"
    file.write_bytes(b"1")
    source = Source(directory=str(tmp_path))
    before = folders_of(source)
    with file.open("ab") as growing:
        growing.write(b"2")
    assert before == folders_of(source)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A missing directory is none, and no error."""
    assert frozenset() == folders_of(Source(directory=str(tmp_path / "nowhere")))


def test_journal_of_the_machine() -> None:
    """The machine's journal lies in one of two places, if there is any."""
    assert all(folder.startswith(("/var/log/journal", "/run/log/journal")) for folder, *_ in folders_of(Source()))
