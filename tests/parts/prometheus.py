"""Prometheus' own programs: promtool, and the server, scraping what a test gives it. `tools/setup` unpacks both."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.parts.daemons import free_port

UNPACKED = Path(__file__).parents[2] / ".cache/prometheus/usr/bin"
PATIENCE = 30.0


def program(name: str) -> str:
    """Where `promtool` or `prometheus` is: unpacked by the set-up, or installed."""
    unpacked = UNPACKED / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name)
    assert found is not None, f"{name} is not there: run `make setup`"
    return found


def promtool(*arguments: str, text: bytes | None = None, within: Path | None = None) -> tuple[int, str]:
    """Exit code of promtool, and all that it says."""
    done = subprocess.run(
        [program("promtool"), *arguments],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=within,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.decode()


class PrometheusServer:
    """A Prometheus with a configuration of the test's, on a port of its own, with its data in `directory`."""

    def __init__(self, directory: Path, config: str) -> None:
        self._directory = directory
        self._config = directory / "prometheus.yml"
        self._config.write_text(config)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        argv = [
            program("prometheus"),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def value(self, query: str) -> float | None:
        """What the query gives now; None without an answer or a sample."""
        found = self._asked("query", query=query)
        result = [] if found is None else found["result"]
        return float(result[0]["value"][1]) if result else None

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire, by name."""
        found = self._asked("alerts")
        alerts = [] if found is None else found["alerts"]
        return {alert["labels"]["alertname"]: alert for alert in alerts if alert["state"] == "firing"}

    def wait_for(self, query: str, value: float) -> None:
        """Until the query gives the value."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.value(query)) != value:
            if time.monotonic() > deadline:
                said = (self._directory / "log").read_text()[-2000:]
                raise AssertionError(f"{query} is {found}, not {value}, after {PATIENCE} s\n{said}")
            time.sleep(0.1)

    def _asked(self, what: str, **parameters: str) -> dict[str, Any] | None:
        address = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)["data"]
        except urllib.error.URLError:
            return None  # it still starts
        return found
