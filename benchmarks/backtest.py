"""How much faster two processes read a long range than one: for `watcher replay --releases`.

    python -m benchmarks.backtest [--messages DIR] [--entries N] [--rounds N]

In turns, with warm caches; the ratio of the wall times, and what both cost of the processors. Wants two idle cores.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from benchmarks.baseline import DAYS, JOB, processor
from benchmarks.corpus import START, corpus
from watcher.core.duration import Usec
from watcher.journal.pieces import read_pieces
from watcher.journal.source import Source

ENTRIES = 1_000_000


def seconds(journal: Path, processes: int) -> tuple[float, float]:
    """Wall and processor time for the whole range."""
    source, since, until = Source(directory=str(journal)), Usec(START), Usec(START + DAYS)
    began = time.perf_counter()
    cost = processor(lambda: read_pieces(source, JOB, since=since, until=until, processes=processes))
    return time.perf_counter() - began, cost


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
