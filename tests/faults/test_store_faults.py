"""The store on a disk that is full, that fails, and whose power is cut, at each call."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.disk import GO, KILL, Disk, build
from tests.faults.store_child import NOW, STORY, kept, states, tell_on
from watcher.adapters.store import Store

CHILD = Path(__file__).with_name("store_child.py")
KNOWN = [kept(one) for one in states()]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library between the child and libc."""
    return build(tmp_path_factory.mktemp("s"))


class Trouble:
    """Lets the k-th call of one kind go wrong, for once."""

    def __init__(self, call: str, at_call: int, answer: bytes) -> None:
        self.left, self._call, self._answer = at_call, call, answer

    def __call__(self, call: str, _file: str) -> bytes:
        """The answer to one call."""
        if call == self._call:
            self.left -= 1
            return self._answer if self.left == 0 else GO
        return GO


def play(disk: Disk, directory: Path, *mode: str) -> tuple[int, int, int]:
    """Exit code of the child, how many commits it acknowledged, how often its disk was full."""
    argv = [sys.executable, str(CHILD), str(directory), *mode]
    environment = {**os.environ, **disk.environment}
    done = subprocess.run(argv, env=environment, input="\n" * 5000, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode in (0, 75, -9), done.stderr
    return done.returncode, sum(line.startswith("acknowledged") for line in lines), lines.count("full")


def goes_on(directory: Path, acknowledged: int) -> None:
    """The next process has everything that was acknowledged, nothing half, and ends where the story does."""
    store = Store.open(directory, NOW)
    held = store.load()
    assert kept(held) in KNOWN[acknowledged : acknowledged + 2]
    assert not store.lost
    place = KNOWN.index(kept(held))
    tell_on(store, held, place)
    assert KNOWN[-1] == kept(store.load())
    store.close()
    database = sqlite3.connect(directory / "state.db")
    assert ("ok",) == database.execute("PRAGMA integrity_check").fetchone()
    database.close()


class FullAgain:
    """There is no room at the first write of a commit, when that is tried again at the second, and so on."""

    def __init__(self, trouble: int) -> None:
        self._seen, self._limit, self._answer = 0, 1, bytes([trouble])

    def __call__(self, call: str, file: str) -> bytes:
        """The answer to one call."""
        if (call, file) == ("synced", "told"):
            self._seen, self._limit = 0, 1
        if (call, file) == ("write", "ballast.probe"):
            return self._answer
        if call != "write" or file not in ("state.db", "state.db-wal"):
            return GO
        self._seen += 1
        if self._seen < self._limit:
            return GO
        self._seen, self._limit = 0, self._limit + 1
        return self._answer


@pytest.mark.timeout(180)
def test_disk_full_at_each_write_of_the_opening(library: Path, tmp_path: Path) -> None:
    """A start on a full disk is one to be tried again, not one that a person must mend, and leaves nothing half."""
    number, full, codes = 0, 0, set()
    while full == 0:  # until it is a write of the first commit that fails
        number += 1
        directory = tmp_path / f"{number}"
        directory.mkdir()
        with Disk(library, directory, Trouble("write", number, bytes([errno.ENOSPC]))) as disk:
            code, acknowledged, full = play(disk, directory)
        codes.add(code)
        goes_on(directory, acknowledged)
    assert {0, 75} == codes
    assert number > 5


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_disk_full_at_each_write(library: Path, tmp_path: Path, trouble: int) -> None:
    """Of each commit every write fails once: nothing half is stored, memory equals database, it goes on by itself.

    A quota that is used up is a full disk, though SQLite knows it for an I/O error only.
    """
    directory = tmp_path / "d"
    directory.mkdir()
    Store.open(directory, NOW).close()
    with Disk(library, directory, FullAgain(trouble)) as disk:
        code, acknowledged, full = play(disk, directory, "told")
    assert (0, len(STORY)) == (code, acknowledged)
    assert full > 5 * len(STORY)
    goes_on(directory, acknowledged)


def test_decision_on_a_disk_without_room(tmp_path: Path) -> None:
    """What is only counted waits for room; a verdict with its rollback is stored in the room that was held back."""
    directory = tmp_path / "full"
    directory.mkdir()
    script = f"mount -t tmpfs -o size=3m none {directory} && exec {sys.executable} {CHILD} {directory} fill"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert (0, "counted: full\ndecided: stored\n") == (done.returncode, done.stdout), done.stderr


@pytest.mark.timeout(180)
def test_fsync_that_fails_at_each_call(library: Path, tmp_path: Path) -> None:
    """The process ends at once, and the next one begins at the last commit that is on the disk."""
    number = 0
    while True:
        number += 1
        directory = tmp_path / f"{number}"
        directory.mkdir()
        trouble = Trouble("sync", number, bytes([errno.EIO]))
        with Disk(library, directory, trouble) as disk:
            code, acknowledged, _ = play(disk, directory)
        goes_on(directory, acknowledged)
        if trouble.left > 0:
            break
        assert 75 == code or len(STORY) == acknowledged
    assert (0, len(STORY)) == (code, acknowledged)
    assert number > len(STORY)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("call", ["sync", "synced"])
def test_power_cut_at_each_commit(library: Path, tmp_path: Path, call: str) -> None:
    """Whatever was not fsynced is gone; what was acknowledged is there, and the rest comes again, once."""
    number = 0
    while True:
        number += 1
        directory = tmp_path / f"{number}"
        directory.mkdir()
        trouble = Trouble(call, number, KILL)
        with Disk(library, directory, trouble) as disk:
            code, acknowledged, _ = play(disk, directory)
            if trouble.left > 0:
                break
            assert -9 == code
            disk.cut()
        goes_on(directory, acknowledged)
    assert (0, len(STORY)) == (code, acknowledged)
    assert number > len(STORY)
