"""Room on the disk that is held back, so that a decision can still be stored when everything else is full.

Knows a file of random bytes, which no file system can shrink; must not know what a decision is.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path

NAME = "ballast"
SIZE = 256 * 1024
_PROBE, _PROBED = "ballast.probe", 64 * 1024
_PLENTY = 4 * SIZE
"""So much has to be free before room is held back: else it would take at once what it was just given up for."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HINT = "a decision may find no room when the disk is full: check the owner, mode and disk of the state directory"
_LOG = logging.getLogger("watcher")


class Ballast:
    """The ballast of a state directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / NAME
        self._is_laid = self._path.is_file() and self._path.stat().st_size == SIZE
        self._complaint: int | None = None

    def lay(self) -> None:
        """Hold the room back if it is not yet, and if there is plenty.

        What keeps it from that is logged, once for each cause: whoever calls has just stored what matters.
        """
        if self._is_laid:
            return
        try:
            if self._has_plenty():
                self._write()
        except OSError as error:
            if error.errno != self._complaint:
                facts = {"file": self._path, "why": error.strerror, "hint": _HINT}
                _LOG.warning("no room is held back for decisions", extra={"facts": facts})
            self._complaint = error.errno

    def drop(self) -> bool:
        """Give the room up; whether there was any that could be. What keeps it from that is logged."""
        there = self._path.exists()
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            facts = {"file": self._path, "why": error.strerror, "hint": _HINT}
            _LOG.warning("room that is held back can't be given up", extra={"facts": facts})
            return False
        self._is_laid = False
        return there

    def _write(self) -> None:
        try:
            _fill(self._path, SIZE)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._path.unlink(missing_ok=True)  # full after all: the next time
            return
        self._is_laid, self._complaint = True, None

    def _has_plenty(self) -> bool:
        disk = os.statvfs(self._directory)
        return disk.f_bavail * disk.f_frsize >= _PLENTY


def _fill(path: Path, size: int) -> None:
    """So many random bytes; a file that is made by it is for its owner alone, as all that lies beside it."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(os.urandom(size))


def has_no_room(directory: Path) -> bool:
    """Whether not even a small file finds room there: the disk is full, or a quota is used up (EDQUOT).

    SQLite says of a quota only that a write failed, so that has to be asked of the disk itself.
    """
    probe = directory / _PROBE
    is_full = False
    try:
        _fill(probe, _PROBED)
    except OSError as error:
        is_full = error.errno in _FULL
    with suppress(OSError):  # the next probe writes over what stays
        probe.unlink()
    return is_full
