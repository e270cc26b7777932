"""What the files of a rollback say of it: due, running, ended, interrupted, or nothing one could go by.

Knows how to read the claims directory from outside, while a runner may be at work in it; changes nothing there.
"""

from __future__ import annotations

import os
from enum import StrEnum

from watcher.dispatch import claim as claims
from watcher.dispatch import files
from watcher.dispatch.claim import ClaimError
from watcher.dispatch.result import Result, read_result
from watcher.dispatch.transcript import KEPT_AS_TAIL


class Standing(StrEnum):
    """How far a rollback has come. Nobody has ever run the command of the first three."""

    UNCLAIMED = "unclaimed"
    CLAIMED = "claimed"
    UNUSABLE = "unusable"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class Evidence:
    """`detail` says what is wrong where something is; `result` is set for ENDED only; `output` is hostile text.

    `repeatable`: the interrupted command may be run once more.
    """

    __slots__ = ("detail", "output", "repeatable", "result", "standing", "started_at")

    def __init__(
        self,
        *,
        standing: Standing,
        detail: str = "",
        started_at: int | None = None,
        result: Result | None = None,
        output: str = "",
        repeatable: bool = False,
    ) -> None:
        self.standing, self.detail, self.started_at = standing, detail, started_at
        self.result, self.output, self.repeatable = result, output, repeatable


def look(at: int, release_id: str) -> Evidence:
    """Read what there is of this release in the claims directory; whatever stands there, this gives an answer.

    Raises OSError: it can't be read now.
    """
    try:
        result = read_result(at, release_id)
        if result is None:
            begun = [name for name in _start_names(release_id) if files.exists(at, name)]
            if not begun:
                return _before_start(at, release_id)
            if any(_is_locked(at, name) for name in begun):
                return Evidence(standing=Standing.RUNNING, started_at=_marker(at, begun[-1])[0])
            result = read_result(at, release_id)  # the runner may have ended between the first look and the lock
            if result is None:
                return _interrupted(at, release_id, begun)
    except ClaimError as error:
        return Evidence(standing=Standing.INTERRUPTED, detail=str(error), output=_log_tail(at, release_id))
    return Evidence(standing=Standing.ENDED, result=result)


def _start_names(release_id: str) -> tuple[str, ...]:
    return tuple(f"{release_id}.{name}" for name in claims.STARTED)


def _before_start(at: int, release_id: str) -> Evidence:
    try:
        claims.read_claim(at, release_id)
    except FileNotFoundError:
        return Evidence(standing=Standing.UNCLAIMED)
    except ClaimError as error:
        return Evidence(standing=Standing.UNUSABLE, detail=str(error))
    return Evidence(standing=Standing.CLAIMED)


def _interrupted(at: int, release_id: str, begun: list[str]) -> Evidence:
    try:
        idempotent = claims.read_claim(at, release_id).idempotent
    except (FileNotFoundError, ClaimError):
        idempotent = False  # nothing says that it may run twice
    started_at, started_in = _marker(at, begun[-1])
    # Another boot id proves no reboot: in a container the kernel's own one shows through ProtectProc=, and a runner
    # that was killed at once has left none.
    return Evidence(
        standing=Standing.INTERRUPTED,
        detail="its runner was killed"
        if started_in == claims.boot_id()
        else "the machine went down, or its runner was killed",
        started_at=started_at,
        output=_log_tail(at, release_id),
        repeatable=idempotent and len(begun) < len(claims.STARTED),
    )


def _is_locked(at: int, name: str) -> bool:
    try:
        fd = files.open_plain(at, name)
    except files.NotPlainError as error:
        raise ClaimError(f"{name}: {error.strerror}") from error
    try:
        return files.locked(fd)
    finally:
        os.close(fd)


def _marker(at: int, name: str) -> tuple[int | None, str]:
    """When and in which boot the command was started; a power cut may have kept that from the disk."""
    try:
        found = claims.read_object(at, name)
        return claims.take(found, "started_at", int), claims.take(found, "boot_id", str)
    except ClaimError:
        return None, ""


def _log_tail(at: int, release_id: str) -> str:
    try:
        fd = files.open_plain(at, f"{release_id}.log")
    except OSError:
        return ""  # the output is a help for people, and there may be none
    try:
        start = max(os.fstat(fd).st_size - KEPT_AS_TAIL, 0)
        return os.pread(fd, KEPT_AS_TAIL, start).decode(errors="replace")
    finally:
        os.close(fd)
