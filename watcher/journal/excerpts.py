"""Reads the matching lines of a release again, through a child process that may die or hang without harm.

The daemon's side of `excerpt.py`: it starts that process, gives it a limit of time, and never raises for what becomes
of it. Knows no libsystemd.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from watcher.core.duration import Usec
from watcher.core.excerpt import Capture, Excerpt, Line, ReadAgain
from watcher.core.names import RuleName
from watcher.core.release import Release
from watcher.core.text import shown
from watcher.core.trial import Sighting
from watcher.journal.joins import Reach
from watcher.journal.source import Source

AROUND = 3
"""How many lines are shown before and after a matching one."""
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
"""What the child is given; above all not NOTIFY_SOCKET, with which it could speak for the daemon."""
_PROGRAM = (sys.executable, "-P", "-m", "watcher.journal.excerpt")
_ANSWER_LIMIT = 128 * 1024
_COMPLAINT = 300

Captures = Mapping[RuleName, Mapping[str, str]]


class _ChildError(Exception):
    """The child gave no usable answer; the text says why."""


async def read_excerpts(
    source: Source,
    release: Release,
    *,
    timeout: float,  # noqa: ASYNC109 - the limit also ends the child, which asyncio.timeout alone would not
    captures: Captures | None = None,
    joins: Mapping[RuleName, Reach] | None = None,
    program: tuple[str, ...] = _PROGRAM,
) -> ReadAgain:
    """The lines of the release's sightings, or why they could not be read, within about `timeout` seconds.

    `captures` are the patterns of each rule's `capture`, `joins` says how far those that join
    reach. `program` is the child's command.
    """
    if not release.trial.sightings:
        return ReadAgain()
    request = _request(source, release, captures or {}, joins or {})
    try:
        answer = await _ask(program, json.dumps(request).encode(), timeout)
        return ReadAgain(excerpts=_excerpts(release.trial.sightings, answer))
    except _ChildError as error:
        return ReadAgain(problem=str(error))


def _request(source: Source, release: Release, captures: Captures, joins: Mapping[RuleName, Reach]) -> dict[str, Any]:
    return {
        "directory": source.directory,
        "namespace": source.namespace,
        "identifiers": _identifiers(release.policy.journalctl),
        "around": AROUND,
        "lines": [{"cursor": one.cursor, "rules": list(one.rules)} for one in release.trial.sightings],
        "captures": {rule: dict(patterns) for rule, patterns in captures.items()},
        "joins": {rule: reach._asdict() for rule, reach in joins.items()},
    }


def _identifiers(journalctl: tuple[str, ...]) -> list[str]:
    """What follows each `-t` of the options that show the job's entries."""
    return [value for option, value in pairwise(journalctl) if option == "-t"]


async def _ask(program: tuple[str, ...], request: bytes, timeout: float) -> Any:  # noqa: ASYNC109 - as above
    """What the child answered. Raises _ChildError."""
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
        raise _ChildError(f"the process that reads them could not be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout):
            output, complaint = await _talk(child, request)
            code = await child.wait()
    except TimeoutError as error:
        raise _ChildError(f"the process that reads them was silent for {timeout:g} s and was ended") from error
    finally:
        await _end(child)
    if code != 0:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise _ChildError(f"the process that reads them ended with {how}{_last_line(complaint)}")
    return _parsed(output)


async def _talk(child: asyncio.subprocess.Process, request: bytes) -> tuple[bytes, bytes]:
    async with asyncio.TaskGroup() as group:
        output = group.create_task(_drain(child.stdout), name="excerpt-output")
        complaint = group.create_task(_drain(child.stderr), name="excerpt-complaint")
        group.create_task(_send(child.stdin, request), name="excerpt-request")
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
    if child.returncode is None:
        child.kill()
    await child.wait()


def _parsed(output: bytes) -> Any:
    try:
        answer = json.loads(output)
    except ValueError as error:
        raise _ChildError("the process that reads them gave no answer") from error
    if isinstance(answer, dict) and "error" in answer:
        raise _ChildError(shown(str(answer["error"]), limit=_COMPLAINT))
    return answer


def _last_line(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return f": {shown(lines[-1], limit=_COMPLAINT)}" if lines else ""


def _excerpts(sightings: tuple[Sighting, ...], answer: Any) -> tuple[Excerpt, ...]:
    """An excerpt for each sighting. Raises _ChildError: the child was made to say something else."""
    try:
        found = answer["lines"]
        return tuple(_excerpt(*pair) for pair in zip(sightings, found, strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise _ChildError("the process that reads them gave an answer of another form") from error


def _excerpt(sighting: Sighting, found: Any) -> Excerpt:
    return Excerpt(
        sighting=sighting,
        line=None if found["line"] is None else _line(found["line"]),
        before=tuple(map(_line, found["before"])),
        after=tuple(map(_line, found["after"])),
        captures=tuple(
            Capture(rule=RuleName(str(rule)), name=str(name), text=str(text)) for rule, name, text in found["captures"]
        ),
    )


def _line(found: Any) -> Line:
    return Line(
        at=Usec(int(found["at"])),
        unit=str(found["unit"]),
        identifier=str(found["identifier"]),
        pid=str(found["pid"]),
        priority=str(found["priority"]),
        message=str(found["message"]),
    )
