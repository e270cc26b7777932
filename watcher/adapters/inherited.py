"""Listening sockets that the service manager has opened and passed on (sd_listen_fds(3)), by their names.

Knows the three variables and descriptors from 3 on; nothing of what is served. The sockets stay the manager's: who
connects while no daemon runs waits in them, and starts one.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from watcher.core.errors import WatcherError

CONTROL, METRICS = "control", "metrics"
"""The names that our socket units give (FileDescriptorName=)."""
_FIRST = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class InheritedError(WatcherError):
    """What was passed on is not what our units pass on."""


def take_inherited() -> dict[str, socket.socket]:
    """The sockets that were passed to this very process; it takes them, and the variables, away from its children.

    Raises InheritedError.
    """
    pid, count, names = (os.environ.pop(name, "") for name in _VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    given = names.split(":") if names else []
    found: dict[str, socket.socket] = {}
    for fd in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(fd, False)  # noqa: FBT003 - the call's own form
        name = given[fd - _FIRST] if fd - _FIRST < len(given) else ""
        if name not in (CONTROL, METRICS) or name in found:
            hint = f"socket units need FileDescriptorName={CONTROL} or {METRICS}, and one address each"
            raise InheritedError(f"socket {fd} is called {name!r}: it is not known what it is for", hint=hint)
        found[name] = socket.socket(fileno=fd)
        found[name].setblocking(False)  # noqa: FBT003 - the same
    return found


def turn_away(sockets: Mapping[str, socket.socket], error: WatcherError) -> None:
    """Tell everybody who waits in the sockets why nobody will serve them.

    Without this the manager would see them waiting and start us again, and again, with the same end.
    """
    body = json.dumps(
        {
            "type": "urn:release-watcher:problem:unavailable",
            "title": "the daemon can't run",
            "status": 503,
            "detail": error.message,
            "hint": error.hint or "see `systemctl status release-watcher`",
            "problems": [line for line in str(error).splitlines() if line != error.message],
        }
    ).encode()
    answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    answer += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    for listener in sockets.values():
        with suppress(OSError):  # nobody waits any more; or the socket is closed, as it was served before
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):  # whoever is gone needs no answer
                    client.setblocking(False)  # noqa: FBT003 - the call's own form
                    client.send(answer)
