"""What both ways of handing a rollback over have in common: the border to the daemon, facts, and what the files tell.

Knows the files of `watcher/dispatch` as the daemon reads them; must not know who runs the command.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from watcher.core.duration import Usec
from watcher.core.errors import WatcherError
from watcher.core.messages import RollbackObserved
from watcher.core.names import ReleaseId
from watcher.core.release import NOT_RUN, Release, RollbackState
from watcher.core.state import Pause
from watcher.dispatch import files
from watcher.dispatch.claim import ClaimError, Facts, read_claim
from watcher.dispatch.evidence import Evidence, Standing
from watcher.dispatch.order import id_in
from watcher.dispatch.result import NOT_STARTED

QUEUE = "rollback-queue"
_BEGUN = (Standing.RUNNING, Standing.INTERRUPTED, Standing.ENDED)


class RollbackError(WatcherError):
    """A directory or a process that the rollback needs can't be had; trying again later is right."""


class Handover(Protocol):
    """Hands decided rollbacks over to whoever runs them, each once for ever, and sees how they end."""

    @property
    def is_disarmed(self) -> bool:
        """Whether the off switch, the file `disarm`, is there."""

    def queue(self, release: Release) -> None:
        """Hand the rollback over; right at any time and any number of times. Raises RollbackError."""

    def ordered(self) -> frozenset[ReleaseId]:
        """Those whose order lies in the queue and was read by nobody yet. Raises RollbackError."""

    def withdraw(self, release_id: ReleaseId) -> None:
        """Take back what nobody has claimed yet. Raises RollbackError."""

    def hold(self, pauses: Iterable[Pause]) -> None:
        """Say which pauses there are, to whom it concerns. Raises RollbackError."""

    def claimed(self, release_ids: Iterable[ReleaseId]) -> frozenset[ReleaseId]:
        """Those that need not be queued again. Raises RollbackError."""

    def observe(self, releases: Iterable[Release]) -> list[RollbackObserved]:
        """What is known of these rollbacks; nothing of one that has not been started yet. Raises RollbackError."""


def orders_in(queue: Path) -> frozenset[ReleaseId]:
    """The releases whose order lies in the queue. Raises RollbackError."""
    with trouble(queue):
        names = [path.name for path in queue.iterdir()]
    return frozenset(ReleaseId(found) for name in names if (found := id_in(name)) is not None)


def facts_of(release: Release) -> Facts:
    """What is rolled back, as it is queued and told to the command. Raises ClaimError."""
    reason = release.rollback.reason
    return Facts(
        id=release.id,
        job=release.job,
        version=release.request.version,
        previous=release.previous,
        reason_code="" if reason is None else reason.code,
    )


def of_another(claims: int, release: Release, evidence: Evidence) -> str | None:
    """For which other release of this id what was begun was claimed; None if it is this one's, or nothing was begun.

    A claim outlives a lost state: what came of it then tells nothing about the release that has the id now.
    """
    if evidence.standing not in _BEGUN:
        return None
    try:
        earlier, ours = read_claim(claims, release.id).facts, facts_of(release)
    except (FileNotFoundError, ClaimError):
        return None  # what was begun counts, also where its claim can't be read any more
    return None if earlier.same_release(ours) else f"{release.id}.claim: was made for {earlier.job} {earlier.version}"


def ended(release_id: ReleaseId, evidence: Evidence, at: Usec) -> RollbackObserved | None:
    """The rollback has a result."""
    result = evidence.result
    if result is None:
        return None
    why = result.detail.removeprefix(NOT_STARTED)
    return RollbackObserved(
        at=at,
        release=release_id,
        state=RollbackState(result.state),
        exit_code=result.exit_code,
        started_at=Usec(result.started_at),
        finished_at=Usec(result.finished_at),
        detail=why if why == result.detail else _not_run(why),
        output=result.output,
    )


def running(release_id: ReleaseId, evidence: Evidence, at: Usec) -> RollbackObserved:
    """The command is at work."""
    started = None if evidence.started_at is None else Usec(evidence.started_at)
    return RollbackObserved(at=at, release=release_id, state=RollbackState.RUNNING, started_at=started)


def never_run(release_id: ReleaseId, detail: str, at: Usec) -> RollbackObserved:
    """Nothing can ever be run for this release."""
    return RollbackObserved(at=at, release=release_id, state=RollbackState.FAILED, detail=_not_run(detail))


def _not_run(why: str) -> str:
    return f"{NOT_RUN}: {why}"


def unknown(release_id: ReleaseId, evidence: Evidence, at: Usec) -> RollbackObserved:
    """The command was begun, and nobody can say what it has done."""
    return RollbackObserved(
        at=at,
        release=release_id,
        state=RollbackState.UNKNOWN,
        started_at=None if evidence.started_at is None else Usec(evidence.started_at),
        detail=f"the rollback command was interrupted ({evidence.detail}): look at what it did, then finish or "
        "repeat it by hand; it is not run again",
        output=evidence.output,
    )


@contextmanager
def trouble(path: Path | str) -> Iterator[None]:
    """Turns what the system says about the path into a RollbackError."""
    try:
        yield
    except OSError as error:
        hint = "the user that runs the daemon must be able to write there, and the disk must have room"
        raise RollbackError(f"{path}: {error.strerror}", hint=hint) from error


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The directory by its descriptor. Raises RollbackError."""
    with trouble(path):
        directory = files.open_directory(path)
    try:
        yield directory
    finally:
        os.close(directory)
