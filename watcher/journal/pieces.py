"""Reads a long range of the journal for one job, by several processes at once, each a part of it.

The same scan as live. A part is read from a little before its begin, so that what is under way there (a stack trace, a
crash that is told twice) is known; what lies before is not told again.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import pairwise

from watcher.core.duration import HOUR, MINUTE, Usec
from watcher.core.piece import Piece, joined
from watcher.core.rule import WatchedJob
from watcher.journal.extent import read_extent
from watcher.journal.source import Source

PROCESSES = 2
PARTS = 8
"""Days are uneven: more parts than processes, so that none waits long for the other."""
LONG = Usec(24 * HOUR)
"""A shorter range isn't worth the start of processes."""
OVERLAP = MINUTE
Told = Callable[[int, Usec], None]
"""Told how many entries more were read, and how far all parts together are."""


def read_pieces(
    source: Source, job: WatchedJob, *, since: Usec, until: Usec, processes: int = PROCESSES, told: Told | None = None
) -> Piece:
    """The range as one piece. Raises JournalError, and OSError where no process can be started."""
    if processes == 1 or until - since < LONG:
        return read_piece(source, job, since=since, until=until, begin=since)
    cuts = [Usec(since + (until - since) * part // PARTS) for part in range(PARTS + 1)]
    # spawned, not forked: the library refuses to go on in a fork
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [
            pool.submit(read_piece, source, job, since=begin, until=end, begin=Usec(max(begin - OVERLAP, since)))
            for begin, end in pairwise(cuts)
        ]
        for done, part in enumerate(_finished(parts), start=1):
            if told is not None:
                told(part.result().entries, Usec(since + (until - since) * done // PARTS))
        return joined([part.result() for part in parts])


def read_piece(source: Source, job: WatchedJob, *, since: Usec, until: Usec, begin: Usec) -> Piece:
    """What the range held, read from `begin` on. Raises JournalError."""
    overlap = 0 if begin == since else sum(one.entries for one in read_extent(source, (job,), since=begin, until=since))
    entries, tallies, found, gaps = -overlap, [], [], []
    for reading in read_extent(source, (job,), since=begin, until=until):
        entries += reading.entries
        tallies += [one for one in reading.tallies if one.first_at >= since]
        found += [one for one in reading.found if one.at >= since]
        gaps += [one for one in reading.gaps if one.until >= since]
    return Piece(
        since=since, until=until, entries=entries, tallies=tuple(tallies), found=tuple(found), gaps=tuple(gaps)
    )


def _finished(parts: list[Future[Piece]]) -> Iterator[Future[Piece]]:
    """The parts as they are done."""
    waiting = set(parts)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        yield from done
