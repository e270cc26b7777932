"""Whether a directory is one that a state may be kept in: it holds next to nothing, or something of ours already.

A slip in `--state-dir` (/etc, a home) would else fill the directory of others with our files, and a daemon that takes
away what it knows as its own has no business there.
"""

from __future__ import annotations

from pathlib import Path

_OURS = frozenset({"state.id", "ballast", "notes", "rollback", "rollback-queue", "pauses.json", "control.sock"})
_DATABASE = "state.db"
_NO_SIGN = frozenset({"lock", "disarm", "lost+found", "conf.d", "rules.d"})
"""What a start that was cut off, a person, or the file system may have put there before anything else."""
_FEW = 3
"""So many plain files may lie there: a configuration, a log, a quota."""


def foreign(directory: Path) -> tuple[str, ...]:
    """The names in it that make it another's, in order; none where one of ours shows that it is a state's.

    One that is not there, or not for us to see, holds none: whoever uses it next will say so. Raises OSError.
    """
    try:
        paths = sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ()
    if any(path.name in _OURS or path.name.startswith(_DATABASE) for path in paths):
        return ()
    others = [path for path in paths if path.name not in _NO_SIGN and not path.name.startswith(".")]
    if len(others) <= _FEW and all(path.is_file() for path in others):
        return ()
    return tuple(path.name for path in others)
