"""Reads a long range of the journal for one job, by this process and others at once, each a part after the other.

The same scan as live. A part is read from a little before its begin, so that what is under way there (a stack trace, a
crash that is told twice) is known; what lies before is not told again.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from watcher.core.coverage import GapReason
from watcher.core.duration import HOUR, MINUTE, Usec
from watcher.core.piece import Piece, joined
from watcher.core.rule import WatchedJob
from watcher.journal.elsewhere import Elsewhere, find_elsewhere
from watcher.journal.extent import read_extent
from watcher.journal.source import Source

PROCESSES = 2
PARTS = 8
"""Days are uneven: more parts than processes, so that none waits long for the other."""
LONG = Usec(24 * HOUR)
"""A shorter range isn't worth the start of a process."""
OVERLAP = MINUTE
Told = Callable[[int, Usec], None]
"""Told how many entries more were read, and how far all parts together are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a range, `[since, until)`, that is read from `begin` on."""

    begin: Usec
    since: Usec
    until: Usec


def read_pieces(
    source: Source, job: WatchedJob, *, since: Usec, until: Usec, processes: int = PROCESSES, told: Told | None = None
) -> Piece:
    """The range as one piece; this process is one of the `processes` that read.

    Raises JournalError, and OSError where no process can be started.
    """
    elsewhere = find_elsewhere(source, (job,), until=until)
    if processes == 1 or until - since < LONG:
        return read_piece(source, job, Part(begin=since, since=since, until=until), elsewhere)
    cuts = [Usec(since + (until - since) * part // PARTS) for part in range(PARTS + 1)]
    parts = [Part(begin=Usec(max(begin - OVERLAP, since)), since=begin, until=end) for begin, end in pairwise(cuts)]
    todo, done = deque(parts), list[Piece]()

    def finish(piece: Piece) -> None:
        done.append(piece)
        if told is not None:
            told(piece.entries, Usec(since + (until - since) * len(done) // PARTS))

    def read_there(pool: Executor) -> list[Piece]:
        pieces = []
        while todo:
            pieces.append(pool.submit(read_piece, source, job, todo.pop(), elsewhere).result())
        return pieces

    # spawned, not forked: the library refuses to go on in a fork
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes - 1, mp_context=spawned) as pool, ThreadPoolExecutor(processes - 1) as waiting:
        others = [waiting.submit(read_there, pool) for _ in range(processes - 1)]
        try:
            while todo:
                finish(read_piece(source, job, todo.popleft(), elsewhere))
            for other in others:
                for piece in other.result():
                    finish(piece)
        finally:
            todo.clear()
    return joined(sorted(done, key=lambda piece: piece.since))


def read_piece(source: Source, job: WatchedJob, part: Part, elsewhere: Elsewhere) -> Piece:
    """What the part held. Raises JournalError."""
    since, until = part.since, part.until
    entries, tallies, found, gaps = 0, [], [], []
    for reading in read_extent(source, (job,), since=part.begin, until=until, stop=since, elsewhere=elsewhere):
        if reading.last_entry_at is not None and reading.last_entry_at >= since:
            entries += reading.entries
        tallies += [one for one in reading.tallies if one.first_at >= since]
        found += [one for one in reading.found if one.at >= since]
        # The interval of a unit that was cut off may reach past what was read: the part before ours tells of that.
        is_before = reading.read_until <= since
        gaps += [
            one for one in reading.gaps if one.until >= since and not (is_before and one.reason is GapReason.SUSPECT)
        ]
    return Piece(
        since=since, until=until, entries=entries, tallies=tuple(tallies), found=tuple(found), gaps=tuple(gaps)
    )
