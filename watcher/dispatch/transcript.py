"""What a command prints: its beginning in a file of bounded size, its end in memory, a copy where one can be had.

Knows bytes only, and never lets the disk or a flood stop the command.
"""

from __future__ import annotations

import os

KEPT_IN_FILE = 256 * 1024
KEPT_AS_TAIL = 4096
_CUT = b"\n[release-watcher: the rest is not kept here]\n"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Transcript:
    """Takes output in pieces. `tail` is the last 4 KiB of it; `trouble` says why the file is incomplete, if it is."""

    __slots__ = ("_echo", "_fd", "_room", "tail", "trouble")

    def __init__(self, at: int, name: str, *, echo: int = -1) -> None:
        """Goes on with the file if there is one; a file that can't be opened costs the file, not the rollback.

        `echo` is a descriptor that gets a copy, of what it takes without waiting.
        """
        self.tail, self.trouble, self._fd, self._room, self._echo = b"", "", -1, 0, echo
        if echo >= 0:
            os.set_blocking(echo, False)
        try:
            self._fd = os.open(name, _FLAGS, 0o640, dir_fd=at)
            self._room = max(KEPT_IN_FILE - os.fstat(self._fd).st_size, 0)
        except OSError as error:
            self.trouble = f"{name}: {error.strerror}"

    def add(self, piece: bytes) -> None:
        """Take the next piece of output."""
        self.tail = (self.tail + piece)[-KEPT_AS_TAIL:]
        if self._echo >= 0:
            self._copy(piece)
        if self._room == 0:
            return
        kept = piece[: self._room]
        self._room -= len(kept)
        self._append(kept if self._room else kept + _CUT)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _copy(self, piece: bytes) -> None:
        try:
            os.write(self._echo, piece)
        except BlockingIOError:
            return  # journald is behind: it gets the next piece; file and tail have them all
        except OSError:
            self._echo = -1

    def _append(self, piece: bytes) -> None:
        try:
            while piece:
                piece = piece[os.write(self._fd, piece) :]
        except OSError as error:
            self.trouble, self._room = f"log: {error.strerror}", 0
