"""`systemctl show`, asked while something else goes on: a registration must not wait for it.

Loads nothing that a release verb does not load anyway. Knows the process and its pipe; judges nothing.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_BOOTED = Path("/run/systemd/system")
_PIECE = 65_536
_LARGEST = 1 << 20
_MILLISECONDS = 1000


class UnitQuestion:
    """The question, asked when this is made; `answer` or `drop` must be called. Without systemd there is no answer."""

    def __init__(self, units: Sequence[str], properties: Sequence[str]) -> None:
        self._process = 0
        self._pipe = -1
        if not units or not _BOOTED.is_dir():
            return
        reading, writing = os.pipe2(os.O_CLOEXEC)
        argv = ["systemctl", "show", "--property", ",".join(properties), "--", *units]
        quiet = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        try:
            self._process = os.posix_spawnp(
                argv[0],
                argv,
                {**os.environ, "LC_ALL": "C"},
                file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1), quiet],
            )
        except OSError:
            os.close(reading)  # no systemctl: then there is no answer, and nothing to say about it
        else:
            self._pipe = reading
        finally:
            os.close(writing)

    def answer(self, *, seconds: float) -> list[Mapping[str, str]]:
        """The properties of each unit; none if it takes longer than `seconds` for each piece of the answer."""
        text = b""
        if self._pipe >= 0:
            poll = select.poll()
            poll.register(self._pipe, select.POLLIN)
            while poll.poll(seconds * _MILLISECONDS) and len(text) < _LARGEST:
                piece = os.read(self._pipe, _PIECE)
                if not piece:
                    self.drop()
                    return _parsed(text.decode(errors="replace"))
                text += piece
        self.drop()
        return []

    def drop(self) -> None:
        """Not asked any more; harmless when it is answered."""
        if self._pipe >= 0:
            os.close(self._pipe)
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            self._pipe = -1


def _parsed(text: str) -> list[Mapping[str, str]]:
    blocks = (block.splitlines() for block in text.split("\n\n"))
    return [dict(line.split("=", 1) for line in block if "=" in line) for block in blocks if block]
