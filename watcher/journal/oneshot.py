"""Asks a one-shot child process one question: a JSON object in, a JSON answer out, within a limit of time.

For children that read the journal: they may die or hang without harm to the daemon. Knows no libsystemd.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from watcher.core.text import shown
from watcher.journal.signals import send

_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
"""What the child is given; above all not NOTIFY_SOCKET, with which it could speak for the daemon."""
_ANSWER_LIMIT = 128 * 1024
_COMPLAINT = 300


class ChildError(Exception):
    """The child gave no usable answer; the text says why."""


def program_of(module: str) -> tuple[str, ...]:
    """The command that runs a module of ours as such a child."""
    return (sys.executable, "-P", "-m", module)


async def ask(program: tuple[str, ...], request: Any, *, timeout: float) -> Any:  # noqa: ASYNC109 - it also ends the child
    """What the child answered, within about `timeout` seconds. Raises ChildError."""
    try:
        child = await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,  # a Ctrl-C at the terminal is for the daemon
        )
    except OSError as error:
        raise ChildError(f"the process that reads it could not be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout):
            output, complaint = await _talk(child, json.dumps(request).encode())
            code = await child.wait()
    except TimeoutError as error:
        raise ChildError(f"the process that reads it was silent for {timeout:g} s and was ended") from error
    finally:
        await _end(child)
    if code != 0:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise ChildError(f"the process that reads it ended with {how}{_last_line(complaint)}")
    return _parsed(output)


async def _talk(child: asyncio.subprocess.Process, request: bytes) -> tuple[bytes, bytes]:
    async with asyncio.TaskGroup() as group:
        output = group.create_task(_drain(child.stdout), name="child-output")
        complaint = group.create_task(_drain(child.stderr), name="child-complaint")
        group.create_task(_send(child.stdin, request), name="child-request")
    return output.result(), complaint.result()


async def _send(stream: asyncio.StreamWriter | None, request: bytes) -> None:
    assert stream is not None  # noqa: S101 - it was asked for
    try:
        stream.write(request)
        await stream.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has ended already; its exit code tells more
    finally:
        stream.close()


async def _drain(stream: asyncio.StreamReader | None) -> bytes:
    """Everything to the end of the stream, of which the first part is kept."""
    assert stream is not None  # noqa: S101 - it was asked for
    kept = b""
    while piece := await stream.read(_ANSWER_LIMIT):
        kept += piece[: _ANSWER_LIMIT - len(kept)]
    return kept


async def _end(child: asyncio.subprocess.Process) -> None:
    send(child, signal.SIGKILL)
    await child.wait()


def _parsed(output: bytes) -> Any:
    try:
        answer = json.loads(output)
    except ValueError as error:
        raise ChildError("the process that reads it gave no answer") from error
    if isinstance(answer, dict) and "error" in answer:
        raise ChildError(shown(str(answer["error"]), limit=_COMPLAINT))
    return answer


def _last_line(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return f": {shown(lines[-1], limit=_COMPLAINT)}" if lines else ""
