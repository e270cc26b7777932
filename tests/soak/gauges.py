"""What is measured of a running daemon and its reader: memory, descriptors, how far reading is behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look. `second` since the beginning; `pss_mib` and `descriptors` of both processes; `lag` in seconds."""

    second: float
    pss_mib: float
    descriptors: int
    lag: float


def look(second: float, daemon: int, lag: float) -> Sample | None:
    """A sample of the daemon with this process id and its children; None if it has just ended or has no reader."""
    processes = [daemon, *_children(daemon)]
    if len(processes) == 1:
        return None
    try:
        pss = sum(_pss_kib(process) for process in processes)
        descriptors = sum(len(list(Path(f"/proc/{process}/fd").iterdir())) for process in processes)
    except OSError:  # it ended while it was looked at
        return None
    return Sample(second=second, pss_mib=pss / 1024, descriptors=descriptors, lag=lag)


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of them lie; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def drift(samples: Sequence[Sample]) -> tuple[float, float]:
    """The median memory in MiB of the second quarter and of the last one: the first quarter is warming up."""
    quarter = len(samples) // 4
    memory = [sample.pss_mib for sample in samples]
    return percentile(memory[quarter : 2 * quarter], 0.5), percentile(memory[3 * quarter :], 0.5)


def _children(process: int) -> Iterator[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    try:
        yield from map(int, path.read_text(encoding="ascii").split())
    except OSError:  # it has ended
        return


def _pss_kib(process: int) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
