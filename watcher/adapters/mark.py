"""What a state directory says of itself beside its database: that it has held one, on which machine, and a loss.

An empty or missing database opens as a valid empty one, and a copied one looks like ours: only this file, `state.id`,
tells. Knows nothing of SQLite.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from watcher.dispatch import files

NAME = "state.id"
_MACHINE_ID = Path("/etc/machine-id")
_TITLE = "this directory has held a release-watcher state"


@dataclass(frozen=True, slots=True)
class Mark:
    """`machine` is empty where it is not known; `lost` says why automatic rollbacks must be paused first of all."""

    machine: str = ""
    lost: str = ""


def read_mark(directory: Path) -> Mark | None:
    """The mark of the directory; None if it has never held a state. Raises OSError."""
    try:
        text = (directory / NAME).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    told = dict(line.partition(": ")[::2] for line in text.splitlines())
    return Mark(machine=told.get("machine", ""), lost=told.get("lost", ""))


def write_mark(directory: Path, mark: Mark) -> None:
    """Put the mark in place, whole and on the disk. Raises OSError."""
    lost = " ".join(mark.lost.split())
    text = f"{_TITLE}\nmachine: {mark.machine}\n" + (f"lost: {lost}\n" if lost else "")
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.replace(at, NAME, text.encode(), durable=True)
    finally:
        os.close(at)


def this_machine() -> str:
    """A name of this machine that tells nobody its machine id, as machine-id(5) asks for; empty if it has none."""
    try:
        machine = _MACHINE_ID.read_bytes().strip()
    except OSError:
        return ""
    return hmac.new(machine, b"release-watcher state", hashlib.sha256).hexdigest()[:32] if machine else ""
