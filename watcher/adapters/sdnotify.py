"""What systemd is told over NOTIFY_SOCKET (sd_notify(3)); silent where there is none."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger("watcher")


class Notifier:
    """The notification socket of the service manager, taken out of the environment so that no child inherits it."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        for name in ("WATCHDOG_PID", "WATCHDOG_USEC"):
            os.environ.pop(name, None)
        self._complained = False

    def ready(self) -> None:
        """The journal is being read and the sockets are open."""
        self._send("READY=1")

    @property
    def is_asked(self) -> bool:
        """Whether a service manager listens at all."""
        return bool(self._address)

    def extend(self, seconds: int) -> None:
        """The start takes longer, and goes on: what has to be caught up with is a lot."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}")

    def stopping(self) -> None:
        """The shutdown has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text.splitlines()[0] if text else ''}")

    def alive(self) -> None:
        """Work goes through from one end to the other."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            ) as channel:
                channel.sendto(message.encode(errors="replace"), self._address)
        except OSError as error:  # what the manager makes of silence is its business; ours is to go on
            if not self._complained:
                log.warning("the service manager can't be told", extra={"facts": {"why": error}})
            self._complained = True
