"""Speed of reading a baseline, and of a registration meanwhile.

    python -m benchmarks.baseline [--messages DIR] [--entries N] [--rounds N]

Fourteen days of a host with so many entries, a twentieth of them the job's, with 20 rules and kinds of errors. The
processor time is that of reading in this process, divided by that of a C loop that reads three fields of the same
entries; and that of the whole child process with its start. (Wall time says the same where nothing else runs.) Then a
daemon on the same journal: how long `watcher release start` takes as a whole command while it reads that baseline.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.corpus import START, corpus, unit
from benchmarks.reading import built_loop, rules, seconds_in_c
from watcher.core.baseline import Baseline
from watcher.core.duration import HOUR, Usec
from watcher.core.names import JobName
from watcher.core.rule import WatchedJob
from watcher.journal.past import read_past
from watcher.journal.pasts import read_past_apart
from watcher.journal.source import Source

ENTRIES = 1_000_000
DAYS = Usec(14 * 24 * HOUR)
JOB = WatchedJob(name=JobName("job"), units=(unit(7),), identifiers=(), rules=rules(20), kinds=True)


def measure(journal: Path, entries: int, rounds: int) -> tuple[float, float, Baseline]:
    """The times of reading here and in a child, each divided by that of the C loop: medians of the rounds."""
    loop, source = built_loop(), Source(directory=str(journal))
    since, until = Usec(START), Usec(START + DAYS)

    def here() -> Baseline:
        return read_past(source, JOB, since=since, until=until)

    def apart() -> Baseline:
        return asyncio.run(read_past_apart(source, JOB, since=since, until=until, timeout=600))

    seconds_in_c(loop, journal, entries)
    ratios: dict[Callable[[], Baseline], list[float]] = {here: [], apart: []}
    for _ in range(rounds):
        for read, found in ratios.items():
            before = processor(partial(seconds_in_c, loop, journal, entries))
            took = processor(read)
            found.append(took / ((before + processor(partial(seconds_in_c, loop, journal, entries))) / 2))
    past = here()
    assert not past.problem, past.problem
    return statistics.median(ratios[here]), statistics.median(ratios[apart]), past


def processor(work: Callable[[], object]) -> float:
    """What the work costs of the processors, its children included, in seconds."""
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def seconds_to_register(journal: Path) -> tuple[float, float]:
    """How long `watcher release start` takes, and how long until its baseline of the whole journal is there."""
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "watcher.yaml"
        config.write_text(
            f"version: 1\njournal: {{directory: {journal}}}\nlisten: {{metrics: null}}\njobs:\n  job:\n"
            f"    units: [{unit(7)}]\n    packs: [systemd, python, generic]\n    release:\n"
            "      fail_when:\n        - above_baseline: {lookback: 20y}\n        - new_errors: {count: 3}\n"
        )
        options = ["--config", str(config), "--state-dir", str(Path(directory) / "state")]
        command = [sys.executable, "-m", "watcher"]
        with subprocess.Popen([*command, "run", *options], stderr=subprocess.DEVNULL) as daemon:
            try:
                _until(lambda: _asked([*command, "status", *options]) is not None)
                began = time.perf_counter()
                started = [*command, "release", "start", "job", "--version", "2", *options]
                release = subprocess.run(started, check=True, capture_output=True, text=True).stdout.strip()
                took = time.perf_counter() - began
                show = [*command, "release", "show", release, "-o", "json", *options]
                _until(lambda: json.loads(_asked(show) or "{}").get("baseline") is not None)
                return took, time.perf_counter() - began
            finally:
                daemon.terminate()


def _asked(command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--messages", type=Path, help="directory of Loghub's CSV files")
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    journal = corpus(messages=options.messages, entries=options.entries, step=DAYS // options.entries)
    here, apart, past = measure(journal, options.entries, options.rounds)
    print(f"baseline of {past.entries:,} entries among {options.entries:,}, against the C loop's time:")
    print(f"  read in this process {here:.2f}, by a child with its start {apart:.2f}")
    registered, known = seconds_to_register(journal)
    print(f"registration, the whole command: {registered * 1000:.0f} ms; its baseline is there after {known:.1f} s")


if __name__ == "__main__":
    main()
