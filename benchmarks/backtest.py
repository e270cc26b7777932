"""How much faster two processes read a long range than one: for `watcher replay --releases`.

    python -m benchmarks.backtest [--messages DIR] [--entries N] [--rounds N]

In turns, with warm caches; the ratio of the wall times, and what both cost of the processors. Wants two idle cores.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path

from benchmarks.baseline import DAYS, JOB
from benchmarks.corpus import START, corpus
from watcher.core.duration import Usec
from watcher.journal.pieces import read_pieces
from watcher.journal.source import Source

ENTRIES = 1_000_000


def seconds(journal: Path, processes: int) -> tuple[float, float]:
    """Wall and processor time for the whole range."""
    before, began = _processor(), time.perf_counter()
    read_pieces(Source(directory=str(journal)), JOB, since=Usec(START), until=Usec(START + DAYS), processes=processes)
    return time.perf_counter() - began, _processor() - before


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--messages", type=Path, help="directory of Loghub's CSV files")
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    journal = corpus(messages=options.messages, entries=options.entries, step=DAYS // options.entries)
    seconds(journal, 1)
    rounds = [(seconds(journal, 1), seconds(journal, 2)) for _ in range(options.rounds)]
    faster = statistics.median(one[0] / two[0] for one, two in rounds)
    dearer = statistics.median(two[1] / one[1] for one, two in rounds)
    print(f"two processes: {faster:.2f} times as fast as one, at {dearer:.2f} times its processor time")


if __name__ == "__main__":
    main()
