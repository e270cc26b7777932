"""Reads a job's past through a child process that may take long, die or hang without harm.

The daemon's side of `past.py`: it never raises for what becomes of the child. Knows no libsystemd.
"""

from __future__ import annotations

from dataclasses import asdict

from watcher.core.baseline import Baseline, unread
from watcher.core.codec import RecordError
from watcher.core.duration import Usec
from watcher.core.record import baseline_from_record
from watcher.core.rule import WatchedJob
from watcher.journal.oneshot import ChildError, ask, program_of
from watcher.journal.source import Source

MOST_ENTRIES = 20_000_000
"""Of anybody: a longer past is read up to there, and no further."""
PROGRAM = program_of("watcher.journal.past")


async def read_past_apart(
    source: Source,
    job: WatchedJob,
    *,
    since: Usec,
    until: Usec,
    timeout: float,  # noqa: ASYNC109 - the limit also ends the child, which asyncio.timeout alone would not
    program: tuple[str, ...] = PROGRAM,
) -> Baseline:
    """The baseline of the job, or one that says why it can't be read, within about `timeout` seconds."""
    request = {
        "source": asdict(source),
        "job": asdict(job),
        "since": since,
        "until": until,
        "most": MOST_ENTRIES,
    }
    try:
        return baseline_from_record(await ask(program, request, timeout=timeout))
    except (ChildError, RecordError) as error:
        return unread(str(error), since=since, until=until)
