"""Commands that a client verb starts: a job's backup, git, and what `release exec` is given. Never by a shell.

What a command prints is hostile text; here it is only cut and made whole Unicode.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from watcher.clock import wall_clock
from watcher.core.duration import Usec

NOT_FOUND, NOT_EXECUTABLE, SIGNALLED = 127, 126, 128
_TAIL = 4096
_PIECE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ended; `exit_code` is -N after signal N, `output` the tail of both of its streams."""

    exit_code: int
    started_at: Usec
    finished_at: Usec
    output: str

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        return f"killed by signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"


def run_captured(command: Sequence[str]) -> Done:
    """Run it to its end, keeping the last of what it prints; one that can't be started is a 126 or 127."""
    started_at = wall_clock()
    tail = b""
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            while piece := process.stdout.read(_PIECE):
                tail = (tail + piece)[-_TAIL:]
        exit_code = process.returncode
    except OSError as error:
        exit_code, tail = exit_code_of(error), f"{command[0]}: {error.strerror}".encode()
    return Done(exit_code=exit_code, started_at=started_at, finished_at=wall_clock(), output=whole_text(tail))


def run_inherited(command: Sequence[str]) -> int:
    """Run it with this process's own streams; returns what a shell would: 126, 127, and 128 + N after signal N.

    Ctrl-C is the command's to handle, SIGTERM and SIGHUP are passed on to it: this process outlives it.
    Raises OSError when it can't be started.
    """
    with subprocess.Popen(command) as process, _outliving(process):
        code = process.wait()
    return SIGNALLED - code if code < 0 else code


def ask(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bytes, str]:
    """Exit code, output, and what it said on stderr, of a command that prints a bounded answer.

    Raises OSError when it can't be started.
    """
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    return done.returncode, done.stdout, whole_text(done.stderr[-_TAIL:])


def whole_text(raw: bytes) -> str:
    """The bytes as Unicode that any JSON can carry; NUL and bytes that are no UTF-8 become escapes."""
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def exit_code_of(error: OSError) -> int:
    """What a shell returns for a command that can't be started."""
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


@contextmanager
def _outliving(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def pass_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    def leave_alone(number: int, _: FrameType | None) -> None:
        """The terminal sends it to the command as well."""

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, leave_alone)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def plain_environment() -> dict[str, str]:
    """This process's environment without what would point git elsewhere, messages in English."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, "LC_ALL": "C"}
