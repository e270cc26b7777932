"""`watcher job exec`: the command is what counts, and its run is told in two entries."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.cli.main import main
from watcher.core import job_runs
from watcher.dispatch import voice


class Journald:
    """A datagram socket in journald's place: what was sent to it, as fields."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def told(self) -> list[dict[str, str]]:
        """Every entry so far."""
        entries: list[dict[str, str]] = []
        while True:
            try:
                data = self._socket.recv(65536).decode()
            except BlockingIOError:
                return entries
            entries.append(dict(line.split("=", 1) for line in data.splitlines()))

    def close(self) -> None:
        """Nobody listens any more."""
        self._socket.close()


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journald]:
    """The place where entries are sent."""
    path = tmp_path / "socket"
    monkeypatch.setattr(voice.Voice.__init__, "__defaults__", (str(path),))
    there = Journald(path)
    yield there
    there.close()


def facts(entry: dict[str, str]) -> tuple[str, ...]:
    return tuple(
        entry.get(name, "") for name in ("MESSAGE_ID", job_runs.JOB_FIELD, job_runs.RESULT_FIELD, job_runs.STATUS_FIELD)
    )


@pytest.mark.parametrize(
    ("script", "code", "end"),
    [
        ("exit 0", 0, (job_runs.RUN_SUCCEEDED, "nightly", "", "0")),
        ("exit 7", 7, (job_runs.RUN_FAILED, "nightly", "exit-code", "7")),
        ("kill -9 $$", 137, (job_runs.RUN_FAILED, "nightly", "signal", "9")),
    ],
)
def test_the_run_is_told_and_the_exit_code_comes_back(
    journald: Journald, script: str, code: int, end: tuple[str, ...]
) -> None:
    """Begin and end of one run, with how it ended; the entries have the job's identifier."""
    assert code == main(["job", "exec", "nightly", "--", "sh", "-c", script])
    first, last = journald.told()
    assert ((job_runs.RUN_BEGAN, "nightly", "", ""), end) == (facts(first), facts(last))
    assert first[job_runs.RUN_FIELD] == last[job_runs.RUN_FIELD]
    assert {"nightly"} == {entry["SYSLOG_IDENTIFIER"] for entry in (first, last)}


def test_a_command_that_is_not_there_is_a_failed_run(journald: Journald, capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell has it, 127."""
    assert 127 == main(["job", "exec", "nightly", "--identifier", "cron", "--", "/not/there"])
    *_, last = journald.told()
    assert (job_runs.RUN_FAILED, "127", "cron") == (
        last["MESSAGE_ID"], last[job_runs.STATUS_FIELD], last["SYSLOG_IDENTIFIER"],
    )  # fmt: skip
    assert "/not/there: No such file" in capsys.readouterr().err


def test_without_a_journal_the_command_runs_all_the_same(
    journald: Journald, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output stays its own; that the run will not be counted is said beside it."""
    journald.close()
    monkeypatch.setattr("watcher.cli.job._ATTEMPTS", 1)
    assert 3 == main(["job", "exec", "nightly", "--", "sh", "-c", "echo done; exit 3"])
    out, err = capfd.readouterr()
    assert "done\n" == out
    assert 2 == err.count("it will not be counted")


@pytest.mark.parametrize("words", [["nightly"], ["nightly", "--"], ["a job", "--", "true"]])
def test_a_wrong_call_runs_nothing(words: list[str], journald: Journald) -> None:
    """No command, or a name that no job can have."""
    assert 64 == main(["job", "exec", *words])
    assert [] == journald.told()


def test_a_signal_is_passed_on_to_the_command() -> None:
    """Cron or systemd that ends us ends the command, and its own code comes back."""
    script = "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done"
    argv = [sys.executable, "-m", "watcher", "job", "exec", "nightly", "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert b"up\n" == process.stdout.readline()
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGTERM)
        assert 9 == process.wait(20)
