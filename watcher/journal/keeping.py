"""A raw reader that remembers what was read of the entries that mattered, so that their text can be shown.

For reading in which every entry of a job matters; must not know rules. The caller throws away what is remembered.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from systemd._reader import _Reader

Kept = dict[str, bytes]
"""The fields of one entry that were asked for and are there."""


class KeepingReader(_Reader):
    """Puts into `kept`, by its cursor, what was asked of each entry whose cursor was asked for, and its PRIORITY.

    A batch that is thrown away and read again puts the same there again.
    """

    def __init__(self, *args: Any, kept: dict[str, Kept], **named: Any) -> None:
        super().__init__(*args, **named)
        self._kept = kept
        self._fields: Kept = {}

    def _next(self, skip: int = 1, /) -> bool:
        self._fields = {}
        return super()._next(skip)

    def _previous(self, skip: int = 1, /) -> bool:
        self._fields = {}
        return super()._previous(skip)

    def _get(self, field: str, /) -> bytes:
        value = super()._get(field)
        self._fields[field] = value
        return value

    def _get_cursor(self) -> str:
        cursor = super()._get_cursor()
        if self._fields and cursor not in self._kept:
            self._keep(cursor)
        return cursor

    def _keep(self, cursor: str) -> None:
        self._kept[cursor] = self._fields
        with suppress(KeyError):  # it has none
            self._get("PRIORITY")
