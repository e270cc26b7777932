"""How often `above_baseline` fails a release by chance, and how soon it finds a real change: simulated windows.

    python -m benchmarks.detection [--windows N] [--markdown]

For each case a past is drawn by chance, then a window, which is looked at after every run or minute with the very
function that judges releases. `--markdown` prints the table of docs/statistics.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from watcher.core.statistics import (
    LEAST_FAILURES,
    Share,
    burst_size,
    can_exceed,
    log_evidence,
    needed,
)

WINDOWS = 100_000
SEED = 20_261_124
RATIOS = (1.0, 2.0, 3.0, 10.0, 30.0)
NEVER = 1 << 30
Flags = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
Whole = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True)
class Case:
    """A kind of job: of `seen` trials before, a share of `old` failed; a window has `window` trials.

    `burst` is the mean length of a row of failing trials: 1 where they are independent.
    """

    name: str
    old: float
    seen: int
    window: int
    factor: float = 3.0
    confidence: float = 0.999
    burst: float = 1.0


CASES = (
    Case("60 runs before, 1 in 50 failed; 50 runs", 0.02, 60, 50),
    Case("300 runs before, 1 in 50 failed; 50 runs", 0.02, 300, 50),
    Case("300 runs before, 1 in 50 failed; 50 runs, confidence 0.95", 0.02, 300, 50, 3.0, 0.95),
    Case("300 runs before, 1 in 5 failed; 50 runs, factor 2, confidence 0.95", 0.2, 300, 50, 2.0, 0.95),
    Case("14 days of minutes, 1 in 1,000 with an error; 60 minutes", 0.001, 20_160, 60),
    Case("14 days of minutes, 1 in 1,000 with an error; 240 minutes", 0.001, 20_160, 240),
    Case("14 days of minutes, 1 in 100 with an error; 60 minutes", 0.01, 20_160, 60),
    Case("14 days of minutes, 1 in 100 with an error; 60 minutes, confidence 0.95", 0.01, 20_160, 60, 3.0, 0.95),
    Case("the same in bursts of 5 minutes", 0.01, 20_160, 60, 3.0, 0.95, burst=5.0),
)


@dataclass(frozen=True)
class Found:
    """Of the windows of one case at one ratio: the share that failed, and after how many trials (the middle one)."""

    share: float
    delay: float | None


def limits(before: Share, case: Case, *, thinned: float = 1.0) -> Whole:
    """For each number of trials since, from 1 on, the least number of failures that fails the release."""
    least = np.full(case.window, NEVER, dtype=np.int64)
    old = before.thinned(thinned, up=True)
    if not can_exceed(old, factor=case.factor, confidence=case.confidence):
        return least
    failed = LEAST_FAILURES
    for number in range(1, case.window + 1):
        while failed <= number and not _enough(old, Share(failed, number).thinned(thinned, up=False), case):
            failed += 1
        least[number - 1] = failed
    return least


def _enough(before: Share, since: Share, case: Case) -> bool:
    return log_evidence(before, since, factor=case.factor, confidence=case.confidence) >= needed(case.confidence)


def simulate(case: Case, ratio: float, windows: int, chance: np.random.Generator) -> Found:
    """So many windows of the case in which failures are `ratio` times as frequent as before."""
    delays: list[Whole] = []
    for before, thinned, count in _pasts(case, windows, chance):
        least = limits(before, case, thinned=thinned)
        trials = failing(min(ratio * case.old, 1.0), case.burst, (count, case.window), chance)
        crossed = np.cumsum(trials, axis=1) >= least
        hit = crossed.any(axis=1)
        delays.append(np.argmax(crossed[hit], axis=1) + 1)
    every = np.concatenate(delays)
    return Found(share=len(every) / windows, delay=float(np.median(every)) if len(every) else None)


def _pasts(case: Case, windows: int, chance: np.random.Generator) -> Iterator[tuple[Share, float, int]]:
    """Pasts by chance with how their minutes have to be thinned, and how many windows have such a past."""
    if case.burst == 1:
        failed, counts = np.unique(chance.binomial(case.seen, case.old, windows), return_counts=True)
        yield from ((Share(int(one), case.seen), 1.0, int(count)) for one, count in zip(failed, counts, strict=True))
        return
    pasts = 200  # a long past in bursts is dear to draw, and each serves many windows
    trials = failing(case.old, case.burst, (pasts, case.seen), chance)
    starts = trials[:, 1:] & ~trials[:, :-1]
    for row, begun in zip(trials, starts, strict=True):
        errors = int(row.sum())
        yield Share(errors, case.seen), burst_size(errors, int(begun.sum() + row[0])), windows // pasts


def failing(share: float, burst: float, shape: tuple[int, int], chance: np.random.Generator) -> Flags:
    """Trials of which such a share fails, in rows of the mean length `burst`."""
    if burst == 1 or share >= 1:
        return chance.random(shape) < share
    stops = 1 / burst
    begins = share * stops / (1 - share)
    drawn = chance.random(shape)
    trials = np.zeros(shape, dtype=np.bool_)
    now = chance.random(shape[0]) < share
    for number in range(shape[1]):
        trials[:, number] = now
        now = np.where(now, drawn[:, number] >= stops, drawn[:, number] < begins)
    return trials


def tabled(windows: int, cases: Sequence[Case] = CASES) -> Iterator[tuple[str, ...]]:
    """A row for each case: its name, the bound, then for each ratio the share that failed and after how long."""
    for case in cases:
        chance = np.random.default_rng(SEED)
        cells = [simulate(case, ratio, windows, chance) for ratio in RATIOS]
        yield case.name, f"{(1 - case.confidence) * 100:.3g} %", *map(_cell, cells)


def _cell(found: Found) -> str:
    return f"{found.share * 100:.3g} %" + ("" if found.delay is None else f" after {found.delay:.0f}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--windows", type=int, default=WINDOWS)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    header = ("case", "bound", "no change", *(f"{ratio:.0f} times" for ratio in RATIOS[1:]))
    if options.markdown:
        print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    else:
        print(" / ".join(header))
    for row in tabled(options.windows):
        print(f"| {' | '.join(row)} |" if options.markdown else " / ".join(row), flush=True)


if __name__ == "__main__":
    main()
