"""Reads the bad entries of a job that no rule matched: what rules don't know yet.

Also a one-shot child of the daemon, `python -m watcher.journal.leftover`: one JSON request on standard input, one JSON
answer on standard output.

Request: `{"source": {"directory", "namespace"}, "job": JOB, "since": USEC, "until": USEC}`. Answer: `{"entries": N,
"kinds": [{"count", "at", "message"}], "limited": BOOL}`, the first KINDS_KEPT kinds, or `{"error": "…"}`.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import closing
from dataclasses import replace
from typing import Any

from systemd._reader import _Reader

from watcher.core.duration import Usec
from watcher.core.errors import WatcherError
from watcher.core.found import ErrorSeen
from watcher.core.rule import WatchedJob
from watcher.journal.extent import read_extent
from watcher.journal.opening import open_journal
from watcher.journal.process import lower_own_worth
from watcher.journal.source import Source
from watcher.journal.wire import job_from

KINDS_KEPT = 10
MOST_ENTRIES = 1_000_000
"""Of anybody: a longer window is read up to there."""
_MESSAGE_BYTES = 2048
_LONGEST_SECONDS = 60
_REQUEST_LIMIT = 16 * 1024 * 1024


def read_leftover(source: Source, job: WatchedJob, *, since: Usec, until: Usec) -> dict[str, Any]:
    """The answer for the entries from `since` up to, not with, `until`. Raises JournalError and OSError."""
    entries = read = 0
    kinds: dict[str, tuple[int, ErrorSeen]] = {}
    limited = False
    for reading in read_extent(source, (replace(job, kinds=True),), since=since, until=until):
        for one in reading.found:
            if not isinstance(one, ErrorSeen) or one.matched:
                continue
            entries += 1
            count, first = kinds.get(one.kind, (0, one))
            if count or len(kinds) < KINDS_KEPT:
                kinds[one.kind] = count + 1, first
        read += reading.entries
        if read >= MOST_ENTRIES:
            limited = True
            break
    with closing(open_journal(source)) as reader:
        shown = [
            {"count": count, "at": first.at, "message": _message(reader, first.cursor)}
            for count, first in kinds.values()
        ]
    return {"entries": entries, "kinds": shown, "limited": limited}


def _message(reader: _Reader, cursor: str) -> str:
    """Of the entry there; it was read a moment ago, so what the seek finds is it."""
    reader.seek_cursor(cursor)
    try:
        return reader._get("MESSAGE")[:_MESSAGE_BYTES].decode(errors="replace") if reader._next() else ""
    except KeyError:
        return ""


def main() -> int:
    """Answer the request; the exit code is 0 whenever there is an answer, also if that is an error."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST_SECONDS)
    lower_own_worth()
    request = json.loads(sys.stdin.buffer.read(_REQUEST_LIMIT))
    answer: dict[str, Any]
    try:
        span = {"since": Usec(request["since"]), "until": Usec(request["until"])}
        answer = read_leftover(Source(**request["source"]), job_from(request["job"]), **span)
    except (WatcherError, OSError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
