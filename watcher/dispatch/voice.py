"""Entries with fields for the journal (systemd's "Native Journal Protocol"), or plain lines where there is no journal.

Knows the protocol and nothing of what is said. Small entries only: what does not fit into a datagram is a plain line.
"""

from __future__ import annotations

import os

# The module under socket, which loads enum and selectors: 5 ms of those that a rollback waits for the dispatcher.
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "/run/systemd/journal/socket"
STREAM = "JOURNAL_STREAM"
"""Set by PID 1: which device and inode the standard error had that it connected to the journal (systemd.exec(5))."""


class Voice:
    """Speaks to the journal if standard error goes there, else to standard error.

    Lines for a journal that reads standard error begin with their priority, as sd-daemon(3) has it.
    """

    def __init__(self, path: str = SOCKET, *, identifier: str) -> None:
        self._identifier, self._path = identifier, path
        self.in_journal = leads_to_journal(2)

    def say(self, priority: int, message: str, fields: Mapping[str, str]) -> None:
        """One entry. `fields` are in capitals; a plain line shows `message` only, so that must hold all that counts."""
        if self.in_journal and self.send(priority, message, fields):
            return
        prefix = f"<{priority}>" if self.in_journal else ""
        try:
            os.write(2, "".join(f"{prefix}{line}\n" for line in message.split("\n")).encode(errors="replace"))
        except OSError:
            return  # whoever listened is gone, and there is nobody else to tell

    def send(self, priority: int, message: str, fields: Mapping[str, str]) -> bool:
        """One entry, straight to the journal; whether it went."""
        told = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": self._identifier, **fields}
        try:
            channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)
            try:
                channel.sendto(b"".join(map(_encoded, told, told.values())), self._path)
            finally:
                channel.close()
        except OSError:
            return False  # it is restarted, or its queue is full: the line goes by standard error, which waits
        return True


def _encoded(name: str, value: str) -> bytes:
    data = value.encode(errors="replace")
    if b"\n" in data:  # a length of 64 bits, little-endian, then the bytes as they are
        return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def leads_to_journal(fd: int) -> bool:
    """Whether PID 1 has connected the descriptor to the journal."""
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get(STREAM) == f"{found.st_dev}:{found.st_ino}"
