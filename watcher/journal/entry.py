"""One journal entry, seen with care: its fields, its sender, the units that it is about.

Knows which fields are to be believed from whom; must not know jobs or rules. Only entries that need more than a look
at their unit and their text become an `Entry`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Final, Protocol

from watcher.journal.matcher import CORE_DUMPED

_LONGEST: Final = 255
"""Of a unit's name in bytes. What is kept of an entry is cut there, as files of other origin can hold anything."""


class JournalReader(Protocol):
    """The raw calls of `systemd._reader._Reader` that reading an entry takes; each may raise OSError.

    `_get` gives the first value of a field and raises KeyError if there is none; `_get_all` gives a list for a field
    with several values, and leaves out what it can't read.
    """

    def _next(self, skip: int = 1, /) -> bool: ...
    def _get(self, field: str, /) -> bytes: ...
    def _get_all(self) -> dict[str, bytes | list[bytes]]: ...
    def _get_cursor(self) -> str: ...
    def _get_realtime(self) -> int: ...


class Entry:
    """The entry that the reader stands on. Fields are fetched when they are asked for, each once.

    Whatever fetches a field may raise OSError.
    """

    __slots__ = ("_known", "_reader", "unit")

    def __init__(self, reader: JournalReader, unit: bytes | None) -> None:
        self._reader = reader
        self._known: dict[str, bytes | None] = {"_SYSTEMD_UNIT": unit}
        self.unit = unit

    def field(self, name: str) -> bytes | None:
        """The first value of a field, None if the entry has none."""
        if name not in self._known:
            try:
                self._known[name] = self._reader._get(name)
            except KeyError:
                self._known[name] = None
        return self._known[name]

    def cursor(self) -> str:
        """The journal's own position of this entry."""
        return self._reader._get_cursor()

    def every(self, name: str) -> list[bytes]:
        """All values of a field: journalctl shows an entry if any of them is right."""
        if self.field(name) is None:
            return []
        values = self._reader._get_all().get(name)
        if values is None:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        return values if isinstance(values, list) else [values]

    def units(self, *, slices: bool) -> Iterator[bytes]:
        """The units for which `journalctl -u` shows this entry; `slices` tells whether slices are of interest.

        After `add_matches_for_unit` in systemd's src/shared/logs-show.c. Fields that begin with `_` are journald's
        own and have one value.
        """
        if self.unit is not None:
            yield self.unit
        if self.field("_PID") == b"1":
            yield from self.every("UNIT")
        if self.field("_UID") == b"0":
            yield from self.every("OBJECT_SYSTEMD_UNIT")
            dumped = self.every("COREDUMP_UNIT")
            if dumped and CORE_DUMPED in self.every("MESSAGE_ID"):
                yield from dumped
        if slices and (own := self.slice()) is not None:
            yield own

    def slice(self) -> bytes | None:
        """The slice of the process that wrote this; journalctl takes nothing else for one."""
        found = self.field("_SYSTEMD_SLICE")
        return found if found is not None and found.endswith(b".slice") else None

    def dropped(self, *, slices: bool) -> Iterator[bytes]:
        """The unit of which journald tells here that it dropped messages, with `slices` also the slice that it is in.

        After `dispatch_message_real` in systemd's src/journal/journald-server.c.
        """
        yield from self.every("OBJECT_SYSTEMD_UNIT")
        if slices:
            yield from (unit for unit in self.every("OBJECT_SYSTEMD_SLICE") if unit.endswith(b".slice"))

    def run(self) -> tuple[str, str]:
        """The unit whose run this entry is about and the INVOCATION_ID of it, each "" if not known.

        A core dump is reported by another unit and names no invocation.
        """
        if self.field("_PID") == b"1" and self.field("UNIT") is not None:
            unit, invocation = self.field("UNIT"), self.field("INVOCATION_ID")
        elif self.field("MESSAGE_ID") == CORE_DUMPED and self.field("_UID") == b"0":
            unit, invocation = self.field("COREDUMP_UNIT"), None
        else:
            unit, invocation = self.unit, self.field("_SYSTEMD_INVOCATION_ID")
        return _text(unit), _text(invocation)

    def host(self) -> str:
        """The host that wrote this, "" if the entry does not say."""
        return _text(self.field("_MACHINE_ID"))

    def stream(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """The unit, the process and the channel that wrote this: _STREAM_ID, or _TRANSPORT where there is none."""
        channel = self.field("_STREAM_ID") or self.field("_TRANSPORT")
        return _cut(self.unit), _cut(self.field("_PID")), _cut(channel)

    def is_journald(self) -> bool:
        """Whether journald itself says this, not something that it was sent."""
        if self.unit is not None and not self.unit.startswith(b"systemd-journald"):
            return False
        return self.field("_TRANSPORT") == b"driver"


def _text(value: bytes | None) -> str:
    return "" if value is None else value[:_LONGEST].decode("latin-1")


def _cut(value: bytes | None) -> bytes | None:
    return None if value is None else value[:_LONGEST]
