"""Commands that a verb runs in the foreground; the rest of it is in tests/cli/test_verbs.py."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest

from watcher.cli.command import SIGNALLED, run_inherited


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
