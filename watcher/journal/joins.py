"""Joins: the lines that belong to an error already counted, such as a traceback, and so can't count again.

Pure data and logic over (stream, text, instant); must not know readers or how rules are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName, RuleName
from watcher.journal.patterns import compile_pattern

MOST_LINES: Final = 200
MOST_BYTES: Final = 64 << 10
LONGEST_TIME: Final = Usec(5 * SECOND)
MOST_OPEN: Final = 64

_GOES_ON: Final = (
    b"During handling of the above exception",
    b"The above exception was the direct cause",
    b"Caused by: ",
)
"""How runtimes (Python, Java) begin the next part of an error that has just ended. Such a line stands right after the
end and says of itself that it is no new error, so it holds for every `until` and is no matter of a rule."""


class Stream(NamedTuple):
    """One writer as a job sees it: `channel` is the _STREAM_ID, or the _TRANSPORT where there is none."""

    job: JobName
    unit: bytes | None
    pid: bytes | None
    channel: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What has been joined to the match of `rule` at `at`. `ended`: its `until` was seen; it may still go on."""

    rule: RuleName
    until: str
    at: Usec
    lines: int = 0
    size: int = 0
    ended: bool = False


class Joins:
    """The open joins, at most one a stream and MOST_OPEN in all: a further one closes the oldest.

    `units` are the units with an open join, with the number of them: one look tells the hot loop that there is none.
    """

    def __init__(self, endings: Iterable[str]) -> None:
        """`endings` are all patterns that may end a join. Raises PatternError for one that can't be used."""
        patterns = {until: (compile_pattern(until), compile_pattern(f"(?m:{until})")) for until in endings}
        self._ends = {until: in_lines.search for until, (_, in_lines) in patterns.items()}
        self._open: dict[Stream, Join] = {}
        self.units: dict[bytes | None, int] = {}

    def copy(self) -> Joins:
        """The same joins, on their own from now on."""
        twin = Joins(())
        twin._ends = self._ends
        twin._open = dict(self._open)
        twin.units = dict(self.units)
        return twin

    def open(self, stream: Stream, join: Join, text: bytes) -> None:
        """Joins what follows in the stream to a match whose entry is `text`; its further lines may be the end."""
        _, _, further = text.partition(b"\n")
        ended = bool(further) and self._ends[join.until](further) is not None
        self._close(stream)
        if len(self._open) >= MOST_OPEN:
            self._close(next(iter(self._open)))
        self._open[stream] = replace(join, ended=ended)
        self.units[stream.unit] = self.units.get(stream.unit, 0) + 1

    def takes(self, stream: Stream, text: bytes, at: Usec) -> bool:
        """Whether this entry, the next one of its stream, is joined; if not, the stream's join is over."""
        join = self._open.get(stream)
        if join is None:
            return False
        grown = replace(join, lines=join.lines + 1, size=join.size + len(text))
        if not _fits(grown, at) or (join.ended and not _goes_on(text)):
            self._close(stream)
            return False
        # the pattern is asked of each line: what one program writes line by line, another writes as one entry
        ended = self._ends[join.until](text) is not None or (join.ended and not text.strip())
        self._open[stream] = replace(grown, ended=ended)
        return True

    def dump(self) -> list[dict[str, Any]]:
        """As JSON-able data."""
        return [_dumped(stream, join) for stream, join in self._open.items()]

    def load(self, dumped: object, until: Callable[[JobName, RuleName], str | None]) -> None:
        """Goes on with what `dump` gave. What is malformed, or whose rule has no `until` any more, is left out."""
        for stream in list(self._open):
            self._close(stream)
        for item in dumped if isinstance(dumped, list) else []:
            loaded = _loaded(item)
            pattern = None if loaded is None else until(loaded[0].job, loaded[1].rule)
            if loaded is not None and pattern is not None:
                stream, join = loaded[0], replace(loaded[1], until=pattern)
                self.open(stream, join, b"")
                self._open[stream] = join

    def _close(self, stream: Stream) -> None:
        if self._open.pop(stream, None) is None:
            return
        self.units[stream.unit] -= 1
        if not self.units[stream.unit]:
            del self.units[stream.unit]


def _fits(join: Join, at: Usec) -> bool:
    return join.lines <= MOST_LINES and join.size <= MOST_BYTES and 0 <= at - join.at <= LONGEST_TIME


def _goes_on(text: bytes) -> bool:
    return not text.strip() or text.startswith(_GOES_ON)


def _dumped(stream: Stream, join: Join) -> dict[str, Any]:
    fields = {name: value and value.decode("latin-1") for name, value in zip(_SENDER, stream[1:], strict=True)}
    joined = {name: getattr(join, name) for name in ("rule", "at", "lines", "size", "ended")}
    return {"job": stream.job, **fields, **joined}


def _loaded(item: object) -> tuple[Stream, Join] | None:
    if not isinstance(item, Mapping):
        return None
    texts, numbers = ("job", "rule"), ("at", "lines", "size")
    sound = all(isinstance(item.get(name), str) for name in texts)
    sound = sound and all(type(item.get(name)) is int for name in numbers)
    if not sound or not all(isinstance(item.get(name), str | None) for name in _SENDER):
        return None
    sender = [None if item.get(name) is None else item[name].encode("latin-1", "replace") for name in _SENDER]
    join = Join(
        rule=RuleName(item["rule"]),
        until="",
        at=Usec(item["at"]),
        lines=item["lines"],
        size=item["size"],
        ended=item.get("ended") is True,
    )
    return Stream(JobName(item["job"]), *sender), join


_SENDER: Final = ("unit", "pid", "channel")
