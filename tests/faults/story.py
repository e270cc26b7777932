"""One release that breaks its job, from the first start to the final note, told to a real daemon that may die.

The story remembers how far it was told, so it can be told on to the next daemon: lines are said once, a registration is
sent again until it was answered. What must hold at its end is in `invariants.py`.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.faults import shimmed
from tests.faults.disk import Disk
from tests.faults.invariants import (
    OVER,
    Monotone,
    Oracle,
    command_started_at_most_once,
    counters_equal_the_journal,
    database_is_whole,
    decision_reached_its_end,
    failed_by_a_crossing,
    process_is_bounded,
)
from tests.journal.written import LiveWriter
from tests.parts.daemons import DaemonProcess
from watcher.cli.client import Client, LostError, NoDaemonError, RefusedError
from watcher.cli.exits import TRY_AGAIN

ID = "import-1"
HEALTHY, LIMIT = 2, 3
PATIENCE = 60.0
_AT_ONCE = 3
T = TypeVar("T")
JOB = """\
    units: [import.service]
    rules: [{{name: gave-up, match: '^giving up', severity: error}}]
    release:
      mode: rollback
      window: 5m
      settle: 0s
      fail_when: [{{matches: {{severity: error, count: {limit}}}}}]
      rollback: {{command: [/bin/sh, -c, "echo ran >> {ran}"], verify: 100ms, timeout: 20s}}
"""


def at_once(tried: Sequence[T], outcome: Callable[[T], object]) -> dict[T, object]:
    """Tell a story for each of these, some at once as most of the time is waiting; what came of each."""

    def told(one: T) -> object:
        try:
            return outcome(one)
        except Exception as error:  # noqa: BLE001 - all of them are told together
            return f"{type(error).__name__}: {error}"  # no outcome is a text

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(tried, pool.map(told, tried), strict=True))


class DiedError(Exception):
    """The daemon ended before it was told to; `code` as of a `Popen`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the daemon ended with {code}")
        self.code = code


class Story(DaemonProcess):
    """A context manager: the journal grows while it is open."""

    def __init__(self, directory: Path) -> None:
        self.ran = directory / "ran"
        super().__init__(directory, JOB.format(ran=self.ran, limit=LIMIT))
        self.run_options = ["-v"]
        self.said_healthy = self.said_broken = 0
        self.acknowledged = False
        self._monotone = Monotone()
        self._last: tuple[dict[tuple[str, ...], float], dict[str, Any]] = ({}, {})
        self._writer: LiveWriter | None = None
        self._client = Client(self.state / "control.sock")

    def __enter__(self) -> Self:
        self._writer = LiveWriter(self.journal / "live.journal").__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        assert self._writer is not None
        self._writer.__exit__(kind, error, trace)

    def under(self, disk: Disk) -> None:
        """From now on the daemon and the runners that it starts have their state directory on this disk."""
        python = self.directory / "python"
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in disk.environment.items())
        script = f'#!/bin/sh\nexport {given}\nexec {sys.executable} "$@"\n'
        # Never open for writing in this process: a fork beside us would hold it so until its exec, and ours
        # would be refused (ETXTBSY).
        subprocess.run(["install", "-m", "755", "/dev/stdin", python], input=script, text=True, check=True)
        self._environment[shimmed.VARIABLE] = str(python)
        self.program = [str(python), shimmed.__file__]
        self._environment["PYTHONPATH"] = str(Path(__file__).parents[2])

    def on_a_sound_disk(self) -> None:
        """The next daemon has no shim."""
        self.program = [sys.executable, "-m", "watcher"]

    @property
    def claims(self) -> Path:
        """Claims, starts and results."""
        return self.state / "rollback"

    def play(self) -> int:
        """Start a daemon, tell it what it has not been told, wait for the end, stop it; its exit code."""
        try:
            self._play()
        except DiedError as died:
            return died.code
        return 0

    def _play(self) -> None:
        self.start()
        self._until(lambda: self.get("/-/ready")[0] == 200, "ready")
        while self.said_healthy < HEALTHY:
            self.tell("fine")
            self.said_healthy += 1
        self._until(lambda: self.entries() >= self.said_healthy, "the healthy lines")
        if self.acknowledged:
            assert ID == self._record()["id"], "a registration that was answered is gone"
        else:
            self._until(self.register, "the registration")
        while self.said_broken < LIMIT:
            self.tell("giving up")
            self.said_broken += 1
        self._until(self._is_over, "the end")
        process_is_bounded(self.pid)
        self._end()

    @property
    def last_metrics(self) -> dict[tuple[str, ...], float]:
        """What the last daemon that came to an end had counted."""
        return self._last[0]

    def play_on(self) -> None:
        """Start one more daemon, which has nothing to do but to know everything."""
        self.start()
        self._until(lambda: self.get("/-/ready")[0] == 200, "ready")
        self._until(lambda: self.entries() >= HEALTHY + LIMIT, "the whole journal")
        self._end()

    def assert_all_well(self) -> tuple[int, str]:
        """Every invariant, of what the last daemon said; how often the command ran, and what became of the rollback."""
        metrics, record = self._last
        oracle = Oracle.read(self.journal, unit="import.service", broken="giving up")
        assert (HEALTHY + LIMIT, LIMIT) == (oracle.entries, oracle.broken)
        counters_equal_the_journal(metrics, oracle, rule="gave-up")
        times = command_started_at_most_once(self.ran, self.claims, ID)
        decision_reached_its_end(record, self._note(), self.state / "rollback-queue")
        failed_by_a_crossing(record, oracle, limit=LIMIT)
        database_is_whole(self.state)
        assert ("failed", "failed") == (record["phase"], record["verdict"])
        assert 1 == metrics["watcher_release_verdicts_total", "import", "failed"]
        return times, str(record["rollback"]["state"])

    def tell(self, line: str) -> None:
        """One line of the job in the journal, as of now."""
        assert self._writer is not None
        self._writer.tell(line)

    def register(self) -> bool:
        """Ask for the release of the story; whether it was acknowledged."""
        asked = {"job": "import", "version": "2", "previous": "1", "id": ID}
        try:
            self._client.change("/api/v1/releases", asked, seconds=10)
        except (LostError, NoDaemonError):
            return False
        except RefusedError as error:
            if error.exit_code != TRY_AGAIN:
                raise
            return False
        self.acknowledged = True
        return True

    def _end(self) -> None:
        self._last = self.metrics(), self._record()
        self._monotone.seen(self._last[0])
        code = self.stop()
        if code != 0:
            raise DiedError(code)

    # ------------------------------------------------------------------------------------------------------- one step

    def _record(self) -> dict[str, Any]:
        return self._client.read(f"/api/v1/releases/{ID}", seconds=10).json

    def _note(self) -> dict[str, Any]:
        path = self.state / "notes" / f"{ID}.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def _is_over(self) -> bool:
        status, text = self.get("/metrics")
        if status == 200 and text:
            self._monotone.seen(self.metrics())
        try:
            rollback = self._record()["rollback"]
        except (LostError, NoDaemonError, RefusedError):
            return False
        verified = rollback["state"] != "succeeded" or (rollback["verification"] or {}).get("ended_at")
        return bool(rollback["state"] in OVER and verified and self._note().get("rollback") == rollback)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._is_true(condition):
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s\n{self.log[-4000:]}"
            time.sleep(0.02)

    def _is_true(self, condition: Callable[[], bool]) -> bool:
        assert self._process is not None
        try:
            found = condition()
        except Exception:
            self._expect_alive(patience=2)  # it may be just dying
            raise
        if not found:
            self._expect_alive(patience=0)
        return found

    def _expect_alive(self, *, patience: float) -> None:
        assert self._process is not None
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return
        self._process = None
        raise DiedError(code)
