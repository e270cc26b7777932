"""A daemon that does nothing but queue one rollback: `rollback_child.py STATE COMMAND_AS_JSON [stay|idempotent]`.

Ends when its runner has, so that whoever waits for it knows that all is quiet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from tests.dispatch.scene import failed_release, now, until
from watcher.adapters.rollback import EmbeddedRollback


def main(state: str, command: str, *how: str) -> None:
    """Queue, and wait for the runner."""
    rollback = EmbeddedRollback(Path(state), now)
    rollback.queue(failed_release(tuple(json.loads(command)), idempotent="idempotent" in how))
    until(lambda: not rollback._alive)


if __name__ == "__main__":
    main(*sys.argv[1:])
