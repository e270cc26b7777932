"""Joins: what belongs to an error already counted, a traceback's lines or a long line's pieces, and can't count again.

Pure data and logic over (stream, text, instant); must not know readers or how rules are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule
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


class Reach(NamedTuple):
    """How far a rule joins: up to the entry that `until` matches, or as long as `continues` matches.

    Neither: the pieces of one line.
    """

    until: str | None = None
    continues: str | None = None


def reach_of(rule: Rule) -> Reach | None:
    """None for a rule that joins nothing."""
    return None if rule.until is None and rule.continues is None else Reach(rule.until, rule.continues)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What has been joined to the match of `rule` at `at`. `ended`: its `until` was seen; it may still go on.

    `line`: joins the further pieces of one line that journald cut at its LineMax=, whatever the rule.
    """

    rule: RuleName
    reach: Reach
    at: Usec
    lines: int = 0
    size: int = 0
    ended: bool = False
    line: bool = False


class Joins:
    """The open joins, at most one a stream and MOST_OPEN in all: a further one closes the oldest.

    `units` are the units with an open join, with the number of them: one look tells the hot loop that there is none.
    """

    def __init__(self, reaches: Iterable[Reach]) -> None:
        """`reaches` are those of all rules. Raises PatternError for a pattern that can't be used."""
        self._ends: dict[str | None, Callable[[bytes], object]] = {}
        self._leads_on: dict[str | None, Callable[[bytes], object]] = {}
        for reach in reaches:
            if reach.until is not None:
                compile_pattern(reach.until)  # by itself: in a group a stray parenthesis could pass
                self._ends[reach.until] = compile_pattern(f"(?m:{reach.until})").search
            if reach.continues is not None:
                self._leads_on[reach.continues] = compile_pattern(reach.continues).search
        self._open: dict[Stream, Join] = {}
        self.units: dict[bytes | None, int] = {}

    def copy(self) -> Joins:
        """The same joins, on their own from now on."""
        twin = Joins(())
        twin._ends, twin._leads_on = self._ends, self._leads_on
        twin._open = dict(self._open)
        twin.units = dict(self.units)
        return twin

    def open(self, stream: Stream, join: Join, text: bytes) -> None:
        """Joins what follows in the stream to a match whose entry is `text`; its further lines may be the end."""
        _, _, further = text.partition(b"\n")
        ended = join.reach.until is not None and bool(further) and self._is_end(join, further)
        self._close(stream)
        if len(self._open) >= MOST_OPEN:
            self._close(next(iter(self._open)))
        self._open[stream] = replace(join, ended=ended)
        self.units[stream.unit] = self.units.get(stream.unit, 0) + 1

    def rule(self, stream: Stream) -> RuleName | None:
        """The rule whose match is open in the stream."""
        join = self._open.get(stream)
        return None if join is None else join.rule

    def takes(self, stream: Stream, text: bytes, at: Usec, *, broken: bool = False) -> bool:
        """Whether this entry, the next one of its stream, is joined; if not, the stream's join is over.

        `broken`: its line goes on in the stream's next entry.
        """
        join = self._open.get(stream)
        if join is None:
            return False
        if join.line:
            if not broken:
                self._close(stream)
            return True
        grown = replace(join, lines=join.lines + 1, size=join.size + len(text))
        if not _fits(grown, at) or not self._belongs(join, text):
            self._close(stream)
            return False
        ended = join.reach.until is not None and (self._is_end(join, text) or (join.ended and not text.strip()))
        self._open[stream] = replace(grown, ended=ended)
        return True

    def is_ended(self, stream: Stream) -> bool:
        """Whether the stream has an open join whose end was seen; one without an end to wait for is at its end."""
        join = self._open.get(stream)
        return join is not None and (join.ended or join.reach.until is None)

    def set_clock(self, step: int) -> None:
        """The wall clock was set by so many microseconds: each match is by the new one from now on."""
        for stream, join in self._open.items():
            self._open[stream] = replace(join, at=Usec(join.at + step))

    def _belongs(self, join: Join, text: bytes) -> bool:
        if join.reach.continues is not None:
            return self._leads_on[join.reach.continues](text) is not None
        return not join.ended or _goes_on(text)

    def _is_end(self, join: Join, text: bytes) -> bool:
        """Asks each line of the text: what one program writes line by line, another writes as one entry."""
        return self._ends[join.reach.until](text) is not None

    def dump(self) -> list[dict[str, Any]]:
        """As JSON-able data."""
        return [_dumped(stream, join) for stream, join in self._open.items()]

    def load(self, dumped: object, reach: Callable[[JobName, RuleName], Reach | None]) -> None:
        """Goes on with what `dump` gave. What is malformed, or whose rule joins nothing any more, is left out."""
        for stream in list(self._open):
            self._close(stream)
        for item in dumped if isinstance(dumped, list) else []:
            loaded = _loaded(item)
            if loaded is None:
                continue
            known = Reach() if loaded[1].line else reach(loaded[0].job, loaded[1].rule)
            if known is not None:
                stream, join = loaded[0], replace(loaded[1], reach=known)
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
    joined = {name: getattr(join, name) for name in ("rule", "at", "lines", "size", "ended", "line")}
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
        reach=Reach(),
        at=Usec(item["at"]),
        lines=item["lines"],
        size=item["size"],
        ended=item.get("ended") is True,
        line=item.get("line") is True,
    )
    return Stream(JobName(item["job"]), *sender), join


_SENDER: Final = ("unit", "pid", "channel")
