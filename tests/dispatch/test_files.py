"""Small files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.dispatch import files


@pytest.fixture
def at(tmp_path: Path) -> Iterator[int]:
    """The test's own directory, opened."""
    fd = files.open_directory(tmp_path)
    yield fd
    os.close(fd)


def test_created_once(at: int, tmp_path: Path) -> None:
    """The second to create a file is told so, and changes nothing."""
    os.close(files.create(at, "x", b"mine", durable=True))
    with pytest.raises(FileExistsError):
        files.create(at, "x", b"yours", durable=True)
    assert (["x"], b"mine") == (os.listdir(tmp_path), (tmp_path / "x").read_bytes())


def test_create_behind_a_link(at: int, tmp_path: Path) -> None:
    """A link that stands there already is neither followed nor replaced."""
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        files.create(at, "x", b"mine", durable=False)
    assert ["x"] == os.listdir(tmp_path)


def test_created_file_is_locked(at: int) -> None:
    """Whoever created it holds it, until that descriptor is closed."""
    mine = files.create(at, "x", b"", durable=False)
    theirs = files.open_plain(at, "x")
    assert (True, False) == (files.locked(theirs), files.take_lock(theirs))
    os.close(mine)
    assert (False, True) == (files.locked(theirs), files.take_lock(theirs))
    os.close(theirs)


def test_asking_disturbs_nobody_who_asks(at: int) -> None:
    """Two may ask at once whether a file is held, and both hear that it isn't."""
    os.close(files.create(at, "x", b"", durable=False))
    first, second = files.open_plain(at, "x"), files.open_plain(at, "x")
    assert [False, False, False] == [files.locked(first), files.locked(second), files.locked(first)]
    os.close(first)
    os.close(second)


@pytest.mark.parametrize("durable", [True, False])
def test_replaced_whole(at: int, tmp_path: Path, *, durable: bool) -> None:
    """A link in the place is replaced, not written through; the file is private."""
    (tmp_path / "victim").write_bytes(b"untouched")
    (tmp_path / "x").symlink_to(tmp_path / "victim")
    files.replace(at, "x", b"new", durable=durable)
    files.replace(at, "x", b"newer", durable=durable)
    assert (b"newer", b"untouched") == ((tmp_path / "x").read_bytes(), (tmp_path / "victim").read_bytes())
    assert 0o640 == (tmp_path / "x").lstat().st_mode & 0o7777
    assert ["victim", "x"] == sorted(os.listdir(tmp_path))


def test_failed_replacement_leaves_nothing(at: int, tmp_path: Path) -> None:
    """When the name can't be taken, the half that was written goes away."""
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(at, "x", b"new", durable=False)
    assert ["x"] == os.listdir(tmp_path)


def test_read_of_strange_things(at: int, tmp_path: Path) -> None:
    """Only a regular file of bounded size is read."""
    (tmp_path / "x").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    assert b"12345" == files.read(at, "x", limit=5)
    for name in ("link", "fifo", "directory"):
        with pytest.raises(files.NotPlainError, match="is no regular file"):
            files.read(at, name, limit=5)
    with pytest.raises(files.NotPlainError, match="is larger than 4 bytes"):
        files.read(at, "x", limit=4)
    with pytest.raises(FileNotFoundError):
        files.read(at, "nothing", limit=4)


def test_link_to_nowhere_exists(at: int, tmp_path: Path) -> None:
    """Whatever stands under a name takes it."""
    (tmp_path / "x").symlink_to("nowhere")
    assert (True, False) == (files.exists(at, "x"), files.exists(at, "y"))


def test_leftovers_are_swept(at: int, tmp_path: Path) -> None:
    """Old halves go; young ones, and everything else, stay."""
    for name, age in ((".x.tmp", 100), (".y.tmp", 300), (".z", 100), ("z.tmp", 100)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (age, age))
    files.sweep(at, older_than_ns=200 * 10**9)
    assert [".y.tmp", ".z", "z.tmp"] == sorted(os.listdir(tmp_path))
