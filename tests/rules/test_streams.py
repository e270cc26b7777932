"""Whole outputs of programs that failed, line by line through the reader: each failure counts once.

`streams/NAME.log` is what a program wrote (versions in `NAME.samples`); `COUNTS` says with which packs it is read and
how often each rule must count.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.journal.test_scan import read_all
from tests.parts.journals import Fields, write_journal
from tests.rules.test_samples import rules_of
from watcher.core.found import Match
from watcher.core.names import JobName
from watcher.core.rule import WatchedJob
from watcher.journal.scan import Scanner

STREAMS = Path(__file__).parent / "streams"
COUNTS: dict[str, tuple[tuple[str, ...], dict[str, int]]] = {
    "celery": (
        ("celery", "python", "generic"),
        {
            "celery-error": 4,
            "celery-task-failed": 2,
            "celery-process-died": 2,
            "celery-task-lost": 2,
            "celery-broker-lost": 1,
        },
    ),
    "rq": (("rq", "python", "generic"), {"rq-job-failed": 3, "rq-horse-killed": 1}),
    "gunicorn": (
        ("gunicorn", "python"),
        {
            "gunicorn-request-failed": 2,
            "gunicorn-worker-timeout": 1,
            "gunicorn-worker-died": 3,
            "gunicorn-not-started": 1,
        },
    ),
    "django": (("django", "python"), {"django-server-error": 1, "traceback": 1}),
    "python": (("python", "generic"), {"error-level": 4, "traceback": 3}),
    "java": (("java",), {"java-uncaught": 3, "java-error-level": 1, "java-exception": 1, "java-out-of-memory": 1}),
    "node": (("node",), {"node-error": 5, "node-thrown-value": 1}),
    "go": (("go", "generic"), {"go-panic": 2, "panic": 4, "go-fatal-error": 2}),
    "ruby": (("ruby",), {"ruby-exception": 2, "ruby-thread-died": 1, "ruby-error-level": 2, "ruby-fatal-level": 1}),
    "php": (("php",), {"php-fatal": 2}),
}


def entry(text: str, pid: int) -> Fields:
    """A line on the standard error of one process of the job."""
    sender = {"_SYSTEMD_UNIT": "import.service", "_PID": str(pid), "_TRANSPORT": "stdout", "_STREAM_ID": f"{pid:032x}"}
    return {"MESSAGE": text, "PRIORITY": "6", **sender}


def counted(directory: Path, packs: tuple[str, ...], entries: list[Fields]) -> dict[str, int]:
    """How often each rule of the packs counts in a journal with these entries."""
    write_journal(directory / "journal", entries)
    rules = tuple(rule for pack in packs for rule in rules_of(pack))
    job = WatchedJob(name=JobName("import"), units=("import.service",), identifiers=(), rules=rules)
    tally = read_all(Scanner([job]), directory / "journal")
    return dict(Counter(str(rule) for found in tally.found if isinstance(found, Match) for rule in found.rules))


def test_every_stream_is_counted() -> None:
    """A new log says what it holds."""
    assert {file.stem for file in STREAMS.glob("*.log")} == set(COUNTS)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_each_failure_counts_once(name: str, tmp_path: Path) -> None:
    """The lines of a traceback or a stack are no errors of their own."""
    packs, expected = COUNTS[name]
    lines = (STREAMS / f"{name}.log").read_text(encoding="utf-8").splitlines()
    assert expected == counted(tmp_path, packs, [entry(text, 7) for text in lines])


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_two_processes_that_write_in_turns(name: str, tmp_path: Path) -> None:
    """Each keeps its own tracebacks, whatever stands between their lines."""
    packs, expected = COUNTS[name]
    lines = (STREAMS / f"{name}.log").read_text(encoding="utf-8").splitlines()
    late = ["starting", "still starting", *lines]  # not the same line at the same time
    turns = [
        entry(text, pid) for pair in zip([*lines, "", ""], late, strict=True) for pid, text in enumerate(pair, start=7)
    ]
    assert {rule: 2 * count for rule, count in expected.items()} == counted(tmp_path, packs, turns)


def test_what_is_worse_counts_inside_a_trace(tmp_path: Path) -> None:
    """A cause that is critical is no mere line of an error; one that is as bad as the error is."""
    lines = [
        'Exception in thread "main" java.lang.IllegalStateException: no rows',
        "\tat A.main(A.java:6)",
        "Caused by: java.lang.OutOfMemoryError: Java heap space",
        "\t... 2 more",
        "Caused by: java.io.IOException: disk",
    ]
    expected = {"java-uncaught": 1, "java-out-of-memory": 1}
    assert expected == counted(tmp_path, ("java",), [entry(text, 7) for text in lines])
