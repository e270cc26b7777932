"""Small files that are whole or not there, in a directory that is held open.

Knows how to make a file durable and how to read one that a stranger may have put there; nothing of what is in it.
Imports little: the start of a rollback waits for these imports.
"""

from __future__ import annotations

import fcntl
import os
import stat

from watcher.dispatch.failpoint import reached

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PRIVATE = 0o640
"""For the owner, and in root's directory for the daemon's group; that of a by-hand daemon is closed to all others."""


class NotPlainError(OSError):
    """What stands under the name is a link, a device or too big: nothing that we wrote."""


def open_directory(path: str | os.PathLike[str]) -> int:
    """A descriptor of the directory; every other function here takes it as `at`. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def exists(at: int, name: str) -> bool:
    """Whether anything stands under the name, be it a link to nowhere."""
    try:
        os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def is_link(at: int, name: str) -> bool:
    """Whether a symbolic link stands under the name."""
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def open_plain(at: int, name: str) -> int:
    """A descriptor to read a regular file with; no link is followed and no FIFO waited for.

    Raises NotPlainError, or FileNotFoundError and other OSErrors as they come.
    """
    if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
        raise NotPlainError(0, "is no regular file", name)
    return os.open(name, _OLD, dir_fd=at)  # a link put there in between ends as ELOOP


def read(at: int, name: str, *, limit: int) -> bytes:
    """The whole contents of a regular file. Raises NotPlainError (also past `limit` bytes) and OSError."""
    fd = open_plain(at, name)
    try:
        contents = os.read(fd, limit + 1)
    finally:
        os.close(fd)
    if len(contents) > limit:
        raise NotPlainError(0, f"is larger than {limit} bytes", name)
    return contents


def create(at: int, name: str, contents: bytes, *, durable: bool) -> int:
    """Make a file that was not there; it is complete, and locked by the caller, from the instant that it can be seen.

    O_CREAT|O_EXCL alone would show an empty, unlocked file for a moment, and for ever if we die in that moment. So
    the file is written under a hidden name and linked to its own: link(2) is as exclusive, and refuses to replace.

    Returns the descriptor that holds the lock; it is freed with the descriptor. `durable`: the contents are on the
    disk before the name is; the name itself is durable only after `sync(at)`.
    Raises FileExistsError: somebody else was first. Raises OSError.
    """
    hidden = _hidden(name)
    fd = os.open(hidden, _NEW, _PRIVATE, dir_fd=at)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        _write(fd, contents)
        if durable:
            os.fsync(fd)
        reached("half_created")
        os.link(hidden, name, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False)
    except BaseException:
        os.close(fd)
        raise
    finally:
        _discard(at, hidden)
    return fd


def replace(at: int, name: str, contents: bytes, *, durable: bool) -> None:
    """Put a file in place, whole, whatever stood there before.

    `durable`: the contents reach the disk before the name, and the name before this returns. Raises OSError.
    """
    hidden = _hidden(name)
    fd = os.open(hidden, _NEW, _PRIVATE, dir_fd=at)
    try:
        try:
            _write(fd, contents)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        reached("half_replaced")
        os.rename(hidden, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        _discard(at, hidden)
        raise
    if durable:
        sync(at)


def remove(at: int, name: str) -> None:
    """Remove a file that may be gone already. Raises OSError."""
    try:
        os.unlink(name, dir_fd=at)
    except FileNotFoundError:
        return


def sweep(at: int, *, older_than_ns: int) -> None:
    """Remove the hidden halves that a crash left behind; a younger one may still be written. Raises OSError."""
    for name in os.listdir(at):
        if name.startswith(".") and name.endswith(".tmp"):
            try:
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
            except FileNotFoundError:
                continue  # its writer has finished it meanwhile
            if found.st_mtime_ns < older_than_ns:
                remove(at, name)


def sync(at: int) -> None:
    """Make every name in the directory durable. Raises OSError."""
    os.fsync(at)


def locked(fd: int) -> bool:
    """Whether another holds the file that `create` locked; two who ask at once don't disturb each other."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def take_lock(fd: int) -> bool:
    """Hold the file as its creator did, unless somebody holds it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hidden(name: str) -> str:
    return f".{name}.{os.urandom(6).hex()}.tmp"


def _discard(at: int, hidden: str) -> None:
    """Remove the hidden name; what becomes of it changes nothing any more, and `sweep` takes what stays."""
    try:
        os.unlink(hidden, dir_fd=at)
    except OSError:
        return


def _write(fd: int, contents: bytes) -> None:
    while contents:
        contents = contents[os.write(fd, contents) :]
