"""The programs that a verb starts: a job's backup, the command of `release exec`, git. The client's one door for them.

Each is an argv, never a shell string; none is started by the daemon.
"""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: S404 - this is the one door
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

TAIL = 8192
NOT_EXECUTABLE, NOT_FOUND, SIGNALLED = 126, 127, 128
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code as a shell gives it (128 + N for signal N), and the tail of what it printed."""

    exit_code: int
    output: str


def capture(argv: Sequence[str], *, tail: int = TAIL) -> Ended:
    """Run a program without input to its end; its output, errors included, is kept in its last `tail` bytes."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the argv is the administrator's
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        return Ended(_start_failed(error), f"{argv[0]}: {error.strerror or error}")
    kept = b""
    with process:
        if process.stdout is not None:
            while piece := os.read(process.stdout.fileno(), _PIECE):
                kept = (kept + piece)[-tail:]
        code = process.wait()
    return Ended(_as_shell(code), kept.decode("utf-8", "replace"))


def read(argv: Sequence[str]) -> tuple[int, bytes, str]:
    """Run a program without input: its exit code, all of its output, and its errors."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603 - a fixed argv
    except OSError as error:
        return _start_failed(error), b"", f"{argv[0]}: {error.strerror or error}"
    return _as_shell(done.returncode), done.stdout, done.stderr.decode("utf-8", "replace").strip()


def run_here(argv: Sequence[str]) -> int:
    """Run a program in our own place: our terminal and streams are its, and so are the signals that we are sent.

    A Ctrl-C of the terminal reaches it by itself; whatever it does about that is awaited.
    """
    try:
        process = subprocess.Popen(argv)  # noqa: S603 - the caller's own command
    except OSError as error:
        return _start_failed(error)

    def pass_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    def leave_to_it(_: int, __: FrameType | None) -> None:
        """The terminal has sent it to both."""

    ours = {
        signal.SIGINT: signal.signal(signal.SIGINT, leave_to_it),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
        signal.SIGHUP: signal.signal(signal.SIGHUP, pass_on),
    }
    try:
        return _as_shell(process.wait())
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)


def _as_shell(code: int) -> int:
    return code if code >= 0 else SIGNALLED - code


def _start_failed(error: OSError) -> int:
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
