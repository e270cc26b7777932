"""The final notes as files: `ID.md` for people and `ID.json` for programs.

Knows names, modes and durability; what stands in a note is made in `core/note.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from watcher.core.errors import WatcherError
from watcher.core.names import ReleaseId, is_safe_name

_FILE_MODE, _DIRECTORY_MODE = 0o600, 0o700  # log text may hold secrets


class NoteError(WatcherError):
    """A note can't be written or read; the message begins with its path."""


class Notes:
    """The directory of the notes, made when the first one is written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._is_durable = False

    def write(self, release_id: ReleaseId, markdown: str, record: Mapping[str, Any]) -> None:
        """Keep the note of the release, in place of an older one.

        Each file is whole, old or new, at any instant, and both survive a power cut once this returns.
        Raises NoteError.
        """
        with _told(self._directory):
            self._directory.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
            if not self._is_durable:  # an earlier process may have made it and died before its name was on the disk
                _sync_directory(self._directory.parent)
                self._is_durable = True
        text = json.dumps(record, indent=2) + "\n"  # in ASCII: safe on a terminal, and for lone surrogates
        for suffix, content in ((".json", text), (".md", markdown)):
            path = self._path(release_id, suffix)
            with _told(path):
                _replace(path, content.encode())
        with _told(self._directory):
            _sync_directory(self._directory)

    def read(self, release_id: ReleaseId) -> str | None:
        """The note for people; None when there is none. Raises NoteError."""
        path = self._path(release_id, ".md")
        with _told(path):
            return path.read_bytes().decode() if path.exists() else None

    def _path(self, release_id: ReleaseId, suffix: str) -> Path:
        if not is_safe_name(release_id):
            raise NoteError(f"{self._directory}: {release_id!r} is no release id")
        return self._directory / f"{release_id}{suffix}"


def _replace(path: Path, content: bytes) -> None:
    """The temporary name begins with a dot, as no release id does; a crash leaves it to the next writing."""
    temporary = path.with_name(f".{path.name}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, _FILE_MODE), "wb") as file:  # noqa: PTH123 - Path.open takes no descriptor
        os.fchmod(file.fileno(), _FILE_MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NoteError(
            f"{path}: {reason}", hint="check the room, owner and mode of the state directory; it is tried again"
        ) from error
