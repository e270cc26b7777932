"""The load of a soak: journal files that grow at a fixed rate and are rotated, and what was written, counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.parts.journals import Fields, LiveJournal
from tests.parts.pid1 import DEACTIVATED, STOPPING, line, record, service_starts

UNITS: Final = tuple(f"import@{number}.service" for number in range(8))
TURN: Final = 0.02
"""Seconds between two writes: as many lines stand in one as the rate asks for."""
BAD_EVERY: Final = 40
"""While a release is bad, one line of so many is an error."""
ROTATED: Final = "import@*.journal"


class Load:
    """A writer in a thread of its own. `written` counts entries and errors, and is exact once the load has stopped."""

    def __init__(self, directory: Path, *, rate: int, rotate_seconds: float, keep: int) -> None:
        """`rate` in entries a second; `keep` rotated files stay, older ones are removed, as a vacuum does."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._rate = rate
        self._rotate_seconds = rotate_seconds
        self._keep = keep
        self._stop = threading.Event()
        self._deployed = threading.Event()
        self._bad = self._is_bad = False
        self._run = 1
        self._thread = threading.Thread(target=self._write, name="load")
        self.written: Counter[str] = Counter()
        self.rotations = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write nothing more; everything that was written can be read when this returns."""
        self._stop.set()
        self._thread.join()

    def deploy(self, *, bad: bool) -> None:
        """Restart the job's services, as a release does; a bad one logs errors from then on."""
        self._bad = bad
        self._deployed.set()

    def _write(self) -> None:
        begun, said = time.monotonic(), 0
        while not self._stop.is_set():
            with LiveJournal(self._directory, "import") as journal:
                until = time.monotonic() + self._rotate_seconds
                while (now := time.monotonic()) < until and not self._stop.is_set():
                    due = int((now - begun) * self._rate)
                    journal.send(*self._restarted(), *[self._line(number) for number in range(said, due)])
                    said = due
                    self._stop.wait(TURN)
            self._rotate()

    def _restarted(self) -> list[Fields]:
        """What PID 1 says of a deployment, if there was one."""
        if not self._deployed.is_set():
            return []
        self._deployed.clear()
        old, self._run = self._run, self._run + 1
        self._is_bad = self._bad
        said: list[Fields] = []
        for unit in UNITS:
            said += [record(STOPPING, old, unit=unit), record(DEACTIVATED, old, unit=unit)]
            said += service_starts(self._run, unit=unit)
        self.written["entries"] += len(said)
        return [{**fields, **_now()} for fields in said]

    def _line(self, number: int) -> Fields:
        is_error = self._is_bad and number % BAD_EVERY == 0
        self.written["entries"] += 1
        self.written["errors"] += is_error
        message = f"broken record {number}" if is_error else f"record {number} imported in {number % 97} ms"
        return line(message, self._run, unit=UNITS[number % len(UNITS)], **_now())

    def _rotate(self) -> None:
        live = self._directory / "import.journal"
        live.rename(self._directory / f"import@{self.rotations:06}.journal")
        self.rotations += 1
        for old in sorted(self._directory.glob(ROTATED))[: -self._keep]:
            old.unlink()


def _now() -> dict[str, int]:
    """Both clocks of an entry, in microseconds."""
    return {
        "__REALTIME_TIMESTAMP": time.time_ns() // 1000,
        "__MONOTONIC_TIMESTAMP": time.monotonic_ns() // 1000,
    }
