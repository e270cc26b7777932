"""What a process has open, as /proc tells it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def opened(pid: int) -> list[str]:
    """The targets of its descriptors; one that is closed while we look is left out."""
    targets = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            targets.append(str(link.readlink()))
    return targets


def deleted_journals(pid: int) -> list[str]:
    """The deleted journal files that it still holds."""
    return [target for target in opened(pid) if target.endswith(".journal (deleted)")]
