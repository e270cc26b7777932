"""Whether whoever asks sees the machine's journal at all: to the others an empty answer looks like a quiet job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watcher.cli.output import Output
    from watcher.journal.source import Source

_MACHINE_ID = Path("/etc/machine-id")
_PLACES = (Path("/run/log/journal"), Path("/var/log/journal"))
_FILE = "system.journal"


def warn_if_blind(source: Source, output: Output) -> None:
    """Say so where journald's own file is closed to this user: libsystemd passes over it without a word."""
    if source.is_machine and _is_closed(source.namespace):
        output.message("this user does not see the system's entries of the journal, so what is said here lacks them")
        output.complaint("  hint: run it as root, or as a member of the group systemd-journal")


def _is_closed(namespace: str | None) -> bool:
    """Whether there is such a file, and none that can be read."""
    try:
        machine = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return False
    name = machine if namespace is None else f"{machine}.{namespace}"
    files = [file for place in _PLACES if os.path.lexists(file := place / name / _FILE)]
    return bool(files) and not any(os.access(file, os.R_OK) for file in files)
