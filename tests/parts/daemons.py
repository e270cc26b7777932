"""A real daemon as a process: started, spoken to with the real command line, killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 15.0


def free_port() -> int:
    """A TCP port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DaemonProcess:
    """`watcher run` on a directory of its own; `journal` is the directory of journal files that it follows.

    `wrapper` is what starts it, a program that becomes it in the end; `program` is `watcher` itself.
    """

    def __init__(self, directory: Path, job: str, *, environment: dict[str, str] | None = None) -> None:
        """`job` is the YAML of the job `import`, indented by four, with {placeholders} already filled."""
        self.directory = directory
        self.journal = directory / "journal"
        self.state = directory / "state"
        self.config = directory / "watcher.yaml"
        self.port = free_port()
        self._environment = {**os.environ, **(environment or {})}
        self.run_options: list[str] = []
        self.program = [sys.executable, "-m", "watcher"]
        self.wrapper: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.journal.mkdir(exist_ok=True)
        self.configure(job)

    def configure(self, job: str) -> None:
        """Write the configuration with this job."""
        head = f"version: 1\njournal: {{directory: {self.journal}}}\nlisten: {{metrics: 127.0.0.1:{self.port}}}\n"
        self.config.write_text(f"{head}jobs:\n  import:\n{job}", encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *options: str | Path) -> None:
        """Start the process with these options of `run`; `log` collects what it says."""
        with (self.directory / "log").open("ab") as log:
            given = [*self.run_options, *map(str, options)]
            argv = [*self.wrapper, *self.program, "run", *self._options, *given]
            self._process = subprocess.Popen(argv, stderr=log, stdin=subprocess.DEVNULL, env=self._environment)

    @property
    def _options(self) -> list[str]:
        return ["--config", str(self.config), "--state-dir", str(self.state)]

    @property
    def log(self) -> str:
        """What all daemons of this directory have said so far."""
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """The process id of the running daemon."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`, as the kernel or a person would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._process = None
        return code

    def wait_exit(self) -> int:
        """The exit code of a daemon that ends by itself."""
        assert self._process is not None
        code = self._process.wait(timeout=PATIENCE)
        self._process = None
        return code

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the TCP listener; (0, reason) if nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def wait_ready(self) -> None:
        """Until `/-/ready` says so."""
        self.wait_for(lambda: self.get("/-/ready")[0] == 200, "ready")

    def wait_for(self, condition: Callable[[], bool], what: str, *, patience: float = PATIENCE) -> None:
        """Poll until the condition holds; fails with the daemon's log."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {patience} s\n{self.log[-4000:]}")
            time.sleep(0.02)

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Every sample by its name and label values, in the order of the label names."""
        status, text = self.get("/metrics")
        assert status == 200, text
        return {
            (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def entries(self) -> int:
        """The entries of the job so far; -1 while nobody answers."""
        if self.get("/-/healthy")[0] != 200:
            return -1
        return int(self.metrics()["watcher_journal_entries_total", "import"])

    def cli(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """A verb of the command line against this daemon."""
        argv = [sys.executable, "-m", "watcher", *self._options, *map(str, words)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def start_release(self, *options: str) -> str:
        """Register a release of the job; its id."""
        done = self.cli("release", "start", "import", "--version", "2", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def show(self, release: str) -> dict[str, Any]:
        """The release as `release show -o json` prints it."""
        done = self.cli("release", "show", release, "-o", "json")
        assert done.returncode == 0, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown
