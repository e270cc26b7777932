"""The rollback of the installed daemon: it names the release in its queue, and root's dispatcher does the rest.

Knows the queue, which is the daemon's own, and the claims directory, which is root's and only read here. Says nothing
of the command: that comes from root's configuration (`watcher/dispatch/plan.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from watcher.adapters.handover import (
    QUEUE,
    ended,
    facts_of,
    never_run,
    of_another,
    opened,
    orders_in,
    running,
    trouble,
    unknown,
)
from watcher.core.duration import HOUR, SECOND, Usec
from watcher.core.messages import RollbackObserved
from watcher.core.names import ReleaseId
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release, RollbackState
from watcher.core.state import Pause
from watcher.dispatch import failpoint, files, hold, jsontext
from watcher.dispatch.claim import ClaimError
from watcher.dispatch.evidence import Evidence, Standing, look
from watcher.dispatch.order import order_name
from watcher.dispatch.refusal import DISARMED, PAUSED, REFUSED, read_refusal

_LEFTOVER_AGE = HOUR
_AGAIN = 30 * SECOND
"""So long after it was ordered a repetition that was not begun is ordered again: what is running nobody reviews."""
_UNSTARTED = (Standing.UNCLAIMED, Standing.CLAIMED)
_CODES = {DISARMED: ReasonCode.DISARMED, PAUSED: ReasonCode.PAUSED, REFUSED: ReasonCode.REFUSED}

_log = logging.getLogger(__name__)


class DispatchedRollback:
    """Hands rollbacks over by a file and reads what became of them in `claims`.

    `disarm_dir` is where the off switch would lie: the directory of root's configuration.
    """

    def __init__(self, *, state_dir: Path, claims: Path, disarm_dir: Path, clock: Callable[[], Usec]) -> None:
        """Makes the queue. Raises RollbackError."""
        self._state, self._queue, self._claims = state_dir, state_dir / QUEUE, claims
        self._disarm_dir, self._clock = disarm_dir, clock
        self._impossible: dict[ReleaseId, str] = {}
        self._repeated: dict[ReleaseId, Usec] = {}
        with trouble(self._queue):
            self._queue.mkdir(mode=0o700, exist_ok=True)
        with opened(self._queue) as queue, trouble(self._queue):
            files.sweep(queue, older_than_ns=(clock() - _LEFTOVER_AGE) * 1000)

    @property
    def is_disarmed(self) -> bool:
        """Whether the off switch, the file `disarm`, is there; the dispatcher looks by itself as well."""
        return hold.is_disarmed(str(self._disarm_dir))

    def queue(self, release: Release) -> None:
        """Put the order into the queue, durably; the dispatcher is woken by that.

        One that no command could be told of is logged and observed as failed. Raises RollbackError.
        """
        try:
            facts = facts_of(release)
        except ClaimError as error:
            if release.id not in self._impossible:
                told = {"release": release.id, "why": str(error)}
                _log.error("rollback can not be run", extra={"facts": told})
            self._impossible[release.id] = str(error)
            return
        with opened(self._queue) as queue, trouble(self._queue):
            files.replace(queue, order_name(release.id), jsontext.render(facts.as_object()), durable=True)
        failpoint.reached("after_queue_file")

    def ordered(self) -> frozenset[ReleaseId]:
        """Those whose order lies in the queue and was read by nobody yet. Raises RollbackError."""
        return orders_in(self._queue)

    def withdraw(self, release_id: ReleaseId) -> None:
        """Take back an order that nobody has read yet, if there is one. Raises RollbackError."""
        with opened(self._queue) as queue, trouble(self._queue):
            files.remove(queue, order_name(release_id))

    def hold(self, pauses: Iterable[Pause]) -> None:
        """Leave the pauses where the dispatcher looks, also while we are dead. Raises RollbackError."""
        with opened(self._state) as state, trouble(self._state):
            hold.write_pauses(state, [(pause.job, pause.until) for pause in pauses])

    def claimed(self, release_ids: Iterable[ReleaseId]) -> frozenset[ReleaseId]:
        """Those that need not be queued again: their command was started, or never can be.

        A claim alone is not enough: if its unit could not be started, queueing again starts it. Raises RollbackError.
        """
        with opened(self._claims) as claims, trouble(self._claims):
            return frozenset(
                release_id
                for release_id in release_ids
                if release_id in self._impossible or look(claims, release_id).standing not in _UNSTARTED
            )

    def observe(self, releases: Iterable[Release]) -> list[RollbackObserved]:
        """What is known of these rollbacks; nothing of one that waits for the dispatcher.

        An interrupted run of an idempotent command is queued once more here, until its repetition was begun or refused.
        Raises RollbackError.
        """
        with opened(self._claims) as claims, trouble(self._claims):
            found = [self._observe(claims, release, look(claims, release.id)) for release in releases]
        return [observed for observed in found if observed is not None]

    def _observe(self, claims: int, release: Release, evidence: Evidence) -> RollbackObserved | None:
        impossible = self._impossible.get(release.id)
        if impossible is None:
            impossible = of_another(claims, release, evidence)
        if impossible is not None:
            return never_run(release.id, impossible, self._clock())
        match evidence.standing:
            case Standing.UNCLAIMED | Standing.CLAIMED:
                return self._refused(claims, release)
            case Standing.UNUSABLE:
                return never_run(release.id, evidence.detail, self._clock())
            case Standing.RUNNING:
                return running(release.id, evidence, self._clock())
            case Standing.INTERRUPTED:
                return self._interrupted(claims, release, evidence)
            case Standing.ENDED:
                return ended(release.id, evidence, self._clock())

    def _refused(self, claims: int, release: Release) -> RollbackObserved | None:
        """What the dispatcher has against this decision; what it had against an earlier one is over."""
        try:
            refusal = read_refusal(claims, release.id)
        except ClaimError as error:
            return never_run(release.id, str(error), self._clock())
        queued_at = release.rollback.queued_at
        if refusal is None or (queued_at is not None and refusal.at < queued_at):
            return None
        reason = Reason(code=_CODES[refusal.code], what=refusal.detail)
        return RollbackObserved(at=self._clock(), release=release.id, state=RollbackState.HELD, reason=reason)

    def _interrupted(self, claims: int, release: Release, evidence: Evidence) -> RollbackObserved:
        at, ordered = self._clock(), self._repeated.get(release.id)
        if not evidence.repeatable or self.is_disarmed:
            return unknown(release.id, evidence, at)
        if ordered is not None:
            refused = _refused_since(claims, release.id, ordered)
            if refused:
                evidence.detail += f"; its repetition was refused: {refused}"
                return unknown(release.id, evidence, at)
        if ordered is None or not 0 <= at - ordered < _AGAIN:
            self.queue(release)
            self._repeated[release.id] = at
            facts = {"release": release.id, "why": evidence.detail}
            _log.warning("rollback was interrupted and is run once more", extra={"facts": facts})
        return running(release.id, evidence, at)


def _refused_since(claims: int, release_id: ReleaseId, since: Usec) -> str:
    """What the dispatcher has against an order of that instant or later, "" if nothing is known of that."""
    try:
        refusal = read_refusal(claims, release_id)
    except ClaimError as error:
        return str(error)
    return refusal.detail if refusal is not None and refusal.at >= since else ""
