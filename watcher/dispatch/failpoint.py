"""Named places at which a test ends the process as a power cut would: `WATCHER_FAILPOINT=after_claim:kill`.

Knows one environment variable, read once, and nothing of what stands at the places.
"""

from __future__ import annotations

import os

VARIABLE = "WATCHER_FAILPOINT"
_KILL = 9

_name, _, _deed = os.environ.get(VARIABLE, "").partition(":")
_armed = _name if _deed == "kill" else ""


def reached(name: str) -> None:
    """Die here, by SIGKILL, if the environment says so; else this costs one comparison."""
    if name == _armed:
        os.kill(os.getpid(), _KILL)
