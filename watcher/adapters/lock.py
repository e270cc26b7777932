"""One daemon a state directory: a lock that the kernel gives back when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from watcher.adapters.foreign import foreign
from watcher.core.errors import WatcherError
from watcher.core.text import shown


class StateLockedError(WatcherError):
    """Another daemon has this state directory."""


class StateDirectoryError(WatcherError):
    """The state directory can't be made or written."""


class StateDiskError(WatcherError):
    """The disk of the state directory fails or is full, or the machine is short of something: to be tried again."""


_TRANSIENT = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOLCK}
"""What says nothing against the directory: there may be room, or enough of it, a moment later."""


_NAMED = 2
"""So many things of others are named."""
_LONGEST = 60


class StateLock:
    """The exclusive lock of a state directory; a context manager that holds it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd = -1

    def __enter__(self) -> Self:
        """Make the directory (0700) if it is missing, and lock it.

        Raises StateLockedError, StateDirectoryError (also for a directory of others) and StateDiskError.
        """
        path = self._directory / "lock"
        try:
            _refuse(self._directory, foreign(self._directory))
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            if not isinstance(error, BlockingIOError):
                raise _unusable(path, error) from error
            raise StateLockedError(
                f"{self._directory}: another daemon runs on this state directory",
                hint="stop it first, or give this one a --state-dir of its own",
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def _refuse(directory: Path, names: tuple[str, ...]) -> None:
    """Raises StateDirectoryError if there are any."""
    if names:
        some = ", ".join(shown(name, limit=_LONGEST) for name in names[:_NAMED]) + (
            f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        )
        raise StateDirectoryError(
            f"{directory}: holds things of others ({some}) and no state of release-watcher",
            hint=f"give it a directory of its own, as in --state-dir {directory / 'release-watcher'}",
        )


def _unusable(path: Path, error: OSError) -> WatcherError:
    message = f"{path}: {error.strerror}"
    if error.errno in _TRANSIENT:
        return StateDiskError(message, hint="make room for what it lacks; of a failing disk the kernel log tells")
    return StateDirectoryError(message, hint="the state directory must be the daemon's own; see --state-dir")
