"""Run the command of one claim, once for ever: the body of runner.py.

Knows the order of the files: ID.started is durable before the command starts, ID.result follows its end, and the lock
on ID.started is held in between. Whoever finds ID.started unlocked and no ID.result knows that the run was
interrupted. Knows nothing of releases, of the daemon or of systemd: each of the two may start it.
"""

from __future__ import annotations

import os
from time import sleep, time_ns  # noqa: TID251 - the top of a process; its instants stand in its files

from watcher.dispatch import claim as claims
from watcher.dispatch import files, jsontext
from watcher.dispatch.command import NotStartedError, start
from watcher.dispatch.failpoint import reached
from watcher.dispatch.result import COMMAND_FAILED, NOT_STARTED, Result
from watcher.dispatch.supervision import End, Supervisor
from watcher.dispatch.transcript import Transcript
from watcher.dispatch.voice import leads_to_journal

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE = 600
"""Seconds that a result waits for room on the disk."""


def main(arguments: Sequence[str]) -> int:
    """0: the command succeeded, now or before, or is being run by another. COMMAND_FAILED: it failed.

    1: it was not run, or its end can't be told; the files say which. So the unit of a rollback that did not succeed
    is a failed one, however often it is started.
    """
    if len(arguments) != 2 or not claims.is_file_name(arguments[1]):  # noqa: PLR2004 - as the usage says
        return _complain("usage: runner.py CLAIMS_DIR ID")
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what we inherited by mistake, the command shall not
    try:
        at = files.open_directory(arguments[0])
        os.chdir("/")
        return run(at, arguments[1])
    except (OSError, claims.ClaimError) as error:
        return _complain(f"rollback {arguments[1]}: {error}")


def run(at: int, release_id: str) -> int:
    """Run the claim of this release if nobody has yet.

    Raises ClaimError: nothing can be run by it. Raises OSError: without ID.started it can be tried again.
    """
    claim = claims.read_claim(at, release_id)
    started = _next_start(at, claim)
    if started is None:
        return _told_before(at, release_id)
    transcript = Transcript(at, f"{release_id}.log", echo=2 if leads_to_journal(2) else -1)
    supervisor = Supervisor(transcript)
    started_at = _now()
    reached("before_started")
    try:
        lock = files.create(at, started, _marker(started_at), durable=False)
    except FileExistsError:
        return _told_before(at, release_id)
    result = _perform(at, claim, supervisor)
    result.started_at, result.finished_at = started_at, _now()
    result.output = transcript.tail.decode(errors="replace")
    transcript.close()
    if transcript.trouble:
        _complain(f"rollback {release_id}: {transcript.trouble}")
    reached("before_result")
    _leave(at, f"{release_id}.result", jsontext.render(result.as_object()))
    reached("after_result")
    os.close(lock)
    return _code_of(result)


def _told_before(at: int, release_id: str) -> int:
    """The exit code where there is nothing to run any more. Raises ClaimError: nobody can say how it ended."""
    from watcher.dispatch.evidence import Standing, look  # noqa: PLC0415 - a first start does without: 1 ms

    evidence = look(at, release_id)
    if evidence.standing is Standing.INTERRUPTED:
        raise claims.ClaimError(f"its command was interrupted ({evidence.detail}) and is not run again")
    return 0 if evidence.result is None else _code_of(evidence.result)


def _code_of(result: Result) -> int:
    return 0 if result.state == "succeeded" else COMMAND_FAILED


def _next_start(at: int, claim: claims.Claim) -> str | None:
    """The name that this run has to create, None if the command must not be run (again)."""
    release_id = claim.facts.id
    first, second = (f"{release_id}.{name}" for name in claims.STARTED)
    if files.exists(at, f"{release_id}.result"):
        return None
    if not files.exists(at, first):
        return first
    if not claim.idempotent or files.exists(at, second):
        return None
    # Held to our end: while we run, nobody may take the first run for one that was interrupted just now.
    if not files.take_lock(files.open_plain(at, first)) or files.exists(at, f"{release_id}.result"):
        return None
    return second


def _perform(at: int, claim: claims.Claim, supervisor: Supervisor) -> Result:
    """Start the command and stay with it to its end."""
    try:
        # The one sync that "at most once" hangs on, of the names of both ID.started and ID.claim. What stands in
        # ID.started is for people, so its contents may reach the disk later.
        files.sync(at)
    except OSError as error:
        return Result(state="failed", detail=f"{NOT_STARTED}{claim.command[0]}: the disk said {error.strerror}")
    reached("after_started")
    try:
        running = start(claim, jsontext.render(claim.facts.as_object()))
    except NotStartedError as error:
        return Result(state="failed", detail=f"{NOT_STARTED}{error}")
    reached("during_command")
    end = supervisor.watch(running, timeout_usec=claim.timeout_usec, kill_after_usec=claim.kill_after_usec)
    succeeded = end.exit_code == 0 and not end.timed_out
    return Result(
        state="succeeded" if succeeded else "failed",
        exit_code=end.exit_code,
        signal=end.signal,
        detail=_describe(end, claim.timeout),
    )


def _describe(end: End, timeout: str) -> str:
    if end.timed_out:
        return f"timed out after {timeout}"
    if end.signal is not None:
        return f"was ended by signal {end.signal}"
    return f"exited with status {end.exit_code}" if end.exit_code else ""


def _marker(started_at: int) -> bytes:
    """The contents of ID.started. pid and invocation are for people: only the lock tells whether the runner lives."""
    marker = {"schema": claims.SCHEMA, "boot_id": claims.boot_id(), "started_at": started_at, "pid": os.getpid()}
    return jsontext.render(marker | {"invocation_id": os.environ.get("INVOCATION_ID")})


def _leave(at: int, name: str, contents: bytes) -> None:
    """Write the result; a full disk is waited for, as the result can't be had again. Raises OSError in the end."""
    for _ in range(_PATIENCE):
        try:
            return files.replace(at, name, contents, durable=True)
        except OSError as error:
            _complain(f"{name}: {error.strerror}")
            sleep(1)
    return files.replace(at, name, contents, durable=True)


def _now() -> int:
    return time_ns() // 1000


def _complain(text: str) -> int:
    """To the daemon's own stderr; whoever listened there may be gone."""
    try:
        os.write(2, f"release-watcher: {text}\n".encode(errors="replace"))
    except OSError:
        return 1
    return 1
