"""Real journal files with any fields one likes: written by systemd-journal-remote, no root and no journald needed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from systemd._reader import _Reader

REMOTE = "/lib/systemd/systemd-journal-remote"
START = 1_700_000_000_000_000
STEP = 1_000
BOOT = "a" * 32

Value = str | bytes | int
Fields = Mapping[str, Value | Sequence[Value]]
"""The fields of one entry; a list is a field with several values."""


def exported(fields: Fields) -> bytes:
    """One entry in the Journal Export Format (https://systemd.io/JOURNAL_EXPORT_FORMATS/)."""
    parts = []
    for name, given in fields.items():
        values = [given] if isinstance(given, str | bytes | int) else given
        parts += [_field(name.encode(), value) for value in values]
    return b"".join(parts) + b"\n"


def _field(name: bytes, value: Value) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    if data.isascii() and b"\n" not in data and data.decode().isprintable():
        return name + b"=" + data + b"\n"
    return name + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"


class LiveJournal:
    """One journal file that grows: `append` returns when the entries can be read.

    An entry that says nothing else stands STEP microseconds after the one before, the first one at START.
    """

    def __init__(self, directory: Path, name: str = "system") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        command = [REMOTE, "-o", str(directory / f"{name}.journal"), "--compress=no", "--seal=no", "-"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self._count = 0
        self._seen = 0
        self._reader: _Reader | None = None

    def append(self, *entries: Fields) -> None:
        """Writes the entries and waits until a reader sees them."""
        self.send(*entries)
        self._wait()

    def send(self, *entries: Fields) -> None:
        """Writes the entries without waiting."""
        assert self._process.stdin is not None
        for entry in entries:
            at = self._count * STEP
            stamps: Fields = {
                "__REALTIME_TIMESTAMP": START + at,
                "__MONOTONIC_TIMESTAMP": 1_000_000_000 + at,
                "_BOOT_ID": BOOT,
            }
            self._process.stdin.write(exported({**stamps, **entry}))
            self._count += 1
        self._process.stdin.flush()

    def close(self) -> None:
        """Ends the writer; what was written stays."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stderr is not None
        said = self._process.stderr.read()
        self._process.stderr.close()
        assert 0 == self._process.wait(60), said
        if self._reader is not None:
            self._reader.close()

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while self._seen < self._count:
            assert time.monotonic() < end, f"{self._seen} of {self._count} entries can be read"
            if self._reader is None:
                self._reader = _Reader(0, str(self._directory))
                self._reader.wait(0)
            if self._reader._next():
                self._seen += 1
            else:
                self._reader.wait(1_000)
                self._reader.process()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_journal(directory: Path, entries: Iterable[Fields], name: str = "system") -> Path:
    """A journal of these entries, complete when this returns; gives the directory to read it from."""
    with LiveJournal(directory, name) as journal:
        journal.send(*entries)
    return directory


def shown(directory: Path, *options: str) -> list[dict[str, Any]]:
    """The entries that journalctl shows: each with `__CURSOR` and MESSAGE; none where it says that there is no data."""
    command = ["journalctl", "--directory", str(directory), "--all", "-q", "-o", "json", "--output-fields=MESSAGE"]
    done = subprocess.run([*command, *options], capture_output=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def open_reader(directory: Path) -> _Reader:
    """A raw reader at the head of the journal."""
    reader = _Reader(0, str(directory))
    reader.wait(0)
    reader.seek_head()
    return reader
