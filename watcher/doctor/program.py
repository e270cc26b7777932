"""Whether the program of a command is there and can be executed, as far as whoever asks can see.

The daemon asks this at its start and `release start` at each registration, so it stays light.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from watcher.core.shell import command_line

_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@dataclass(frozen=True, slots=True)
class Unusable:
    """What is wrong with the program, and the line to run. Both may hold names that others chose."""

    what: str
    hint: str


def unusable(command: Sequence[str]) -> Unusable | None:
    """Why the command can't be started by anybody; None if it can be. Raises PermissionError: that can't be told.

    Only the program is named: what it is given may not be for everybody who reads the answer.
    """
    path, name = command[0], command_line(command[:1])
    if not path.startswith("/"):
        return Unusable(f"{name}: no absolute path", "write the whole path, as in /usr/local/bin/…")
    try:
        mode = Path(path).stat().st_mode
    except PermissionError:
        raise
    except FileNotFoundError:
        return Unusable(f"{name} leads nowhere" if Path(path).is_symlink() else f"there is no {name}", f"ls -l {name}")
    except (OSError, ValueError) as error:  # a name that is too long, a file system that is away, a NUL
        return Unusable(f"{name}: {getattr(error, 'strerror', None) or error}", f"ls -l {name}")
    if not stat.S_ISREG(mode):
        return Unusable(f"{name} is no file", f"ls -ld {name}")
    return None if mode & _EXECUTABLE else Unusable(f"{name} can't be executed", f"chmod a+x {name}")
