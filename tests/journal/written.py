"""Real journal files for the tests of reading: written by systemd-journal-remote, counted by journalctl."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.parts.journals import Fields, exported
from watcher.core.duration import Usec
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT = "a" * 32
T0 = Usec(1_700_000_000_000_000)
STEP = 1000
UNIT = "import.service"
ENTRY_OBJECT = 3

JOB = WatchedJob(
    name=JobName("import"),
    units=(UNIT,),
    identifiers=(),
    rules=(Rule(name=RuleName("failure"), severity=Severity.ERROR, match="error"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry; `at` since 1970, and counted from T0 its monotonic time, unless `monotonic_at` says another."""

    at: int
    message: str | None = "fine"
    unit: str = UNIT
    boot: str = BOOT
    monotonic_at: int | None = None
    priority: int = 3
    heartbeat: str | None = None
    host: str | None = None

    def export(self) -> bytes:
        """The journal export format."""
        fields = {
            "__REALTIME_TIMESTAMP": self.at,
            "__MONOTONIC_TIMESTAMP": (self.monotonic_at or self.at) - T0 + 10_000_000_000_000,
            "_BOOT_ID": self.boot,
            "_SYSTEMD_UNIT": self.unit,
            "PRIORITY": self.priority,
        }
        if self.message is not None:
            fields["MESSAGE"] = self.message
        if self.host is not None:
            fields["_MACHINE_ID"] = self.host
        if self.heartbeat is not None:
            fields["WATCHER_HEARTBEAT"] = self.heartbeat
        return "".join(f"{name}={value}\n" for name, value in fields.items()).encode() + b"\n"


def lines(count: int, *, start: int = T0, errors: int = 10, step: int = STEP, boot: str = BOOT) -> list[Line]:
    """Entries one after the other, each `errors`-th an error."""
    return [
        Line(at=start + k * step, message=f"error {k}" if errors and k % errors == 0 else f"fine {k}", boot=boot)
        for k in range(count)
    ]


def write(directory: Path, name: str, entries: Iterable[Line]) -> Path:
    """Appends the entries to one file of the directory."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.journal"
    with LiveWriter(path) as writer:
        writer.say(*entries)
    return path


def renumber(path: Path, *, like: Path, by: int) -> None:
    """Makes a journal file go on with the numbering of another one, as after a rotation by journald.

    Layout: https://systemd.io/JOURNAL_FILE_FORMAT/
    """
    data = bytearray(path.read_bytes())

    def number(offset: int) -> int:
        return int.from_bytes(data[offset : offset + 8], "little")

    def add(offset: int) -> None:
        data[offset : offset + 8] = (number(offset) + by).to_bytes(8, "little")

    sequence_id, header_size, tail_object, tail_number, head_number = slice(72, 88), 88, 136, 160, 168
    data[sequence_id] = like.read_bytes()[sequence_id]
    add(tail_number)
    add(head_number)
    place, last = number(header_size), number(tail_object)
    while place <= last:
        if data[place] == ENTRY_OBJECT:
            add(place + 16)
        place += (number(place + 8) + 7) // 8 * 8
    path.write_bytes(data)


class LiveWriter:
    """A journal file that grows."""

    def __init__(self, path: Path) -> None:
        command = [REMOTE, "-o", str(path), "--compress=no", "--seal=no", "-"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def say(self, *entries: Line) -> None:
        """Appends; a reader sees it a moment later."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"".join(entry.export() for entry in entries))
        self._process.stdin.flush()

    def write(self, *entries: Fields) -> None:
        """Appends entries of now with these fields."""
        assert self._process.stdin is not None
        for entry in entries:
            now = time.time_ns() // 1000
            stamps = {"__REALTIME_TIMESTAMP": now, "__MONOTONIC_TIMESTAMP": now - T0 + 10_000_000_000_000}
            self._process.stdin.write(exported({**stamps, "_BOOT_ID": BOOT, **entry}))
        self._process.stdin.flush()

    def tell(self, message: str) -> None:
        """Appends one entry of now."""
        self.say(Line(at=time.time_ns() // 1000, message=message))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert 0 == self._process.wait(30)


def counted(directory: Path, *arguments: str) -> int:
    """How many entries journalctl shows."""
    command = ["journalctl", "--directory", str(directory), "-q", "--no-pager", "-o", "cat", "--output-fields=PRIORITY"]
    done = subprocess.run([*command, *arguments], capture_output=True, check=True)
    return len(done.stdout.splitlines())


def cursors(directory: Path) -> list[str]:
    """The cursors of all entries, as journalctl shows them."""
    command = ["journalctl", "--directory", str(directory), "-q", "--no-pager", "-o", "export"]
    done = subprocess.run(command, capture_output=True, check=True)
    return [line[9:].decode() for line in done.stdout.splitlines() if line.startswith(b"__CURSOR=")]


def eventually(condition: Callable[[], bool], *, within: float = 10.0) -> None:
    """Waits until the condition holds; its evaluation moves things on."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)
