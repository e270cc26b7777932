"""The rollback of a daemon that was started by hand: hand it over, start its runner, see how it ends.

Knows the two directories under the state directory and the runner, which lives on without the daemon. Decides
nothing: whether a rollback is due is the core's business, and that it runs once is that of the files in
`watcher/dispatch`. The installed daemon writes the same queue file and leaves the rest to root's dispatcher.
"""

from __future__ import annotations

import logging
import os
import sys
from _thread import start_new_thread  # Thread.start waits for the thread: 2 ms in which the loop stands
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
from watcher.core.duration import HOUR, Usec, format_duration
from watcher.core.messages import RollbackObserved
from watcher.core.names import ReleaseId
from watcher.core.release import Release
from watcher.core.state import Pause
from watcher.dispatch import claim as claims
from watcher.dispatch import failpoint, files, hold, jsontext, runner
from watcher.dispatch.claim import Claim, ClaimError, Facts
from watcher.dispatch.command import PASSED_ON
from watcher.dispatch.evidence import Evidence, Standing, look
from watcher.dispatch.hold import DISARM
from watcher.dispatch.order import order_name
from watcher.dispatch.result import COMMAND_FAILED

CLAIMS = "rollback"
_LEFTOVER_AGE = HOUR
_DUE = (Standing.UNCLAIMED, Standing.CLAIMED)

_log = logging.getLogger(__name__)


class EmbeddedRollback:
    """Runs rollbacks without systemd or root, each once for ever, as `STATE/rollback` remembers.

    While the file `STATE/disarm` exists nothing is claimed and nothing started.
    """

    def __init__(self, state_dir: Path, clock: Callable[[], Usec]) -> None:
        """Makes the two directories. Raises RollbackError."""
        self._queue, self._claims, self._disarm = state_dir / QUEUE, state_dir / CLAIMS, state_dir / DISARM
        self._clock = clock
        self._refused: dict[ReleaseId, str] = {}
        self._repeated: dict[ReleaseId, int] = {}
        self._alive: dict[int, ReleaseId] = {}
        self._disarmed_said = False
        for path in (self._queue, self._claims):
            with trouble(path):
                path.mkdir(mode=0o700, exist_ok=True)
        with opened(state_dir) as state, trouble(state_dir):
            files.sync(state)
        for path in (self._queue, self._claims):
            with opened(path) as directory, trouble(path):
                files.sweep(directory, older_than_ns=(clock() - _LEFTOVER_AGE) * 1000)

    def queue(self, release: Release) -> None:
        """Hand the rollback over and start it; right at any time and any number of times.

        A claimed rollback that never started is started now, a started one never again. One that can never be run (its
        claim is damaged, or was made for another release of this id) is logged and observed as failed.
        Raises RollbackError: nothing was started, and it can be tried again.
        """
        try:
            claim = self._plan(release)
        except ClaimError as error:
            self._refuse(release.id, str(error))
            return
        with opened(self._queue) as queue, opened(self._claims) as directory:
            # Not synced, as nobody but us will read it: what remembers the rollback is the row that made us come here.
            with trouble(self._queue):
                files.replace(queue, order_name(release.id), jsontext.render(claim.facts.as_object()), durable=False)
            failpoint.reached("after_queue_file")
            if self._is_disarmed():
                return
            with trouble(self._claims):
                due = self._claim(directory, claim)
            failpoint.reached("after_claim")
            with trouble(self._queue):
                files.remove(queue, order_name(release.id))
            failpoint.reached("after_unqueue")
            if due:
                self._start_runner(release.id)

    @property
    def is_disarmed(self) -> bool:
        """Whether the off switch, the file `disarm`, is there."""
        return hold.is_disarmed(str(self._disarm.parent))

    def ordered(self) -> frozenset[ReleaseId]:
        """Those whose order lies in the queue and was read by nobody yet. Raises RollbackError."""
        return orders_in(self._queue)

    def withdraw(self, release_id: ReleaseId) -> None:
        """Take back a queue file that nobody has claimed, if there is one. Raises RollbackError."""
        with opened(self._queue) as queue, trouble(self._queue):
            files.remove(queue, order_name(release_id))

    def claimed(self, release_ids: Iterable[ReleaseId]) -> frozenset[ReleaseId]:
        """Those that need not be queued again: their command was started, is just being started, or never can be.

        A claim alone is not enough: if its runner died before the command was started, queueing again starts another.
        Raises RollbackError.
        """
        settled = {*self._refused, *list(self._alive.values())}
        with opened(self._claims) as directory, trouble(self._claims):
            return frozenset(
                release_id
                for release_id in release_ids
                if release_id in settled or look(directory, release_id).standing not in _DUE
            )

    def hold(self, pauses: Iterable[Pause]) -> None:
        """Nobody else reads the queue of this daemon, so nobody has to be told."""

    def observe(self, releases: Iterable[Release]) -> list[RollbackObserved]:
        """What is known of these rollbacks; nothing of one that has not been started yet.

        An interrupted run of an idempotent command is repeated here, once: nobody else would know of it.
        Raises RollbackError.
        """
        with opened(self._claims) as directory, trouble(self._claims):
            found = [self._observe(directory, release, look(directory, release.id)) for release in releases]
        return [observed for observed in found if observed is not None]

    def _plan(self, release: Release) -> Claim:
        plan = release.policy.release.rollback
        if plan is None:
            raise ClaimError(f"job {release.job}: has no rollback command")
        return Claim(
            facts_of(release),
            command=plan.command,
            timeout_usec=plan.timeout,
            timeout=format_duration(plan.timeout),
            user=plan.user,
            idempotent=plan.idempotent,
            claimed_at=self._clock(),
        )

    def _claim(self, directory: int, claim: Claim) -> bool:
        """Whether the command has to be started: claimed now, or claimed before by one who died too early."""
        release_id = ReleaseId(claim.facts.id)
        if claims.stake(directory, claim):
            return True
        evidence = look(directory, release_id)
        if evidence.standing is Standing.UNUSABLE:
            self._refuse(release_id, evidence.detail)
            return False
        earlier = _facts_of(directory, release_id)
        if earlier is not None and not earlier.same_release(claim.facts):
            self._refuse(release_id, f"{release_id}.claim: was made for {earlier.job} {earlier.version}")
            return False
        return evidence.standing is Standing.CLAIMED

    def _observe(self, directory: int, release: Release, evidence: Evidence) -> RollbackObserved | None:
        release_id = release.id
        refused = self._refused.get(release_id)
        if refused is None:
            refused = of_another(directory, release, evidence)
        if refused is not None:
            return never_run(release_id, refused, self._clock())
        match evidence.standing:
            case Standing.UNCLAIMED | Standing.CLAIMED:
                return None
            case Standing.UNUSABLE:
                return never_run(release_id, evidence.detail, self._clock())
            case Standing.RUNNING:
                return running(release_id, evidence, self._clock())
            case Standing.INTERRUPTED:
                return self._interrupted(release_id, evidence)
            case Standing.ENDED:
                return ended(release_id, evidence, self._clock())

    def _interrupted(self, release_id: ReleaseId, evidence: Evidence) -> RollbackObserved:
        repeated = self._repeated.get(release_id)
        if evidence.repeatable and repeated is None and not self._is_disarmed():
            repeated = self._repeated[release_id] = self._start_runner(release_id)
            facts = {"release": release_id, "why": evidence.detail}
            _log.warning("rollback was interrupted and is run once more", extra={"facts": facts})
        if evidence.repeatable and repeated in self._alive:
            return running(release_id, evidence, self._clock())
        return unknown(release_id, evidence, self._clock())

    def _refuse(self, release_id: ReleaseId, why: str) -> None:
        if release_id not in self._refused:
            _log.error("rollback can not be run", extra={"facts": {"release": release_id, "why": why}})
        self._refused[release_id] = why

    def _is_disarmed(self) -> bool:
        disarmed = self.is_disarmed
        if disarmed and not self._disarmed_said:
            _log.warning("rollbacks are off as long as a file exists", extra={"facts": {"file": self._disarm}})
        self._disarmed_said = disarmed
        return disarmed

    def _start_runner(self, release_id: ReleaseId) -> int:
        """In a session of its own, so that it outlives us; its complaints go where ours go. Returns its pid."""
        kept = {name: os.environ[name] for name in (*PASSED_ON, failpoint.VARIABLE) if name in os.environ}
        argv = [sys.executable, "-I", "-S", runner.__file__, str(self._claims.absolute()), release_id]
        null = (
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        )
        with trouble(sys.executable):
            pid = os.posix_spawn(sys.executable, argv, kept, file_actions=null, setsid=True, setsigmask=())
        self._alive[pid] = release_id
        try:
            start_new_thread(self._reap, (release_id, pid))
        except RuntimeError as error:  # no thread to be had: the runner runs all the same, only its zombie stays
            del self._alive[pid]
            _log.warning("rollback runner is not waited for", extra={"facts": {"release": release_id, "why": error}})
        return pid

    def _reap(self, release_id: ReleaseId, pid: int) -> None:
        """Wait, in a thread, so that the runner doesn't stay behind as a zombie."""
        _, status = os.waitpid(pid, 0)
        self._alive.pop(pid, None)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, COMMAND_FAILED):  # a failed command has left its result
            facts = {"release": release_id, "status": code}
            _log.error("rollback runner ended without a result", extra={"facts": facts})


def _facts_of(directory: int, release_id: ReleaseId) -> Facts | None:
    try:
        return claims.read_claim(directory, release_id).facts
    except ClaimError:
        return None  # it was started, or `look` had said so: what is in it no longer matters
