"""The load of a soak: journal files that grow at a fixed rate and are rotated, and what was written, counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.journal.written import Line, LiveWriter

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
        self._bad = threading.Event()
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

    def turn_bad(self, *, bad: bool) -> None:
        """Whether the job logs errors from now on."""
        if bad:
            self._bad.set()
        else:
            self._bad.clear()

    def _write(self) -> None:
        begun, said = time.monotonic(), 0
        while not self._stop.is_set():
            with LiveWriter(self._directory / "import.journal") as journal:
                until = time.monotonic() + self._rotate_seconds
                while (now := time.monotonic()) < until and not self._stop.is_set():
                    due = int((now - begun) * self._rate)
                    journal.say(*[self._line(number) for number in range(said, due)])
                    said = due
                    self._stop.wait(TURN)
            self._rotate()

    def _line(self, number: int) -> Line:
        is_error = self._bad.is_set() and number % BAD_EVERY == 0
        self.written["entries"] += 1
        self.written["errors"] += is_error
        message = f"broken record {number}" if is_error else f"record {number} imported in {number % 97} ms"
        return Line(at=time.time_ns() // 1000, message=message, unit=UNITS[number % len(UNITS)])

    def _rotate(self) -> None:
        live = self._directory / "import.journal"
        live.rename(self._directory / f"import@{self.rotations:06}.journal")
        self.rotations += 1
        for old in sorted(self._directory.glob(ROTATED))[: -self._keep]:
            old.unlink()
