"""A one-shot process that reads a few entries again by their cursors, each with the lines around it.

`python -m watcher.journal.excerpt`: one JSON request on standard input, one JSON answer on standard output, then it
ends. Like the reader it is disposable: what it reads is hostile, and libsystemd may die or hang on it. It knows
cursors and entries; it decides nothing, and knows no release.

Request: `{"directory", "namespace", "identifiers": […], "around": 3, "lines": [{"cursor", "rules": […]}],
"captures": {RULE: {NAME: RE2}}, "joins": {RULE: {"until": RE2, "continues": RE2}}}`, one of the two null. Answer:
`{"lines": [{"line": LINE or null, "before": […], "after": […], "captures": [[RULE, NAME, TEXT]]}]}` in the order of
the request, or `{"error": "…"}`.

An error that its rule joined is more than its first line: the exception of a Python traceback stands on the last one.
So the captures of that rule see the joined text, and the neighbours after the line reach to its end where they can.
The match that decides about a release is often the first line of an error whose other lines are still to come; so at
the end of the journal the process waits for them, up to a second in all.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from systemd._reader import _Reader

from watcher.core.duration import Usec
from watcher.core.errors import WatcherError
from watcher.core.names import JobName, RuleName
from watcher.journal.entry import Entry
from watcher.journal.joins import Join, Joins, Reach
from watcher.journal.joins import Stream as _Sender
from watcher.journal.opening import open_journal
from watcher.journal.patterns import compile_pattern, readable
from watcher.journal.position import parse_cursor
from watcher.journal.process import lower_own_worth
from watcher.journal.source import Source

ANSWER_LIMIT = 64 * 1024
REQUEST_LIMIT = 1024 * 1024
LINES_LIMIT = 20
_MESSAGE_BYTES = 2048
_FIELD_BYTES = 256
_CAPTURED = 256
_SEARCHED = 16 * 1024
"""How much of a message the patterns see, as in the reader."""
_STEPS = 2000
"""How many entries are passed on either side to find neighbours of the same stream."""
_JOINED_SHOWN = 30
"""How many entries after the line are shown at most, because they were joined to it."""
_WAITS, _WAIT_USEC = 8, 125_000
_SAME_INSTANT = 1000
_LONGEST_SECONDS = 60
"""Ends the process if nobody else does: its parent has died, and libsystemd hangs."""


class Stream(NamedTuple):
    """What makes entries neighbours: the same host, and the same unit, or the same identifier."""

    host: bytes
    name: bytes


def main() -> int:
    """Answer the request; the exit code is 0 whenever there is an answer, also if that is an error."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST_SECONDS)
    lower_own_worth()
    request = json.loads(sys.stdin.buffer.read(REQUEST_LIMIT))
    answer: dict[str, Any]
    try:
        answer = {"lines": read_lines(request)}
    except (WatcherError, OSError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
    return 0


class Tail:
    """The end of the journal: lets `wait` go for what is just being written, so many times for all lines together."""

    def __init__(self, wait: Callable[[_Reader], object]) -> None:
        self._wait = wait
        self._left = _WAITS

    def may_grow(self, reader: _Reader) -> bool:
        """Waits once more; False if that has been done often enough."""
        if self._left:
            self._left -= 1
            self._wait(reader)
            return True
        return False


def wait_for_more(reader: _Reader) -> None:
    """Until something is written, or for an eighth of a second."""
    reader.wait(_WAIT_USEC)


def read_lines(
    request: Mapping[str, Any], *, wait: Callable[[_Reader], object] = wait_for_more
) -> list[dict[str, Any]]:
    """The answer's lines, together at most `ANSWER_LIMIT` as JSON. `wait` is called at the end of the journal.

    Raises JournalError when the journal can't be opened, OSError when it can't be read.
    """
    source = Source(directory=request["directory"], namespace=request["namespace"])
    identifiers = frozenset(name.encode() for name in request["identifiers"])
    wanted = request["lines"][:LINES_LIMIT]
    share = (ANSWER_LIMIT - 64) // max(len(wanted), 1) - 2
    tail = Tail(wait)
    with closing(open_journal(source)) as reader:
        return [_fit(_read_line(reader, one, request, identifiers, tail), share) for one in wanted]


def _stand_on(reader: _Reader, cursor: str) -> None:
    reader.seek_cursor(cursor)
    reader._next()


def _read_line(
    reader: _Reader, wanted: Mapping[str, Any], request: Mapping[str, Any], identifiers: frozenset[bytes], tail: Tail
) -> dict[str, Any]:
    cursor = _find(reader, wanted["cursor"])
    if cursor is None:
        return {"line": None, "before": [], "after": [], "captures": []}
    stream = _stream(reader, identifiers)
    line = _line(reader)
    message = _raw(reader, "MESSAGE")[:_SEARCHED]
    before = _neighbours(reader, reader._previous, stream, identifiers, request["around"])
    _stand_on(reader, cursor)
    joining, further = _joined(reader, wanted["rules"], request.get("joins", {}), tail)
    texts = {joining: b"\n".join([message, *further])}
    captured = _captured(texts, message, wanted["rules"], request["captures"])
    _stand_on(reader, cursor)
    after = _neighbours(
        reader, reader._next, stream, identifiers, max(request["around"], min(len(further), _JOINED_SHOWN))
    )
    return {"line": line, "before": before[::-1], "after": after, "captures": captured}


def _joined(
    reader: _Reader, rules: Sequence[str], reaches: Mapping[str, Mapping[str, str]], tail: Tail
) -> tuple[str, list[bytes]]:
    """The rule that joins, "" for none, and the messages that it joins to the entry on which the reader stands.

    The reader's own joining, on the entries as they are now.
    """
    rule = next((rule for rule in rules if rule in reaches), "")
    if not rule:
        return "", []
    reach = Reach(reaches[rule].get("until"), reaches[rule].get("continues"))
    open_joins = Joins([reach])
    sender = _sender(reader)
    found: list[bytes] = []
    try:
        join = Join(rule=RuleName(rule), reach=reach, at=Usec(reader._get_realtime()))
        open_joins.open(sender, join, readable(_raw(reader, "MESSAGE")[:_SEARCHED]))
        for _ in range(_STEPS):
            if not reader._next():
                if reach.continues is None and open_joins.is_ended(sender):
                    break
                if not tail.may_grow(reader):
                    break
                continue
            if _sender(reader) != sender:
                continue
            text = readable(_raw(reader, "MESSAGE")[:_SEARCHED])
            if not open_joins.takes(sender, text, Usec(reader._get_realtime())):
                break
            found.append(text)
    except OSError:
        return rule, found  # a damaged place ends it, as it ends the neighbours
    return rule, found


def _sender(reader: _Reader) -> _Sender:
    unit = _raw(reader, "_SYSTEMD_UNIT") or None
    return _Sender(JobName(""), *Entry(reader, unit).stream())


def _find(reader: _Reader, text: str) -> str | None:
    """Let the reader stand on the entry of that cursor; the cursor that the entry has now, None if it is gone.

    A seek goes silently to the closest later entry, and after a flush the number in a cursor may name another one:
    only boot, both times and hash together say that it is the same.
    """
    wanted = parse_cursor(text)
    reader.seek_cursor(text)
    if reader._next():
        landed = reader._get_cursor()
        found = parse_cursor(landed)
        if (found.instant, found.realtime, found.digest) == (wanted.instant, wanted.realtime, wanted.digest):
            return landed
    reader.seek_cursor(wanted.by_instant)
    for _ in range(_SAME_INSTANT):
        if not reader._next():
            return None
        landed = reader._get_cursor()
        found = parse_cursor(landed)
        if found.instant != wanted.instant:
            return None
        if (found.realtime, found.digest) == (wanted.realtime, wanted.digest):
            return landed
    return None


def _neighbours(
    reader: _Reader, step: Callable[[], bool], stream: Stream, identifiers: frozenset[bytes], most: int
) -> list[dict[str, Any]]:
    """Up to `most` entries of the stream, in the order in which the steps meet them."""
    found: list[dict[str, Any]] = []
    try:
        for _ in range(_STEPS):
            if len(found) >= most or not step():
                break
            if _stream(reader, identifiers) == stream:
                found.append(_line(reader))
    except OSError:
        return found  # a damaged place: what lies on this side of it is all that can be shown
    return found


def _stream(reader: _Reader, identifiers: frozenset[bytes]) -> Stream:
    """PID 1's records about a unit belong to that unit, not to PID 1."""
    host = _raw(reader, "_MACHINE_ID")
    identifier = _raw(reader, "SYSLOG_IDENTIFIER")
    if identifier in identifiers:
        return Stream(host, identifier)
    about = _raw(reader, "UNIT") if _raw(reader, "_PID") == b"1" else b""
    return Stream(host, about or _raw(reader, "_SYSTEMD_UNIT") or identifier)


def _line(reader: _Reader) -> dict[str, Any]:
    return {
        "at": reader._get_realtime(),
        "unit": _field(reader, "_SYSTEMD_UNIT", _FIELD_BYTES),
        "identifier": _field(reader, "SYSLOG_IDENTIFIER", _FIELD_BYTES) or _field(reader, "_COMM", _FIELD_BYTES),
        "pid": _field(reader, "_PID", _FIELD_BYTES) or _field(reader, "SYSLOG_PID", _FIELD_BYTES),
        "priority": _field(reader, "PRIORITY", 1),
        "message": _field(reader, "MESSAGE", _MESSAGE_BYTES),
    }


def _captured(
    texts: Mapping[str, bytes], message: bytes, rules: Sequence[str], captures: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, str, str]]:
    """What the rules' captures find, in the text of the rule or in the message."""
    found = []
    for rule in rules:
        text = readable(texts.get(rule, message))
        for name, pattern in captures.get(rule, {}).items():
            compiled = compile_pattern(pattern)
            hit = compiled.search(text)
            if hit is not None:
                group = min(compiled.groups, 1)
                caught = text[max(hit.start(group), 0) : max(hit.end(group), 0)]
                found.append((rule, name, caught[:_CAPTURED].decode(errors="replace")))
    return found


def _field(reader: _Reader, name: str, limit: int) -> str:
    """The field as text, cut to `limit` bytes; what was cut off leaves `…`."""
    raw = _raw(reader, name)
    return raw.decode(errors="replace") if len(raw) <= limit else raw[:limit].decode(errors="replace") + "…"


def _raw(reader: _Reader, name: str) -> bytes:
    try:
        return reader._get(name)
    except KeyError:
        return b""


def _fit(answer: dict[str, Any], share: int) -> dict[str, Any]:
    """The answer in at most `share` characters of JSON: the outermost neighbours go first, then ends of the message."""
    while len(json.dumps(answer)) > share and (answer["before"] or answer["after"]):
        outer, place = ("before", 0) if len(answer["before"]) >= len(answer["after"]) else ("after", -1)
        answer[outer].pop(place)
    while len(json.dumps(answer)) > share and answer["captures"]:
        answer["captures"].pop()
    while len(json.dumps(answer)) > share and answer["line"] is not None and len(answer["line"]["message"]) > 1:
        message = answer["line"]["message"]
        answer["line"]["message"] = message[: len(message) // 2] + "…"
    return answer


if __name__ == "__main__":
    sys.exit(main())
