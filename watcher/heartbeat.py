"""An entry of our own that has to come back through the journal before the daemon may call itself ready.

Without permission, with `Storage=none`, or in another namespace the journal just looks empty, and nothing fails: only
one's own entry tells. Waited for where it can be known again by its unit: as the service.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from watcher.adapters.log import IDENTIFIER
from watcher.adapters.message_ids import HEARTBEAT as MESSAGE_ID
from watcher.dispatch.voice import Voice
from watcher.journal.source import HEARTBEAT

_OWN, _SERVICE = "release-watcher", ".service"
_INFO = 6


class Heartbeat:
    """The entry, as often as it is sent; `nonce` is what stands in it."""

    def __init__(self) -> None:
        self._voice = Voice(identifier=IDENTIFIER)
        self.nonce = secrets.token_hex(8)

    def beat(self) -> None:
        """Send it (again): a reader that came to the journal's end only just now has not seen the last one."""
        fields = {HEARTBEAT: self.nonce, "MESSAGE_ID": MESSAGE_ID}
        self._voice.send(_INFO, "waiting for this entry to come back through the journal", fields)


def is_own_unit(cgroup: Path = Path("/proc/self/cgroup")) -> bool:
    """Whether this process runs in a unit whose entries the reader knows as ours."""
    try:
        lines = cgroup.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    units = {part for line in lines for part in line.rpartition(":")[2].split("/")}
    return any(unit.startswith(_OWN) and unit.endswith(_SERVICE) for unit in units)
