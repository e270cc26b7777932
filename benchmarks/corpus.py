"""The journal that the benchmarks read: many entries of jobs, with 21 fields each, from real messages where there are.

It is made once and kept in a cache directory; the same options make the same journal.
"""

from __future__ import annotations

import csv
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

REMOTE = "/lib/systemd/systemd-journal-remote"
ENTRIES = 500_000
STEP = 1000
UNITS = 20
START = 1_700_000_000_000_000
_PRIORITIES = {"INFO": 6, "WARN": 4, "WARNING": 4, "ERROR": 3, "FATAL": 2}
_ROOTS = 5
"""So many of the UNITS run as root."""


def unit(number: int) -> str:
    """The name of one of the corpus's units."""
    return f"job-{number}.service"


def cache_directory() -> Path:
    """Where corpora and built programs are kept: `.cache/benchmarks` of the checkout."""
    return Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"


def corpus(*, messages: Path | None, entries: int = ENTRIES, cache: Path | None = None, step: int = STEP) -> Path:
    """The directory of a journal with so many entries in two files, made now if it isn't there.

    `messages` is a directory of CSV files with the columns Content and Level, as Loghub has them
    (https://github.com/logpai/loghub); None: made-up messages. `step` are the microseconds between two entries.
    """
    kind = "synthetic" if messages is None else messages.name
    place = (cache or cache_directory()) / (f"{kind}-{entries}" if step == STEP else f"{kind}-{entries}-{step}")
    if place.exists():
        return place
    unfinished = place.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    lines = list(_synthetic() if messages is None else _recorded(messages))
    for number, (first, last) in enumerate([(0, entries // 2), (entries // 2, entries)]):
        _write(unfinished / f"part-{number}.journal", lines, first, last, step)
    unfinished.rename(place)
    return place


def _recorded(messages: Path) -> Iterator[tuple[str, int]]:
    for path in sorted(messages.glob("*.csv")):
        with path.open(errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                yield row["Content"], _PRIORITIES.get(row.get("Level") or "", 6)


def _synthetic() -> Iterator[tuple[str, int]]:
    dice = random.Random(7)  # noqa: S311 - the same words each time
    words = (
        "request",
        "user",
        "file",
        "table",
        "row",
        "worker",
        "queue",
        "cache",
        "import",
        "batch",
        "retry",
        "commit",
    )
    for number in range(8000):
        text = " ".join(dice.choices(words, k=dice.randint(5, 18)))
        yield f"{text} id={dice.randrange(10**8):08x} took {dice.randrange(900)} ms", 3 if number % 50 == 0 else 6


def _write(path: Path, lines: list[tuple[str, int]], first: int, last: int, step: int) -> None:
    dice = random.Random(first)  # noqa: S311 - the same journal each time
    command = [REMOTE, "-o", str(path), "--compress=no", "--seal=no", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as remote:
        assert remote.stdin is not None
        for number in range(first, last):
            text, priority = dice.choice(lines)
            remote.stdin.write(
                _entry(number * step, dice.randrange(UNITS), f"{text} #{number}" if number % 2 else text, priority)
            )
        remote.stdin.close()
        assert remote.wait() == 0


def _entry(after: int, job: int, text: str, priority: int) -> bytes:
    fields = {
        "__REALTIME_TIMESTAMP": START + after,
        "__MONOTONIC_TIMESTAMP": 1_000_000 + after,
        "_BOOT_ID": "a" * 32,
        "_MACHINE_ID": "b" * 32,
        "_HOSTNAME": "host",
        "PRIORITY": priority,
        "SYSLOG_FACILITY": 3,
        "SYSLOG_IDENTIFIER": "job",
        "_UID": 0 if job < _ROOTS else 1000,
        "_GID": 1000,
        "_COMM": "job",
        "_EXE": "/usr/bin/job",
        "_CMDLINE": "/usr/bin/job --run",
        "_CAP_EFFECTIVE": 0,
        "_SYSTEMD_CGROUP": f"/system.slice/{unit(job)}",
        "_SYSTEMD_UNIT": unit(job),
        "_SYSTEMD_SLICE": "system.slice",
        "_TRANSPORT": "stdout",
        "_PID": 1000 + after // 1000 % 50,
        "_STREAM_ID": "c" * 32,
        "_SYSTEMD_INVOCATION_ID": "d" * 32,
        "_SELINUX_CONTEXT": "unconfined",
        "MESSAGE": text,
    }
    return ("\n".join(f"{name}={value}" for name, value in fields.items()) + "\n\n").encode()
