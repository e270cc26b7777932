"""One line on a terminal that says how far a range of the journal is read."""

from __future__ import annotations

import sys
import time

from watcher.core.duration import Usec

_SECONDS = 0.2


class Progress:
    """One line on a terminal that says how far the range is read; silent elsewhere."""

    def __init__(self, since: Usec, until: Usec) -> None:
        self._since, self._span = since, until - since
        self._entries, self._shown_at = 0, 0.0
        self._is_on = sys.stderr.isatty()

    def show(self, entries: int, read_until: Usec) -> None:
        """`entries` more were read, and everything before `read_until` was."""
        self._entries += entries
        now = time.perf_counter()
        if self._is_on and now - self._shown_at >= _SECONDS:
            self._shown_at = now
            done = min(max((read_until - self._since) / self._span, 0.0), 1.0)
            print(f"\r{done:6.1%}  {self._entries} entries read", end="", file=sys.stderr, flush=True)  # noqa: T201

    def end(self) -> None:
        """Take the line away."""
        if self._is_on:
            print("\r\033[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - the terminal's line
