"""Reads the matching lines of a release again, through a child process that may die or hang without harm.

The daemon's side of `excerpt.py`: it starts that process, gives it a limit of time, and never raises for what becomes
of it. Knows no libsystemd.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from watcher.core.background import to_read
from watcher.core.duration import Usec
from watcher.core.excerpt import Capture, Excerpt, Line, ReadAgain
from watcher.core.names import RuleName
from watcher.core.release import Release
from watcher.core.trial import Sighting
from watcher.journal.joins import Reach
from watcher.journal.oneshot import ChildError, ask, program_of
from watcher.journal.source import Source

AROUND = 3
"""How many lines are shown before and after a matching one."""
_PROGRAM = program_of("watcher.journal.excerpt")

Captures = Mapping[RuleName, Mapping[str, str]]


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
    if not to_read(release.trial):
        return ReadAgain()
    request = _request(source, release, captures or {}, joins or {})
    try:
        answer = await ask(program, request, timeout=timeout)
        return ReadAgain(excerpts=_excerpts(to_read(release.trial), answer))
    except ChildError as error:
        return ReadAgain(problem=str(error))


def _request(source: Source, release: Release, captures: Captures, joins: Mapping[RuleName, Reach]) -> dict[str, Any]:
    return {
        "directory": source.directory,
        "namespace": source.namespace,
        "identifiers": _identifiers(release.policy.journalctl),
        "around": AROUND,
        "lines": [{"cursor": one.cursor, "rules": list(one.rules)} for one in to_read(release.trial)],
        "captures": {rule: dict(patterns) for rule, patterns in captures.items()},
        "joins": {rule: reach._asdict() for rule, reach in joins.items()},
    }


def _identifiers(journalctl: tuple[str, ...]) -> list[str]:
    """What follows each `-t` of the options that show the job's entries."""
    return [value for option, value in pairwise(journalctl) if option == "-t"]


def _excerpts(sightings: tuple[Sighting, ...], answer: Any) -> tuple[Excerpt, ...]:
    """An excerpt for each sighting. Raises ChildError: the child was made to say something else."""
    try:
        found = answer["lines"]
        return tuple(_excerpt(*pair) for pair in zip(sightings, found, strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise ChildError("the process that reads it gave an answer of another form") from error


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
