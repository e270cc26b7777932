"""`watcher` with every process of its own under the shim of `disk.py`: `shimmed.py WORDS…`, beneath its environment.

The daemon hands an environment of its own to the runner of a rollback, so that one comes by a program of
ours in Python's place, which is the first thing in `WATCHER_SHIMMED_PYTHON`. Commands run as they always do.
"""

from __future__ import annotations

import os
import subprocess
import sys

VARIABLE = "WATCHER_SHIMMED_PYTHON"

if __name__ == "__main__":
    sys.executable = os.environ.pop(VARIABLE)
    subprocess._USE_VFORK = False  # type: ignore[misc]  # nothing can stand before vfork(2), so it has a switch

    from watcher.cli.main import entry

    entry()
