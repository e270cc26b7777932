"""Commands that a client verb starts: a job's backup and check, git, what `release exec` is given. Never by a shell.

What a command prints is hostile text; here it is only cut and made whole Unicode.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EPERM
from types import FrameType
from typing import Any

from watcher.clock import wall_clock
from watcher.core.duration import SECOND, Usec, format_duration

NOT_FOUND, NOT_EXECUTABLE, SIGNALLED, TIMED_OUT = 127, 126, 128, 124
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME")
"""What a rollback command inherits: a check that had more would pass where the command fails."""
_LOOK = 0.05
_GRACE = 5.0
_TAIL = 4096
_PIECE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ended; `exit_code` is -N after signal N, `output` the tail of both of its streams.

    `late` is the time limit that ended it, and 124 its code then, as timeout(1) has it.
    """

    exit_code: int
    started_at: Usec
    finished_at: Usec
    output: str
    late: Usec | None = None

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        if self.late is not None:
            return f"timed out after {format_duration(self.late)}"
        return f"killed by signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"


def run_captured(
    command: Sequence[str], *, timeout: Usec, environment: Mapping[str, str], user: str | None = None
) -> Done:
    """Run it to its end, keeping the last of what it prints; one that can't be started is a 126 or 127.

    At the time limit, and when we are interrupted, it is ended with all that it started. `user`: as whom, for root.
    """
    started_at = wall_clock()
    try:
        options = {} if user is None else _becoming(user)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            env=environment,
            **options,
        )
    except OSError as error:
        told = f"{command[0]}: {error.strerror}"
        return Done(exit_code=exit_code_of(error), started_at=started_at, finished_at=wall_clock(), output=told)
    with process:
        tail, in_time = _follow(process, time.monotonic() + timeout / SECOND)
    code, late = (process.returncode, None) if in_time else (TIMED_OUT, timeout)
    return Done(exit_code=code, started_at=started_at, finished_at=wall_clock(), output=whole_text(tail), late=late)


def _follow(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bool]:
    """The last of what it prints, and whether it ended before the deadline; it has ended when this returns.

    What it leaves running in the background may hold the pipe for ever, so its own end counts, not the pipe's.
    """
    stream = process.stdout
    assert stream is not None  # noqa: S101 - it was asked for
    os.set_blocking(stream.fileno(), False)
    tail, is_open, ended = b"", True, False
    try:
        while not (ended := process.poll() is not None) and time.monotonic() < deadline:
            if not is_open:
                time.sleep(_LOOK / 10)
            elif select.select([stream], [], [], _LOOK)[0]:
                piece = stream.read(_PIECE)
                is_open = bool(piece)
                tail = (tail + (piece or b""))[-_TAIL:]
    finally:
        if not ended:
            _end_group(process)
    # What it has printed itself is in the pipe by now; what comes after that is of others, and may go on for ever.
    left = fcntl.fcntl(stream.fileno(), fcntl.F_GETPIPE_SZ)
    while left > 0 and (piece := stream.read(min(left, _PIECE))):  # None: nothing more now; b"": nothing more ever
        tail, left = (tail + piece)[-_TAIL:], left - len(piece)
    return tail, ended


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to all that the command started, SIGKILL to what is left of it after a moment."""
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with suppress(ProcessLookupError, PermissionError):  # nobody is left, or it is no longer ours to end
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _becoming(user: str) -> dict[str, Any]:
    """What makes a process that user's. Raises OSError: there is no such user."""
    import pwd  # noqa: PLC0415 - most checks name no user

    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise PermissionError(EPERM, f'user "{user}" does not exist') from error
    groups = os.getgrouplist(user, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


def run_inherited(command: Sequence[str]) -> int:
    """Run it with this process's own streams; returns what a shell would: 126, 127, and 128 + N after signal N.

    Ctrl-C is the command's to handle, SIGTERM and SIGHUP are passed on to it: this process outlives it.
    Raises OSError when it can't be started.
    """
    with _outliving() as told_to, subprocess.Popen(command) as process:
        told_to(process)
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
def _outliving() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Outlive what the command is told; yields what to call with its process.

    It begins before the command does, or a signal at the wrong moment would leave the command without anybody who waits
    for it: what comes before there is a process is passed on to it as soon as it is there.
    """
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if running:
            running[0].send_signal(number)
        else:
            early.append(number)

    def told_to(process: subprocess.Popen[bytes]) -> None:
        running.append(process)
        for number in early:
            process.send_signal(number)

    def leave_alone(number: int, _: FrameType | None) -> None:
        """The terminal sends it to the command as well."""

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, leave_alone)
    try:
        yield told_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def plain_environment() -> dict[str, str]:
    """This process's environment without what would point git elsewhere, messages in English."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, "LC_ALL": "C"}
