"""The lock of a state directory, between real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from watcher.adapters.lock import StateDirectoryError, StateLock, StateLockedError

HOLDER = """
import sys, pathlib
from watcher.adapters.lock import StateLock
with StateLock(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_daemon_is_refused_until_the_first_dies(tmp_path: Path) -> None:
    """The lock excludes, and the death of its holder by kill -9 gives it back."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert b"locked\n" == holder.stdout.readline()
        with pytest.raises(StateLockedError, match="another daemon"), StateLock(tmp_path):
            pytest.fail("two holders")
        holder.kill()
        holder.wait()
        with StateLock(tmp_path):
            assert (tmp_path / "lock").exists()


def test_a_state_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file in the way is named in the error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirectoryError, match="file/state/lock"), StateLock(tmp_path / "file" / "state"):
        pytest.fail("made a directory in a file")
