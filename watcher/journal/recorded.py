"""Entries from a stream: plain lines, or what `journalctl -o export` and `-o json` print, told apart by the beginning.

Formats: https://systemd.io/JOURNAL_EXPORT_FORMATS/. What is malformed is an error with its line: a file that is half
understood would make every count wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import IO, Any, Final

from watcher.core.duration import MILLISECOND, Usec
from watcher.core.errors import WatcherError
from watcher.journal.memory import MemoryEntry

LINES_UNIT: Final = b"lines.service"
"""Whose entries lines are."""
_STDOUT: Final = {"_SYSTEMD_UNIT": LINES_UNIT, "_PID": b"4711", "_UID": b"998", "_TRANSPORT": b"stdout"}
_LONGEST: Final = 1 << 20
"""Bytes of a line; the rest of it is passed."""
_LARGEST: Final = 16 << 20
"""Bytes of a field."""
_STAMP: Final = "__REALTIME_TIMESTAMP"


class RecordedError(WatcherError):
    """A file that begins like a journal's export and then is none."""


class Form(StrEnum):
    """How entries are written."""

    LINES = "lines"
    EXPORT = "export"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Entries that are still to be read, once; reading them may raise RecordedError."""

    form: Form
    entries: Iterator[MemoryEntry]


def read_recorded(stream: IO[bytes], name: str) -> Recorded:
    """The entries of a stream called `name` in messages. Lines have no instants: from 0 on, a millisecond each."""
    first = stream.readline(_LONGEST)
    if first.startswith(b"{") and b'"__REALTIME_TIMESTAMP"' in first:
        return Recorded(form=Form.JSON, entries=_from_json(chain([first], stream), name))
    if first.startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP=")):
        return Recorded(form=Form.EXPORT, entries=_from_export(first, stream, name))
    return Recorded(form=Form.LINES, entries=_from_lines(first, stream))


def _from_lines(first: bytes, stream: IO[bytes]) -> Iterator[MemoryEntry]:
    line, number = first, 0
    while line:
        text = line.rstrip(b"\r\n")
        if text:
            yield MemoryEntry(at=Usec(number * MILLISECOND), fields=_line_fields(text))
            number += 1
        while line and not line.endswith(b"\n"):
            line = stream.readline(_LONGEST)
        line = stream.readline(_LONGEST)


def _line_fields(text: bytes) -> dict[str, tuple[bytes, ...]]:
    """As journald makes them of a line on standard output; `<3>` in front of it is the priority (sd-daemon(3))."""
    priority = b"6"
    if len(text) > len(b"<3>") and text[:1] == b"<" and text[2:3] == b">" and text[1:2] in b"01234567":
        priority, text = text[1:2], text[3:]
    fields = {**_STDOUT, "PRIORITY": priority, "MESSAGE": text}
    return {name: (value,) for name, value in fields.items()}


def _from_json(lines: Iterable[bytes], name: str) -> Iterator[MemoryEntry]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            fields = {field: _values(value) for field, value in given.items() if value is not None}
            at = Usec(int(fields[_STAMP][0]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordedError(f"{name}:{number}: is no entry as `journalctl -o json` prints it") from error
        yield MemoryEntry(at=at, fields=_own(fields))


def _values(value: Any) -> tuple[bytes, ...]:
    """A text, a list of numbers (bytes that are no UTF-8), or a list of either (a field with several values)."""
    if isinstance(value, str):
        return (value.encode("utf-8", "surrogateescape"),)
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return (bytes(value),)
    if isinstance(value, list) and value:
        return tuple(chain.from_iterable(map(_values, value)))
    raise ValueError("no value of a field")


def _from_export(first: bytes, stream: IO[bytes], name: str) -> Iterator[MemoryEntry]:
    fields: dict[str, tuple[bytes, ...]] = {}
    line, number = first, 1
    while line:
        if line == b"\n":
            if fields:
                yield _exported(fields, name, number)
            fields = {}
        else:
            field, value = _export_field(line, stream, name, number)
            fields[field] = (*fields.get(field, ()), value)
        line, number = stream.readline(), number + 1
    if fields:
        yield _exported(fields, name, number)


def _export_field(line: bytes, stream: IO[bytes], name: str, number: int) -> tuple[str, bytes]:
    field, equals, value = line.removesuffix(b"\n").partition(b"=")
    if not equals:
        size = int.from_bytes(stream.read(8), "little")
        value = stream.read(size) if size <= _LARGEST else b""
        if len(value) != size or stream.read(1) != b"\n":
            raise RecordedError(f"{name}:{number}: is cut off, or no field as `journalctl -o export` prints it")
    return field.decode("ascii", "replace"), value


def _exported(fields: dict[str, tuple[bytes, ...]], name: str, number: int) -> MemoryEntry:
    stamp = fields.get(_STAMP, (b"",))[0]
    if not stamp.isdigit():
        raise RecordedError(f"{name}:{number}: the entry that ends here has no {_STAMP}")
    return MemoryEntry(at=Usec(int(stamp[:18])), fields=_own(fields))


def _own(fields: dict[str, tuple[bytes, ...]]) -> dict[str, tuple[bytes, ...]]:
    return {field: values for field, values in fields.items() if not field.startswith("__")}
