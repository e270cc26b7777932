"""The one clock: what the tops of processes ask and everybody else gets as an argument."""

from __future__ import annotations

import time

from watcher.core.duration import Usec


def wall_clock() -> Usec:
    """Now, as the journal counts: microseconds of real time since 1970, UTC."""
    return Usec(time.time_ns() // 1_000)
