"""How much faster two processes read a long range than one: for `watcher replay --releases` and `--sweep`.

    python -m benchmarks.backtest [--messages DIR] [--entries N] [--rounds N]

The corpus of `benchmarks.baseline`, in turns, with warm caches: the ratio of the wall times, and what both cost of the
processors. Where other programs run, the wall says nothing; then the processor time does: it tells how much of the
work the second process only adds, and so the most that two idle cores can give.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

# Each process that reads imports this module, as it would import `watcher` otherwise; so the heavy imports stand below.
if TYPE_CHECKING:
    from watcher.core.rule import WatchedJob

ENTRIES = 1_000_000


def seconds(journal: Path, job: WatchedJob, processes: int) -> tuple[float, float]:
    """Wall and processor time for the whole range."""
    from benchmarks.baseline import DAYS, processor  # noqa: PLC0415 - see above
    from benchmarks.corpus import START  # noqa: PLC0415 - the same
    from watcher.core.duration import Usec  # noqa: PLC0415 - the same
    from watcher.journal.pieces import read_pieces  # noqa: PLC0415 - the same
    from watcher.journal.source import Source  # noqa: PLC0415 - the same

    source, since, until = Source(directory=str(journal)), Usec(START), Usec(START + DAYS)
    began = time.perf_counter()
    cost = processor(lambda: read_pieces(source, job, since=since, until=until, processes=processes))
    return time.perf_counter() - began, cost


def main() -> None:
    """Prints the figures."""
    from benchmarks.baseline import DAYS, JOB  # noqa: PLC0415 - see above
    from benchmarks.corpus import corpus  # noqa: PLC0415 - the same

    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--messages", type=Path, help="directory of Loghub's CSV files")
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    journal = corpus(messages=options.messages, entries=options.entries, step=DAYS // options.entries)
    seconds(journal, JOB, 1)
    rounds = [(seconds(journal, JOB, 1), seconds(journal, JOB, 2)) for _ in range(options.rounds)]
    alone = statistics.median(one[0] for one, _ in rounds)
    faster = statistics.median(one[0] / two[0] for one, two in rounds)
    dearer = statistics.median(two[1] / one[1] for one, two in rounds)
    print(f"one process: {options.entries:,} entries in {alone:.2f} s")
    print(f"two processes: {faster:.2f} times as fast as one, at {dearer:.2f} times its processor time")
    print(f"  which two idle cores could turn into {2 / dearer:.2f} times as fast")


if __name__ == "__main__":
    main()
