"""The control socket's place in the file system: made for owner and group, taken over from a dead daemon, given back.

Knows paths and unix sockets; nothing of what is served there.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from watcher.core.errors import WatcherError

_LOG = logging.getLogger("watcher.http")


class SocketError(WatcherError):
    """The socket can't be opened where it should be."""


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path` for its owner and group; at the end the path is free again.

    Raises SocketError.
    """
    _make_way(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise SocketError(f"{path}: {error.strerror or error}", hint=_hint(path, error)) from error
    finally:
        os.umask(before)
    ours = path.stat().st_ino
    listener.listen(128)
    listener.settimeout(0)
    try:
        yield listener
    finally:
        listener.close()
        try:
            with suppress(FileNotFoundError):
                if path.stat().st_ino == ours:
                    path.unlink()
        except OSError as error:  # all else was put away well; the next daemon finds a dead socket and removes it
            _LOG.warning("socket stays behind", extra={"facts": {"path": path, "why": error.strerror}})


def _make_way(path: Path) -> None:
    """Remove a socket that a dead daemon left.

    Raises SocketError when something else is there, or a daemon that lives.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing there; why it can't be made, if so, bind tells better
    if not stat.S_ISSOCK(mode):
        raise SocketError(f"{path}: is no socket", hint="move it away, or choose another path with --socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise SocketError(f"{path}: {error.strerror or error}", hint="choose another path with --socket") from error
    raise SocketError(f"{path}: another daemon listens there", hint="stop it, or choose another path with --socket")


def _hint(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"make the directory {path.parent}"
    if isinstance(error, PermissionError):
        return f"let this user write in {path.parent}, or choose another path with --socket"
    return "choose another path with --socket (a socket's path has at most 107 bytes)"
