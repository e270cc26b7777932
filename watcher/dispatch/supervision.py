"""Stay with a started command until it has ended: drain its output, keep its time limit, pass SIGTERM on.

Knows processes, groups and a pipe; nothing of claims or of what the command was for.
"""

from __future__ import annotations

import os
import select
from time import monotonic  # noqa: TID251 - the runner is a process of its own, and this is its only clock for spans

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    import signal

    from watcher.dispatch.command import Running
    from watcher.dispatch.transcript import Transcript
else:
    import _signal as signal  # as in command.py

_PIECE = 64 * 1024
_LAST_WORDS = 0.2
"""Seconds that are left to grandchildren which still hold the pipe when the command itself has ended."""
_GROUP_CHECK = 0.05
_SECOND = 1_000_000


class End:
    """How the command ended: `exit_code` or `signal` is set; `timed_out` if the time limit ended it."""

    __slots__ = ("exit_code", "signal", "timed_out")

    def __init__(self, status: int, *, timed_out: bool) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.exit_code = code if code >= 0 else None
        self.signal = -code if code < 0 else None
        self.timed_out = timed_out


class Supervisor:
    """Made before the command is started, as a signal may come at once; then `watch` it, once."""

    __slots__ = ("_alarm", "_asked_to_end", "_output", "_pid", "_status", "_transcript")

    def __init__(self, transcript: Transcript) -> None:
        self._transcript, self._asked_to_end = transcript, False
        self._pid, self._output, self._status = 0, -1, -1
        self._alarm, wake = os.pipe()
        os.set_blocking(self._alarm, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it only has to wake the poll
        signal.signal(signal.SIGTERM, self._ask_to_end)

    def watch(self, running: Running, *, timeout_usec: int, kill_after_usec: int) -> End:
        """Wait for the end of the command, and at its time limit for the end of all that it started.

        When it ends in time, what it left running in the background is not touched here: by hand it stays, and in the
        installed unit systemd ends it with the runner (KillMode=control-group).
        """
        self._pid, self._output = running.pid, running.output
        os.set_blocking(self._output, False)
        timed_out = not self._follow(until=monotonic() + timeout_usec / _SECOND)
        if timed_out:
            self._end_group(kill_after_usec / _SECOND)
        self._hear_last_words()
        return End(self._status, timed_out=timed_out)

    def _ask_to_end(self, *_: object) -> None:
        self._asked_to_end = True

    def _follow(self, *, until: float) -> bool:
        """Whether the command itself ends before that instant."""
        while not self._ended():
            if self._asked_to_end:
                self._asked_to_end = False
                self._signal_group(signal.SIGTERM)
            left = until - monotonic()
            if left <= 0:
                return False
            self._hear(left)
        return True

    def _end_group(self, grace: float) -> None:
        """SIGTERM to the group, and SIGKILL to what is left of it after the grace; children count like the command."""
        until = monotonic() + grace
        self._signal_group(signal.SIGTERM)
        while not (self._ended() and self._group_is_empty()) and monotonic() < until:
            self._hear(min(_GROUP_CHECK, max(until - monotonic(), 0)))
        self._signal_group(signal.SIGKILL)
        while not self._ended():
            self._hear(_GROUP_CHECK)

    def _hear_last_words(self) -> None:
        until = monotonic() + _LAST_WORDS
        while self._output >= 0 and monotonic() < until:
            self._hear(max(until - monotonic(), 0))
        if self._output >= 0:
            self._close_output()

    def _hear(self, seconds: float) -> None:
        """Wait for output, a signal or the span's end, and take in at most one piece of output."""
        poll = select.poll()
        poll.register(self._alarm, select.POLLIN)
        if self._output >= 0:
            poll.register(self._output, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(seconds * 1000)}
        if self._alarm in ready:
            os.read(self._alarm, _PIECE)
        if self._output in ready:
            piece = os.read(self._output, _PIECE)
            if piece:
                self._transcript.add(piece)
            else:
                self._close_output()

    def _close_output(self) -> None:
        os.close(self._output)
        self._output = -1

    def _ended(self) -> bool:
        if self._status < 0:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if pid else -1
        return self._status >= 0

    def _group_is_empty(self) -> bool:
        try:
            os.killpg(self._pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _signal_group(self, number: int) -> None:
        """The group outlives its leader and keeps its number while anybody is in it.

        A group of other users' processes (the command called sudo) can't be signalled, only waited for.
        """
        try:
            os.killpg(self._pid, number)
        except (ProcessLookupError, PermissionError):
            return
