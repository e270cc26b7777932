"""Which file the path of the database names, to find that it was taken away or replaced under its open connection.

SQLite writes on into a file that has no name any more: everything is answered as if it were stored, and nothing is
there at the next start.
"""

from __future__ import annotations

import os
from pathlib import Path


class Place:
    """The file that stands at the path when this is made."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = os.fspath(path)
        self._file = self._now()

    def trouble(self) -> str | None:
        """Why what is written now would be lost, in words; None if the path still names the same file.

        Costs one call of the system, some two microseconds.
        """
        try:
            found = self._now()
        except OSError as error:
            return f"was taken away under the daemon ({error.strerror})"
        return None if found == self._file else "was replaced under the daemon by another file"

    def _now(self) -> tuple[int, int]:
        found = os.stat(self._path)  # noqa: PTH116 - before each commit; Path costs as much again
        return found.st_dev, found.st_ino
