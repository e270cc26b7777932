"""Named places at which a test ends the process as a power cut would: `WATCHER_FAILPOINT=after_claim:kill`.

`NAME:kill:2` lets the place be passed once before. Knows one environment variable, read once, and nothing of what
stands at the places; docs/reliability.md lists them all.
"""

from __future__ import annotations

import os

VARIABLE = "WATCHER_FAILPOINT"
_KILL = 9

_name, _, _rest = os.environ.get(VARIABLE, "").partition(":")
_deed, _, _nth = _rest.partition(":")
_armed = _name if _deed == "kill" else ""
_left = [int(_nth or 1)] if _armed else []


def reached(name: str) -> None:
    """Die here, by SIGKILL, if the environment says so; else this costs one comparison."""
    if name == _armed:
        _left[0] -= 1
        if _left[0] == 0:
            os.kill(os.getpid(), _KILL)
