"""Open what root is to believe: a file or directory that nobody but its owner can have changed, along its whole path.

Knows owners, modes and links, nothing of what is in the files. Every step of the path is opened relative to the one
before and looked at by its descriptor, so nothing can be exchanged in between.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Collection

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_STEP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class GroundError(Exception):
    """Somebody else can have changed it, or it can't be reached; the text names the step of the path, and a way out."""


def open_ground(path: str, *, owners: Collection[int], directory: bool = False) -> int:
    """A descriptor of the file (or directory) at an absolute path, whose every step belongs to one of `owners`.

    Raises FileNotFoundError: nothing is there. Raises GroundError: not to be believed. Raises OSError.
    """
    names = [name for name in path.split("/") if name]
    if not path.startswith("/") or not names or ".." in names or "." in names:
        raise GroundError(f"{path}: is no plain absolute path")
    at = _checked(os.open("/", _STEP | os.O_DIRECTORY), "/", owners)
    reached = ""
    for place, name in enumerate(names):
        reached += f"/{name}"
        is_last = place == len(names) - 1
        try:
            fd = _step(at, name, reached, directory=directory or not is_last)
        finally:
            os.close(at)
        at = _checked(fd, reached, owners)
    return at


def _step(at: int, name: str, reached: str, *, directory: bool) -> int:
    found = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
    if stat.S_ISLNK(found):
        raise GroundError(f"{reached}: is a symbolic link, and none is followed; put the file itself there")
    if not (stat.S_ISDIR(found) if directory else stat.S_ISREG(found)):
        raise GroundError(f"{reached}: is no {'directory' if directory else 'regular file'}")
    return os.open(name, _STEP, dir_fd=at)


def _checked(fd: int, reached: str, owners: Collection[int]) -> int:
    found = os.fstat(fd)
    why = ""
    if found.st_uid not in owners:
        why = f"belongs to user {found.st_uid}, not to root; chown root it"
    # In a sticky directory (/tmp) nobody can exchange what belongs to another.
    elif found.st_mode & _OTHERS_WRITE and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
        who = "everybody" if found.st_mode & stat.S_IWOTH else "its group"
        why = f"{who} may write there; chmod go-w it"
    if why:
        os.close(fd)
        raise GroundError(f"{reached}: {why}")
    return fd
