"""Lines of the journal read again for a note: the matching ones and a few around each.

Plain data. Every text in it is hostile and cut to size already, but not escaped.
"""

from __future__ import annotations

from dataclasses import dataclass

from watcher.core.duration import Usec
from watcher.core.names import RuleName
from watcher.core.trial import Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One journal entry as people read it; a field that the entry does not have is empty."""

    at: Usec
    unit: str = ""
    identifier: str = ""
    pid: str = ""
    priority: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What a rule's `capture` found in the message."""

    rule: RuleName
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The entry of a sighting and its neighbours of the same stream, oldest first.

    `line` is None when the journal does not hold the entry any more; there are no neighbours then.
    """

    sighting: Sighting
    line: Line | None
    before: tuple[Line, ...] = ()
    after: tuple[Line, ...] = ()
    captures: tuple[Capture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoverKind:
    """Entries of one kind that no rule matched: how many, and the first of them. `message` is hostile text."""

    count: int
    at: Usec
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """The entries of priority 3 and worse of a window that no rule matched: how many, and the first kinds of them.

    `limited`: the window held more than is read. `problem`: why nothing could be read.
    """

    entries: int = 0
    kinds: tuple[LeftoverKind, ...] = ()
    limited: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAgain:
    """What came of reading the sightings of a release again: an excerpt for each of them, or why there is none.

    Exactly one of the two is set, and neither when there was no sighting. `leftovers` None: there was no window.
    """

    excerpts: tuple[Excerpt, ...] = ()
    problem: str = ""
    leftovers: Leftovers | None = None
