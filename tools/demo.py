"""`make demo`: one release from end to end, with the real daemon on real journal files, in a temporary directory.

A job works, a release is registered, the job begins to fail, the threshold is crossed, the rollback command runs, the
final note is printed and the metrics are shown. It ends by itself, needs no root and leaves nothing behind.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WRITER = "/lib/systemd/systemd-journal-remote"
UNIT = "import@eu.service"
PATIENCE = 20.0

CONFIG = """\
version: 1
journal: {{directory: {here}/journal}}
listen: {{metrics: 127.0.0.1:{port}}}
jobs:
  import:
    owner: data-team@example.com
    units: ["import@*.service"]
    packs: [systemd, python]
    rules:
      - name: half-imported
        match: 'imported (\\d+) of (\\d+) rows, giving up'
        severity: error
    release:
      mode: rollback
      window: 5m
      settle: 1s
      fail_when:
        - matches: {{severity: error, count: 5, within: 2m}}
      rollback:
        command: [{here}/rollback-import]
        timeout: 10s
"""

ROLLBACK = """\
#!/bin/sh
# What a site would configure: here it only says what it was told.
echo "rolling job $WATCHER_JOB back from $WATCHER_VERSION to $WATCHER_PREVIOUS ($WATCHER_REASON_CODE)"
echo "done"
"""

HEALTHY = ("connected to the database", "imported 1200 of 1200 rows", "batch finished in 1.3 s")
BROKEN = (
    "imported 17 of 1200 rows, giving up",
    "Traceback (most recent call last):",
    '  File "/opt/import/load.py", line 88, in load',
    "ValueError: invalid literal for int() with base 10: '12,5'",
)


class Journal:
    """A journal file that grows entry by entry, written by systemd's own writer."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._entries = 0
        self._writer = subprocess.Popen(
            [WRITER, "-o", str(directory / "demo.journal"), "--compress=no", "--seal=no", "-"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def say(self, message: str, priority: int = 6) -> None:
        """One line of the job, as journald would have stored it."""
        now = time.time_ns() // 1000
        self._entries += 1
        fields = {
            "__REALTIME_TIMESTAMP": now,
            "__MONOTONIC_TIMESTAMP": now,
            "_BOOT_ID": "b" * 32,
            "_MACHINE_ID": "a" * 32,
            "_SYSTEMD_UNIT": UNIT,
            "_PID": 4242,
            "_UID": 990,
            "_TRANSPORT": "stdout",
            "SYSLOG_IDENTIFIER": "import",
            "PRIORITY": priority,
            "MESSAGE": message,
        }
        stream = self._writer.stdin
        if stream is None:
            raise RuntimeError("the journal writer has no input")
        stream.write("".join(f"{name}={value}\n" for name, value in fields.items()).encode() + b"\n")
        stream.flush()

    def close(self) -> None:
        """End the writer."""
        self._writer.communicate(timeout=PATIENCE)


def main() -> int:
    """Run the demonstration; returns an exit code."""
    if not Path(WRITER).exists():
        print(f"{WRITER} is missing: sudo apt-get install -y systemd-journal-remote", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="release-watcher-demo-") as name:
        return _demonstrate(Path(name))


def _demonstrate(here: Path) -> int:
    port = _free_port()
    (here / "watcher.yaml").write_text(CONFIG.format(here=here, port=port), encoding="utf-8")
    (here / "rollback-import").write_text(ROLLBACK, encoding="utf-8")
    (here / "rollback-import").chmod(0o755)
    journal = Journal(here / "journal")
    try:
        with _daemon(here, port):
            return _play(here, port, journal)
    finally:
        journal.close()


def _play(here: Path, port: int, journal: Journal) -> int:
    _title("1. A healthy job")
    for _ in range(5):
        for line in HEALTHY:
            journal.say(line)
    _wait_for(lambda: _metric(port, "watcher_journal_entries_total") == "15.0")
    _run(here, "status")

    _title("2. A release goes out")
    release = _run(
        here,
        *("release", "start", "import", "--version", "2.4.1", "--previous", "2.4.0"),
        *("--reason", "faster parser", "--rollback-note", "the schema did not change: rolling back is safe"),
    ).strip()
    time.sleep(1.2)  # the job's `settle`

    _title("3. The job begins to fail")
    for _ in range(3):
        for line in BROKEN:
            journal.say(line, priority=3)
            time.sleep(0.05)
    print(f"$ watcher release wait {release}", flush=True)
    code = _watcher(here, "release", "wait", release, "--timeout", "20s").returncode
    print(f"exit code {code}: failed and rolled back" if code == 1 else f"unexpected exit code {code}")

    _title("4. The final note")
    _run(here, "release", "note", release)

    _title("5. The metrics")
    wanted = ("journal_entries_total", "rule_matches_total", "release_", "rollback")
    for line in _page(port, "/metrics").splitlines():
        name = line.removeprefix("watcher_")
        if name != line and name.startswith(wanted) and "_bucket{" not in name and not line.endswith(" 0.0"):
            print(line)
    return 0 if code == 1 else 1


@contextmanager
def _daemon(here: Path, port: int) -> Iterator[None]:
    options = ["--config", str(here / "watcher.yaml"), "--state-dir", str(here / "state")]
    argv = [sys.executable, "-m", "watcher", "run", *options]
    _title("0. The daemon")
    print("$ watcher run --config watcher.yaml --state-dir state &")
    with subprocess.Popen(argv) as process:
        try:
            _wait_for(lambda: _page(port, "/-/ready") != "")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE)


def _run(here: Path, *words: str) -> str:
    print(f"$ watcher {shlex.join(words)}", flush=True)
    done = _watcher(here, *words, capture=True)
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        raise SystemExit(f"watcher {words[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _watcher(here: Path, *words: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "watcher", *words, "--state-dir", str(here / "state")]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(argv, capture_output=capture, text=True, env=environment, timeout=60, check=False)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the daemon did not get there in time; its log is above")
        time.sleep(0.05)


def _metric(port: int, name: str) -> str:
    lines = _page(port, "/metrics").splitlines()
    return next((line.rsplit(" ", 1)[1] for line in lines if line.startswith(name + "{")), "")


def _page(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _title(text: str) -> None:
    print(f"\n=== {text} ===", flush=True)


if __name__ == "__main__":
    sys.exit(main())
