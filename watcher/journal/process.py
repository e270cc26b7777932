"""The reader process: `python -m watcher.journal.process`, started by the supervisor with three pipes.

Standard input brings the plan, then control lines; its end ends the process. Standard output gets the messages;
standard error is the log. One thread; it may be killed at any moment, as it keeps nothing that the daemon has not
committed. Opens no database.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
from functools import partial
from pathlib import Path

from systemd._reader import _Reader

from watcher.core.duration import MILLISECOND, SECOND, Usec
from watcher.dispatch.failpoint import VARIABLE, reached
from watcher.journal.clocks import Now
from watcher.journal.follow import Follower
from watcher.journal.hosts import Hosts
from watcher.journal.opening import JournalError, MakeReader
from watcher.journal.position import Spot
from watcher.journal.probe import ProbingReader, failing
from watcher.journal.reading import Reading, joined
from watcher.journal.wire import (
    Announced,
    Message,
    Plan,
    Trouble,
    decode_control,
    decode_plan,
    encode_message,
)

ATTENTIVE = Usec(100 * MILLISECOND)
"""Told to poll faster than this, the reader knows that a window is open: matches go out at once."""
OPEN_BEAT = Usec(250 * MILLISECOND)
IDLE_BEAT = SECOND
MOST_MATCHES = 500
PROBED = 5000
"""Entries after which a probing reader takes itself for safe."""
FIRST_BACKOFF, LONGEST_BACKOFF = Usec(100 * MILLISECOND), Usec(5 * SECOND)
OOM_SCORE = 500


def clock() -> int:
    """Now, as journald stamps it."""
    return time.time_ns() // 1000  # noqa: TID251 - the top of this process asks the clock for all of it


def uptime() -> int:
    """The clock that only runs on, as journald stamps it."""
    return time.monotonic_ns() // 1000


class Inbox:
    """The lines of standard input, taken without ever waiting for half a line."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._buffer = b""
        self._lines: list[bytes] = []

    def first(self) -> bytes:
        """Waits for one line."""
        while not self._lines:
            self.fill()
        return self._lines.pop(0)

    def fill(self) -> None:
        """Takes what is there; waits if nothing is. The end of the input ends the process."""
        piece = os.read(self.descriptor, 65536)
        if not piece:
            raise SystemExit(0)
        *lines, self._buffer = (self._buffer + piece).split(b"\n")
        self._lines += lines

    def taken(self) -> list[bytes]:
        """The whole lines so far."""
        lines, self._lines = self._lines, []
        return lines


class Outbox:
    """Standard output: a line a message, at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, message: Message) -> None:
        """Writes it whole; waits while the daemon is busy."""
        line = memoryview(encode_message(message))
        while line:
            line = line[os.write(self._descriptor, line) :]

    def announce(self, spot: Spot | None) -> None:
        """For the probing reader."""
        self.send(Announced(spot))


class Beat:
    """When a batch goes out: collects readings until they matter or have waited long enough."""

    def __init__(self, outbox: Outbox, poll: Usec) -> None:
        self.poll = poll
        self.at_once = False
        self._outbox = outbox
        self._pending: Reading | None = None
        self._sent_at = 0

    @property
    def _pause(self) -> Usec:
        return OPEN_BEAT if self.poll <= ATTENTIVE else IDLE_BEAT

    def add(self, reading: Reading, now: int) -> None:
        """Takes a reading, and sends what has to go."""
        if self._pending is not None and any(gap.step for gap in reading.gaps):
            self._outbox.send(self._pending)  # a step of the clock stands at the beginning of what is sent
            self._pending = None
        self._pending = reading if self._pending is None else joined(self._pending, reading)
        pending = self._pending
        matters = bool(pending.found or pending.gaps) and self.poll <= ATTENTIVE
        is_due = not 0 <= now - self._sent_at < self._pause
        if matters or is_due or self.at_once or len(pending.found) >= MOST_MATCHES:
            self._outbox.send(pending)
            if pending.entries:
                reached("batch_sent")
            self._pending, self._sent_at = None, now


class ReaderProcess:
    """The loop: read to the end, send, sleep until the journal or the daemon stirs."""

    def __init__(self, plan: Plan, inbox: Inbox, outbox: Outbox, *, failpoint: str = "") -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._beat = Beat(outbox, plan.poll)
        self._plain: MakeReader = failing(failpoint, _Reader) if failpoint else _Reader
        self._probing = plan.probe
        self._probed = 0
        probing: MakeReader = failing(failpoint, ProbingReader) if failpoint else ProbingReader
        make = partial(probing, announce=outbox.announce, pinned=frozenset(plan.pinned)) if plan.probe else self._plain
        self._beat.at_once = plan.probe
        follow = Follower if plan.source.is_machine else Hosts
        self._follower: Follower | Hosts = follow(
            plan.source,
            plan.jobs,
            position=plan.position,
            clock=clock,
            now=lambda: Now(clock(), uptime()),
            make=make,
            heartbeat=plan.heartbeat,
        )
        self._backoff = FIRST_BACKOFF
        self._woken_in_vain = False
        self._told_after = ""

    def run(self) -> None:
        """Never returns; the end of the input or a signal ends the process."""
        while True:
            try:
                reading = self._follower.step()
            except JournalError as trouble:
                self._wait_out(trouble)
                continue
            self._backoff = FIRST_BACKOFF
            self._beat.add(reading, clock())
            self._tell_step()
            if self._probing:
                self._probe_on(reading)
            self._listen(reading)

    def _tell_step(self) -> None:
        """Before any entry shows a step of the clock; this line is the next entry, so that the daemon knows at once."""
        step = self._follower.step_since_entry
        if step and self._told_after != self._follower.cursor:
            self._told_after = self._follower.cursor
            way = "forward, or the machine slept" if step > 0 else "back"
            sys.stderr.write(f"journal reader: the wall clock was set {abs(step) / SECOND:.0f} s {way}\n")

    def _wait_out(self, trouble: JournalError) -> None:
        text = f"{trouble.message} ({trouble.hint})" if trouble.hint else trouble.message
        self._outbox.send(Trouble(text))
        until = uptime() + self._backoff
        while (left := until - uptime()) > 0:
            self._take_control(left)
        self._backoff = Usec(min(self._backoff * 2, LONGEST_BACKOFF))

    def _probe_on(self, reading: Reading) -> None:
        """The place that kills readers lies a few batches on at most: past those or at the tail, all is well again."""
        self._probed += reading.entries
        if reading.at_tail or self._probed >= PROBED * self._follower.breadth:
            self._probing = self._beat.at_once = False
            self._outbox.announce(None)
            self._follower.reopen(self._plain)

    def _listen(self, reading: Reading) -> None:
        if not reading.at_tail:
            self._take_control(0)
            return
        # a descriptor that stays readable though nothing comes must not make this a busy loop
        wakers = () if self._woken_in_vain and not reading.entries else self._follower.descriptors()
        self._woken_in_vain = self._take_control(self._beat.poll, wakers)

    def _take_control(self, timeout: int, wakers: tuple[int, ...] = ()) -> bool:
        """Waits up to `timeout` for the daemon, and for the descriptors `wakers`; whether one of those was ready."""
        # poll() has no limit of descriptors, select() has; and the library's own wait() restarts on signals
        poll = select.poll()
        poll.register(self._inbox.descriptor, select.POLLIN)
        for descriptor in wakers:
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(timeout / MILLISECOND)}
        if self._inbox.descriptor in ready:
            self._inbox.fill()
            for line in self._inbox.taken():
                self._beat.poll = decode_control(line).poll
        return not ready.isdisjoint(wakers)


def lower_own_worth() -> None:
    """When memory is short this process goes first; and it leaves no core with log text."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")
    except OSError as error:
        sys.stderr.write(f"journal reader: /proc/self/oom_score_adj: {error.strerror}\n")


def _leave(number: int, frame: object) -> None:
    """Ends at once, wherever it is: nothing is kept that would have to be put away."""
    del number, frame
    os._exit(0)


def main() -> None:
    """Everything that a process has only one of."""
    signal.signal(signal.SIGTERM, _leave)
    # Ctrl-C reaches the whole group; the daemon ends its reader itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_own_worth()
    inbox, outbox = Inbox(sys.stdin.fileno()), Outbox(sys.stdout.fileno())
    plan = decode_plan(inbox.first())
    failpoint = os.environ.get(VARIABLE, "")
    try:
        ReaderProcess(plan, inbox, outbox, failpoint=failpoint if failpoint.startswith("entry:") else "").run()
    except BrokenPipeError:
        # the daemon is gone, and so is the reason to be
        sys.exit(0)


if __name__ == "__main__":
    main()
