"""Many worlds, by as many processes as there are cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.run import Came, Failure, simulate

AT_A_TIME = 50


def simulated(seeds: range) -> Iterator[Came | Failure]:
    """What each world came to, in the order of the seeds; whoever stops asking ends the processes.

    A few are played here: a process costs more than they do, and knows nothing of what a test has changed.
    """
    if len(seeds) <= AT_A_TIME:
        yield from map(simulate, seeds)
        return
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(simulate, seeds, chunksize=AT_A_TIME)
        finally:
            pool.shutdown(cancel_futures=True)
