"""The evidence in a note: the first matching lines with what stood around them, and the commands that show more.

Everything read from the journal is hostile: it is escaped, cut and fenced here. The commands are made of configuration
and instants only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from watcher.core.duration import SECOND, Usec, format_duration
from watcher.core.excerpt import Excerpt, Line, ReadAgain
from watcher.core.release import Release
from watcher.core.shell import command_line
from watcher.core.shown import instant_to_datetime, shown_instant
from watcher.core.text import block, code, prose, shown, shown_lines
from watcher.core.trial import Sighting

WORDS = 1000
"""How much of a person's sentence is shown."""
OUTPUT_LINE = 300
"""How much of a line of what a command printed is shown."""
_MESSAGE = 500
"""How much of a line of a message is shown."""
_LINES = 30
"""How many lines of one message are shown: a traceback is one."""
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def instant(at: Usec) -> str:
    """An instant for people, to the millisecond: `2026-11-23 23:30:00.123 UTC`."""
    return f"{instant_to_datetime(at):%Y-%m-%d %H:%M:%S}.{at % SECOND // 1000:03d} UTC"


def span(since: Usec, until: Usec) -> str:
    """How long it was from one instant to the other, for people; nothing where the clock was set back between them."""
    return format_duration(Usec(max(until - since, 0)))


def journalctl_commands(release: Release, *, directory: str | None, namespace: str | None) -> dict[str, list[str]]:
    """Commands that show the job's entries, to paste: of the `window`, and of what came `after` it.

    Two of each for a job with units and identifiers: journalctl would ask for entries that are both. The window is
    that of the record: one that ended early goes up to its end. Empty before the start.
    """
    if release.started_at is None:
        return {}
    end = release.ends_at if release.ended_at is None else release.ended_at
    since, until = f"--since={_exact(release.started_at)}", () if end is None else (f"--until={_exact(end)}",)
    named = (("directory", directory), ("namespace", namespace))
    place = tuple(f"--{option}={name}" for option, name in named if name is not None)
    bases = [
        ("journalctl", *options, *place, "--utc", "--output=short-precise")
        for options in _by_kind(release.policy.journalctl)
    ]
    commands = {"window": [command_line((*base, since, *until)) for base in bases]}
    if end is not None:
        commands["after"] = [command_line((*base, f"--since={_exact(end)}")) for base in bases]
    return commands


def first_lines(release: Release, again: ReadAgain) -> Iterator[str]:
    """Markdown paragraphs: each match that was held against the release, with its lines or why there are none."""
    if not release.trial.sightings:
        yield "No match was held against the release."
        return
    if again.problem:
        yield f"The lines could not be read again: {prose(again.problem, limit=_MESSAGE)}"
    excerpts = {excerpt.sighting: excerpt for excerpt in again.excerpts}
    for number, sighting in enumerate(release.trial.sightings, start=1):
        rules = ", ".join(code(rule, limit=_MESSAGE) for rule in sighting.rules)
        yield f"**{number}.** {instant(sighting.at)}, {rules}"
        yield from _lines(sighting, excerpts, problem=again.problem)


def shown_excerpts(again: ReadAgain) -> dict[str, Any]:
    """The lines for JSON: raw texts, which JSON escapes."""
    excerpts = [
        {
            "rules": list(excerpt.sighting.rules),
            "at": shown_instant(excerpt.sighting.at),
            "cursor": excerpt.sighting.cursor,
            "found": excerpt.line is not None,
            "line": None if excerpt.line is None else _shown_line(excerpt.line),
            "before": [_shown_line(line) for line in excerpt.before],
            "after": [_shown_line(line) for line in excerpt.after],
            "captures": [{"rule": one.rule, "name": one.name, "text": one.text} for one in excerpt.captures],
        }
        for excerpt in again.excerpts
    ]
    return {"problem": again.problem or None, "lines": excerpts}


def _lines(sighting: Sighting, excerpts: dict[Sighting, Excerpt], *, problem: str) -> Iterator[str]:
    excerpt = excerpts.get(sighting)
    if excerpt is None or excerpt.line is None:
        if not problem:
            yield "The journal does not hold this entry any more."
        return
    entries = [(" ", line) for line in excerpt.before] + [(">", excerpt.line)]
    entries += [(" ", line) for line in excerpt.after]
    yield block(text for mark, line in entries for text in _entry(mark, line))
    for one in excerpt.captures:
        yield f"{code(one.rule, limit=_MESSAGE)} captured {one.name}: {code(one.text, limit=_MESSAGE)}"


def _entry(mark: str, line: Line) -> Iterable[str]:
    first, *rest = shown_lines(line.message, limit=_MESSAGE, lines=_LINES)
    who = shown(line.identifier or line.unit or "?", limit=64)
    pid = f"[{shown(line.pid, limit=10)}]" if line.pid else ""
    yield f"{mark} {instant(line.at)} {_priority(line.priority)} {who}{pid}: {first}"
    yield from (f"{mark}     {text}" for text in rest)


def _priority(text: str) -> str:
    known = len(text) == 1 and "0" <= text <= "7"
    return f"{_PRIORITIES[int(text)] if known else '-':<7}"


def _by_kind(journalctl: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The options apart: those for units (`-u NAME`), and those for identifiers (`-t NAME`)."""
    pairs = list(zip(journalctl[::2], journalctl[1::2], strict=True))
    kinds = dict.fromkeys(option for option, _ in pairs)
    return [tuple(word for pair in pairs if pair[0] == kind for word in pair) for kind in kinds]


def _exact(at: Usec) -> str:
    return f"{instant_to_datetime(at):%Y-%m-%d %H:%M:%S}.{at % SECOND:06d} UTC"


def _shown_line(line: Line) -> dict[str, Any]:
    return {
        "at": shown_instant(line.at),
        "unit": line.unit,
        "identifier": line.identifier,
        "pid": line.pid,
        "priority": line.priority,
        "message": line.message,
    }
