"""Reads a job's past for a baseline, in this process: the same scan as live, added up.

Also a one-shot child of the daemon, `python -m watcher.journal.past`: one JSON request on standard input, one JSON
answer on standard output. It may take minutes, and libsystemd may die or hang on what it reads; nobody waits for it.

Request: `{"source": {"directory", "namespace"}, "job": JOB, "since": USEC, "until": USEC, "most": N}`.
Answer: a record of the baseline, or `{"error": "…"}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from watcher.core.baseline import Baseline, Past
from watcher.core.duration import Usec
from watcher.core.errors import WatcherError
from watcher.core.record import baseline_record
from watcher.core.rule import WatchedJob
from watcher.journal.extent import read_extent
from watcher.journal.pasts import MOST_ENTRIES
from watcher.journal.process import lower_own_worth
from watcher.journal.source import Source
from watcher.journal.wire import job_from

LONGEST_SECONDS = 900
"""Ends the process if nobody else does: its parent has died, and libsystemd hangs."""
_REQUEST_LIMIT = 16 * 1024 * 1024
_NICENESS = 10


def read_past(source: Source, job: WatchedJob, *, since: Usec, until: Usec, most: int = MOST_ENTRIES) -> Baseline:
    """What the job did from `since` up to, not with, `until`; after `most` entries of anybody reading ends.

    Raises JournalError: the journal can't be read, or not on.
    """
    past, entries = Past(job.name, since=since, until=until), 0
    for reading in read_extent(source, (job,), since=since, until=until):
        past.add(tallies=reading.tallies, found=reading.found, gaps=reading.gaps)
        entries += reading.entries
        if entries >= most and reading.read_until < until:
            return past.result(until=reading.read_until)
    return past.result()


def _give_way() -> None:
    """A release is judged meanwhile. A sandbox may forbid it: then the past is read at the daemon's own priority."""
    try:
        os.nice(_NICENESS)
    except PermissionError as error:
        sys.stderr.write(f"baseline: not at a lower priority: {error.strerror}\n")


def main() -> int:
    """Answer the request; the exit code is 0 whenever there is an answer, also if that is an error."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST_SECONDS)
    _give_way()
    lower_own_worth()
    request = json.loads(sys.stdin.buffer.read(_REQUEST_LIMIT))
    answer: dict[str, Any]
    try:
        answer = baseline_record(
            read_past(
                Source(**request["source"]),
                job_from(request["job"]),
                since=Usec(request["since"]),
                until=Usec(request["until"]),
                most=request["most"],
            )
        )
    except (WatcherError, OSError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
