"""What an entry says of a run, and whom to believe that: PID 1 of its units, `watcher job exec` of its job.

Any local user can send such records. PID 1 is known by `_PID`, the user of a command by `_UID`: journald's own fields.
"""

from __future__ import annotations

from typing import Final

from watcher.core import job_runs
from watcher.core.duration import Usec
from watcher.core.found import RunBegan, RunEnded
from watcher.core.names import JobName
from watcher.journal.entry import Entry
from watcher.journal.invocations import DEACTIVATED, FAILED, RECORDS, STARTING, Began, Ended, Record

_SERVICE: Final = ".service"
"""Timers, mounts and slices are invoked as well, but only a service runs a job."""
_LONGEST: Final = 64
_OF_COMMANDS: Final = {
    job_runs.RUN_BEGAN.encode(): STARTING,
    job_runs.RUN_SUCCEEDED.encode(): DEACTIVATED,
    job_runs.RUN_FAILED.encode(): FAILED,
}


def unit_record(entry: Entry, at: Usec, *, by_host: bool) -> Record | None:
    """What PID 1 says of a run of one of its services; None if this is no such record.

    `by_host`: with the host that it is of, as that of another one may have the same name.
    """
    what = entry.field("MESSAGE_ID")
    if what not in RECORDS or what is None or entry.field("_PID") != b"1":
        return None
    unit, invocation = entry.run()
    if not invocation or not unit.endswith(_SERVICE):
        return None
    return Record(
        what=what,
        unit=unit,
        invocation=invocation,
        at=at,
        text=_text(entry, "MESSAGE"),
        result=_text(entry, "UNIT_RESULT"),
        status=_text(entry, "EXIT_STATUS"),
        host=entry.host() if by_host else "",
    )


def command_record(entry: Entry, at: Usec, *, job: JobName, run_as: int | None) -> Record | None:
    """What `watcher job exec` says of a run of `job`; believed from root and from the user `run_as`."""
    what = _OF_COMMANDS.get(entry.field("MESSAGE_ID") or b"")
    if what is None or _text(entry, job_runs.JOB_FIELD) != job:
        return None
    if entry.field("_UID") not in (b"0", str(run_as).encode()):
        return None
    run = _text(entry, job_runs.RUN_FIELD)
    if not run:
        return None
    return Record(
        what=what,
        unit=f"{job}/{run}",  # no name of a unit has a slash, so none is meant by it
        invocation=run,
        at=at,
        result=_text(entry, job_runs.RESULT_FIELD),
        status=_text(entry, job_runs.STATUS_FIELD),
    )


def found_run(job: JobName, record: Record, change: Began | Ended, cursor: str) -> RunBegan | RunEnded:
    """The event that a record's change is for a job."""
    if isinstance(change, Began):
        return RunBegan(job=job, unit=record.unit, invocation=record.invocation, at=change.at, cursor=cursor)
    return RunEnded(
        job=job,
        unit=record.unit,
        invocation=record.invocation,
        at=record.at,
        outcome=change.outcome,
        cursor=cursor,
        began=change.began,
        result=change.result,
        status=change.status,
    )


def _text(entry: Entry, name: str) -> str:
    return (entry.field(name) or b"")[:_LONGEST].decode("latin-1")
