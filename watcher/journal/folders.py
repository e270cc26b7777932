"""Whether journal files have come or gone: a second way to know, as inotify may have no watch left and never tell.

Knows where journal files lie; must not know readers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from watcher.journal.source import Source

MACHINE = ("/var/log/journal", "/run/log/journal")

Folders = frozenset[tuple[str, int, int, int]]
"""Path, device, inode and time of change of each folder."""


def folders_of(source: Source) -> Folders:
    """The folders as they are now; a different answer later means that files came or went, or the folder itself."""
    return frozenset(_seen(MACHINE if source.is_machine else (str(source.directory),)))


def _seen(roots: tuple[str, ...]) -> Iterator[tuple[str, int, int, int]]:
    for root in roots:
        path = Path(root)
        # libsystemd looks into a directory and into the ones below it that are named after a machine
        for folder in (path, *_below(path)):
            try:
                status = folder.stat()
            except OSError:
                # gone, or not to be seen: then it is not among the answer, which differs as well
                continue
            yield str(folder), status.st_dev, status.st_ino, status.st_mtime_ns


def _below(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir()]
    except OSError:
        # why it can't be read is told by whoever opens it
        return []
