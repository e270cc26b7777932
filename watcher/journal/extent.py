"""Bounded reading of recorded entries, in this process: for `watcher replay` and baselines.

The same batches, scanner and order check as live; knows no position and no process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from systemd._reader import _Reader

from watcher.core.duration import Usec
from watcher.core.rule import WatchedJob
from watcher.journal.elsewhere import UNKNOWN, Elsewhere, find_elsewhere
from watcher.journal.follow import Follower
from watcher.journal.opening import MakeReader
from watcher.journal.reading import Reading
from watcher.journal.source import Source


def read_extent(
    source: Source,
    jobs: Sequence[WatchedJob],
    *,
    since: Usec,
    until: Usec | None = None,
    make: MakeReader = _Reader,
    stop: Usec | None = None,
    elsewhere: Elsewhere | None = None,
) -> Iterator[Reading]:
    """The entries from the first one at or past `since` up to, not with, the next one at or past `until`.

    A batch that ends at or past `until` is thrown away and read again entry by entry up to the exact place. The last
    reading holds no entry. Each tells how far one is.
    With `stop` a reading ends right before the first entry at or past that instant, and reading goes on.
    `elsewhere` as `find_elsewhere` found it; None: it is found now.
    Raises JournalError: it can't be read, or not on; and the scanner's errors for bad patterns.
    """
    if elsewhere is None:
        elsewhere = UNKNOWN if until is None else find_elsewhere(source, jobs, until=until)
    ends = [end for end in (stop, until) if end is not None]
    follower = Follower(source, jobs, since=since, until=ends[0] if ends else None, make=make, elsewhere=elsewhere)
    try:
        while True:
            reading = follower.step()
            yield reading
            if follower.finished and ends[1:]:
                follower.go_on(ends.pop())
            elif follower.finished or (reading.at_tail and not reading.entries):
                return
    finally:
        follower.close()
