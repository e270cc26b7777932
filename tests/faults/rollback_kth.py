"""A daemon or a runner whose k-th system call fails or kills it: `rollback_kth.py queue|run fail|kill K STATE COMMAND`.

Exits with 3 when the k-th call was reached, with 0 when there were fewer.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2]))

CALLS = ("open", "read", "write", "fsync", "link", "rename", "unlink", "stat", "pipe", "fork", "posix_spawn")
"""All that may fail; close(2) of what we open doesn't."""


class Trouble:
    """Counts the calls, and makes one of them go wrong."""

    def __init__(self, deed: str, at_call: int) -> None:
        self.left, self._deed = at_call, deed
        for name in CALLS:
            setattr(os, name, self._counting(getattr(os, name)))

    def _counting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: object, **options: object) -> Any:
            self.left -= 1
            if self.left != 0:
                return call(*args, **options)
            if self._deed == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return counted


def queue(state: str, command: str, deed: str, at_call: int) -> bool:
    """Queue as the daemon does; whether the call was reached."""
    from tests.dispatch.scene import failed_release, now, until  # noqa: PLC0415 - the runner is fast without
    from watcher.adapters.handover import RollbackError  # noqa: PLC0415 - the same
    from watcher.adapters.rollback import EmbeddedRollback  # noqa: PLC0415 - the same

    rollback = EmbeddedRollback(Path(state), now)
    release = failed_release(tuple(json.loads(command)))
    trouble = Trouble(deed, at_call)
    try:
        rollback.queue(release)
    except RollbackError as error:
        assert trouble.left <= 0, error  # noqa: PT017 - an error of its own would be another finding
    hit = trouble.left <= 0
    trouble.left = 0
    until(lambda: not rollback._alive)
    return hit


def run(state: str, deed: str, at_call: int) -> bool:
    """Run the claim as the runner does; whether the call was reached."""
    from watcher.dispatch import once  # noqa: PLC0415 - before the calls are counted

    trouble = Trouble(deed, at_call)
    once.main([f"{state}/rollback", "import-1"])
    return trouble.left <= 0


if __name__ == "__main__":
    who, deed, at_call, state, command = sys.argv[1:]
    hit = queue(state, command, deed, int(at_call)) if who == "queue" else run(state, deed, int(at_call))
    os._exit(3 if hit else 0)
