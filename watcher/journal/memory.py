"""Entries from elsewhere than a journal (lines of a file, scenarios), read through the calls of libsystemd's reader.

So the one scanner reads them as it reads a journal. Must not know jobs or rules.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from watcher.core.duration import Usec


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEntry:
    """One entry: its instant and its fields, each with all of its values in their order, at least one."""

    at: Usec
    fields: Mapping[str, tuple[bytes, ...]]


def entry_of(at: Usec, fields: Mapping[str, str | bytes]) -> MemoryEntry:
    """An entry whose fields have one value each."""
    plain = {name: value.encode() if isinstance(value, str) else value for name, value in fields.items()}
    return MemoryEntry(at=at, fields={name: (value,) for name, value in plain.items()})


@dataclass(slots=True)
class MemoryReader:
    """A `JournalReader` over entries in their order; it stands before the first one.

    The cursor of an entry is its number, from 0 on. The entries are taken one at a time, so they may be a stream.
    """

    entries: Iterable[MemoryEntry]
    place: int = -1
    _rest: Any = field(init=False)
    _entry: MemoryEntry | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._rest = iter(self.entries)

    @property
    def entry(self) -> MemoryEntry:
        """The entry on which it stands.

        Raises OSError, as the library does: it stands nowhere.
        """
        if self._entry is None:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        return self._entry

    def _next(self, skip: int = 1, /) -> bool:
        for _ in range(skip):
            following = next(self._rest, None)
            if following is None:
                return False
            self._entry = following
            self.place += 1
        return True

    def _get(self, field: str, /) -> bytes:
        return self.entry.fields[field][0]

    def _get_all(self) -> dict[str, bytes | list[bytes]]:
        return {name: values[0] if len(values) == 1 else list(values) for name, values in self.entry.fields.items()}

    def _get_cursor(self) -> str:
        assert self.entry is not None  # noqa: S101 - raises where it stands nowhere
        return str(self.place)

    def _get_realtime(self) -> int:
        return self.entry.at
