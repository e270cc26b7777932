"""What an earlier daemon leaves beside its database: claims and results of rollbacks, and notes.

Told from nothing but names: where there are any, a database was there as well, whatever became of it and of its mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_SUFFIXES = (".claim", ".started", ".result", ".md")


def has_traces(directories: Iterable[Path]) -> bool:
    """Whether one of them holds a claim, a result or a note. What is not there, or not for us to see, tells nothing.

    Raises OSError: one of them can't be read now.
    """
    return any(map(_has_any, directories))


def _has_any(directory: Path) -> bool:
    try:
        names = [path.name for path in directory.iterdir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    return any(name.endswith(_SUFFIXES) for name in names)
