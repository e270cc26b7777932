"""Reads what rules don't know yet through a child process that may die or hang without harm.

The daemon's side of `leftover.py`: it never raises for what becomes of the child. Knows no libsystemd.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from watcher.core.duration import Usec
from watcher.core.excerpt import LeftoverKind, Leftovers
from watcher.core.rule import WatchedJob
from watcher.journal.oneshot import ChildError, ask, program_of
from watcher.journal.source import Source

PROGRAM = program_of("watcher.journal.leftover")


async def read_leftovers(
    source: Source,
    job: WatchedJob,
    *,
    since: Usec,
    until: Usec,
    timeout: float,  # noqa: ASYNC109 - the limit also ends the child, which asyncio.timeout alone would not
    program: tuple[str, ...] = PROGRAM,
) -> Leftovers:
    """The bad entries of the job that no rule matched, or why they can't be read, within about `timeout` seconds."""
    request = {"source": asdict(source), "job": asdict(job), "since": since, "until": until}
    try:
        return _leftovers(await ask(program, request, timeout=timeout))
    except ChildError as error:
        return Leftovers(problem=str(error))


def _leftovers(answer: Any) -> Leftovers:
    try:
        return Leftovers(
            entries=int(answer["entries"]),
            kinds=tuple(
                LeftoverKind(count=int(one["count"]), at=Usec(int(one["at"])), message=str(one["message"]))
                for one in answer["kinds"]
            ),
            limited=bool(answer["limited"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ChildError("the process that reads it gave an answer of another form") from error
