"""Commands that a verb runs in the foreground; the rest of it is in tests/cli/test_verbs.py."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from watcher.cli import command
from watcher.cli.command import SIGNALLED, run_captured, run_inherited
from watcher.core.duration import MINUTE


class Hasty(subprocess.Popen[bytes]):
    """The command runs, and the verb is told to end before it knows."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        signal.raise_signal(signal.SIGTERM)


def test_signal_as_the_command_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed on all the same: else the verb would die, and the command run on without it."""
    ours: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: ours.append(number))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", Hasty)
            assert SIGNALLED + signal.SIGTERM == run_inherited(["sleep", "20"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [] == ours


@pytest.mark.timeout(30)
def test_flood_that_goes_on_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command itself has printed is at most what a pipe holds: no more is read once it has ended."""
    monkeypatch.setattr(command, "_PIECE", 1)  # whoever reads in such pieces is slower than any flood
    marks = tmp_path / "pid"
    script = f"yes flood & echo $! >{marks}; sleep 0.2; echo its own end >&2; exit 3"
    try:
        done = run_captured(["sh", "-c", script], timeout=MINUTE, environment={"PATH": os.environ["PATH"]})
    finally:
        with suppress(ProcessLookupError):  # its pipe is closed, so it ends by itself as well
            os.kill(int(marks.read_text()), signal.SIGKILL)
    assert (3, None) == (done.exit_code, done.late)
    assert "flood" in done.output
