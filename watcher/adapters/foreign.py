"""Whether a directory is one that a state may be kept in: it is empty, or it holds something of ours already.

Told from nothing but names. A slip in `--state-dir` would else fill the directory of others with our files, and a
daemon that takes away what it knows as its own has no business there.
"""

from __future__ import annotations

from pathlib import Path

_OURS = frozenset({"state.id", "ballast", "notes", "rollback", "rollback-queue", "pauses.json", "control.sock"})
_DATABASE = "state.db"
_NO_SIGN = frozenset({"lock", "disarm", "lost+found"})
"""What a start that was cut off, a person, or the file system may have put there before anything else."""


def foreign(directory: Path) -> tuple[str, ...]:
    """The names in it that are not ours, in order; none where one that is ours shows whose directory it is.

    One that is not there, or not for us to see, holds none: whoever uses it next will say so. Raises OSError.
    """
    try:
        names = [path.name for path in directory.iterdir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ()
    if any(name in _OURS or name.startswith(_DATABASE) for name in names):
        return ()
    return tuple(sorted(name for name in names if name not in _NO_SIGN and not name.startswith(".")))
