"""`make simulation`: one world after the other, each from a seed, until one breaks an invariant.

    python -m tests.simulation --runs 100000 --seed 1
    python -m tests.simulation --runs 1 --seed 4711 --verbose     what happened in one run

Prints how far it is and what the runs came to. A failure is told with its seed, the fewest steps and faults that still
break something, and all that happened; exit code 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.many import simulated
from tests.simulation.run import Came, Failure, retell, simulate
from tests.simulation.shrinking import shrink

REPORT_EVERY = 5_000


def main(argv: list[str]) -> int:
    """Simulate; 1 if an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="simulate the core from seeds")
    parser.add_argument("--runs", type=int, default=100_000, help="how many worlds (default 100000)")
    parser.add_argument("--seed", type=int, default=1, help="the first of them (default 1)")
    parser.add_argument("--verbose", action="store_true", help="print what happened in each run")
    options = parser.parse_args(argv)
    begun, total = time.monotonic(), Counter[str]()
    seeds = range(options.seed, options.seed + options.runs)
    for number, (seed, came) in enumerate(zip(seeds, simulated(seeds), strict=True), start=1):
        if options.verbose:
            print(*retell(seed), sep="\n")
        if isinstance(came, Failure):
            print(*told(shrink(came, simulate)), sep="\n")
            return 1
        add(total, came)
        if number % REPORT_EVERY == 0 or number == options.runs:
            seconds = time.monotonic() - begun
            print(f"{number} runs in {seconds:.0f} s ({number / seconds:.0f}/s), last seed {seed}", flush=True)
    print(", ".join(f"{count} {what}" for what, count in total.most_common()))
    return 0


def add(total: Counter[str], came: Came) -> None:
    """What one run came to, to all the others."""
    total.update(f"releases {verdict}" for verdict in came.verdicts)
    total += Counter({"commands started": came.starts, "crashes": came.crashes, "decisions": came.decisions})


def told(failure: Failure) -> list[str]:
    """A failure, for whoever has to find the cause."""
    return [
        *failure.lines,
        "",
        f"seed {failure.seed}, step {failure.step} of {failure.steps}: {failure.what}",
        f"faults that it takes: {', '.join(failure.faults) or 'none'}",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
