"""`python -m watcher` is `watcher`."""

from __future__ import annotations

from watcher.cli.main import entry

if __name__ == "__main__":
    entry()
