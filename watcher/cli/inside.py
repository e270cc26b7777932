"""Whether this very process is part of a rollback: what it registers then must not be rolled back in its turn.

Two marks tell: the facts in a rollback command's environment, and the unit that root's dispatcher runs it in.
"""

from __future__ import annotations

import os
from pathlib import Path

_UNIT, _SUFFIX = "release-watcher-rollback@", ".service"
_FACTS = ("WATCHER_RELEASE_ID", "WATCHER_REASON_CODE")


def rollback_around(environment: dict[str, str] | None = None, cgroups: Path = Path("/proc/self/cgroup")) -> str | None:
    """The id of the release that is being rolled back around us, None if there is no such thing.

    A script may keep an id of its own in WATCHER_RELEASE_ID; with a reason code beside it, it is the rollback's.
    """
    facts = os.environ if environment is None else environment
    if all(facts.get(name) for name in _FACTS):
        return facts[_FACTS[0]]
    try:
        text = cgroups.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # no procfs, so no unit either
    parts = (part for line in text.splitlines() for part in line.split("/"))
    units = (part for part in parts if part.startswith(_UNIT) and part.endswith(_SUFFIX))
    return next((unit.removeprefix(_UNIT).removesuffix(_SUFFIX) for unit in units), None)
