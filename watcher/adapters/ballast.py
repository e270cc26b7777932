"""Room on the disk that is held back, so that a decision can still be stored when everything else is full.

Knows a file of random bytes, which no file system can shrink; must not know what a decision is.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

NAME = "ballast"
SIZE = 256 * 1024
_PROBE, _PROBED = "ballast.probe", 64 * 1024
_PLENTY = 4 * SIZE
"""So much has to be free before room is held back: else it would take at once what it was just given up for."""


class Ballast:
    """The ballast of a state directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / NAME
        self._is_laid = self._path.exists() and self._path.stat().st_size == SIZE

    def lay(self) -> None:
        """Hold the room back if it is not yet, and if there is plenty. Raises OSError for a directory that is gone."""
        if self._is_laid or not self._has_plenty():
            return
        try:
            self._path.write_bytes(os.urandom(SIZE))
        except OSError:
            self._path.unlink(missing_ok=True)  # full after all: the next time
            return
        self._is_laid = True

    def drop(self) -> bool:
        """Give the room up; whether there was any. Raises OSError."""
        there = self._path.exists()
        self._path.unlink(missing_ok=True)
        self._is_laid = False
        return there

    def _has_plenty(self) -> bool:
        disk = os.statvfs(self._directory)
        return disk.f_bavail * disk.f_frsize >= _PLENTY


def has_no_room(directory: Path) -> bool:
    """Whether not even a small file finds room there: the disk is full, or a quota is used up (EDQUOT).

    SQLite says of a quota only that a write failed, so that has to be asked of the disk itself.
    """
    probe = directory / _PROBE
    is_full = False
    try:
        probe.write_bytes(os.urandom(_PROBED))
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    with suppress(OSError):  # the next probe writes over what stays
        probe.unlink()
    return is_full
