"""The daemon's eye on rollbacks: queues what was decided, reviews what nobody has claimed, and reports how they end.

Knows the handover and which states are worth a look; decides nothing: all that it sees goes to the desk as an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from watcher.adapters.handover import Handover, RollbackError
from watcher.adapters.log import log
from watcher.clock import wall_clock
from watcher.core.messages import QueueReviewed, QueueRollback, RollbackObserved, TransitionKind
from watcher.core.names import ReleaseId
from watcher.core.release import Release, RollbackState
from watcher.core.state import Decision, State
from watcher.dispatch.failpoint import reached

REVIEW_SECONDS = 30.0
OBSERVE_SECONDS = 0.05
RETRY_SECONDS = 5.0
"""So often what could not be handed over is tried again, and all is looked at while nothing can be stored."""
LATE_SECONDS = 120.0
"""So long after it was taken back a rollback may still begin: it was claimed, and PID 1 takes its time."""
UNTAKEN_SECONDS = 60.0
"""So long a decided rollback may wait for its begin before that is told: longer than PID 1 tries to start it."""
TAKEN_BACK = frozenset({RollbackState.HELD, RollbackState.NONE})
_BUSY = frozenset({RollbackState.QUEUED, RollbackState.RUNNING})

HandIn = Callable[[QueueReviewed | RollbackObserved], Awaitable[bool]]


class Rollbacks:
    """Two loops over the same handover: one looks at busy rollbacks often, the other reviews the queue now and then.

    `state` is the adopted state; `find` gives a release however old; `hand_in` gives an event to the desk; `stop` is
    set at the end of the daemon; `is_well` tells whether the last decision could be stored.
    """

    def __init__(
        self,
        handover: Handover,
        *,
        state: Callable[[], State],
        find: Callable[[ReleaseId], Release | None],
        hand_in: HandIn,
        stop: asyncio.Event,
        is_well: Callable[[], bool],
    ) -> None:
        self._handover = handover
        self._state = state
        self._find = find
        self._hand_in = hand_in
        self._stop = stop
        self._is_well = is_well
        self._due = asyncio.Event()
        self._review_due = asyncio.Event()
        self._withdrawn: set[ReleaseId] = set()
        self._late_until = 0.0
        self._is_held = False
        self._stuck: dict[ReleaseId, str] = {}
        self._untaken: dict[ReleaseId, float] = {}
        self._unseen: dict[ReleaseId, str] = {}

    @property
    def trouble(self) -> str | None:
        """Which decided rollback could not be handed over, or can't be looked after, and why; None if none."""
        for release in self._with_rollback(_BUSY):
            if release.id in self._stuck and release.rollback.state is RollbackState.QUEUED:
                return (
                    f"the rollback of {release.id} can't be handed over, and is tried again: {self._stuck[release.id]}"
                )
            if self._is_untaken(release):
                return f"the rollback of {release.id} waits and was not begun; see `watcher doctor`"
            if release.id in self._unseen:
                return f"the rollback of {release.id} can't be looked after: {self._unseen[release.id]}"
        return None

    @property
    def is_disarmed(self) -> bool:
        """Whether the off switch is on: no rollback is run then, nor one that a person asks for."""
        return self._handover.is_disarmed

    def begin(self) -> None:
        """Go on with what an earlier daemon has decided, and say which pauses there are.

        It may have died before it took back what it had decided not to run.
        """
        self._hold(self._state())
        busy = {one.id for one in self._with_rollback(_BUSY)}
        for release_id in sorted(self._ordered() - busy):
            self._withdraw(release_id)
        self._due.set()

    def perform(self, decision: Decision) -> None:
        """Act on what a decision says about rollbacks. Raises nothing: what fails is tried at the next review."""
        if decision.pauses is not None:
            self._hold(decision.state)
            self._review_due.set()  # what is queued and not claimed is held now, not in half a minute
        if any(one.kind is TransitionKind.PHASE and one.before == "" for one in decision.transitions):
            self._review_due.set()  # a release was registered: what is queued of the one before it is dropped
        for command in decision.commands:
            if isinstance(command, QueueRollback):
                self._queue(decision.state.releases[command.release])
        for transition in decision.transitions:
            if transition.kind is TransitionKind.ROLLBACK and transition.after in TAKEN_BACK:
                self._withdraw(transition.release)

    def wake(self) -> None:
        """The end of the daemon: nobody sleeps any longer."""
        self._due.set()
        self._review_due.set()

    async def watch(self) -> None:
        """Report how rollbacks go, until the end."""
        while not self._stop.is_set():
            await self._due.wait()
            busy = self._with_rollback(_BUSY)
            if not busy:
                self._due.clear()
                continue
            await self._report(busy)
            await _rest(OBSERVE_SECONDS if self._is_well() else RETRY_SECONDS, unless=self._stop)

    async def review(self) -> None:
        """Look at what is queued and not claimed, and at what may have been claimed while it was taken back."""
        while not self._stop.is_set():
            self._review_due.clear()  # before the look: what becomes due during it is looked at right after it
            if not self._is_held:
                self._hold(self._state())
            unclaimed = self._unclaimed(self._with_rollback(frozenset({RollbackState.QUEUED})))
            if unclaimed:
                disarmed = self._handover.is_disarmed
                await self._hand_in(QueueReviewed(at=wall_clock(), unclaimed=unclaimed, disarmed=disarmed))
            await self._report(self._taken_back())
            await _rest(RETRY_SECONDS if self._stuck else REVIEW_SECONDS, unless=self._review_due)

    async def _report(self, releases: Iterable[Release]) -> None:
        for observed in self._observed(releases):
            is_over = observed.state not in _BUSY
            if is_over:
                reached("before_takeover")
            await self._hand_in(observed)
            if is_over:
                reached("after_takeover")

    def _queue(self, release: Release) -> None:
        self._due.set()
        try:
            self._handover.queue(release)
            self._stuck.pop(release.id, None)
            if self._handover.is_disarmed:
                self._review_due.set()
        except RollbackError as error:  # it stays queued: the review tries again
            if release.id not in self._stuck:
                self._review_due.set()  # from now on it reviews more often
            self._say_stuck("rollback could not be started", error, release.id)

    def _say_stuck(self, what: str, error: RollbackError, release_id: ReleaseId) -> None:
        """Once for as long as it is the same; `trouble` tells it all the while."""
        if self._stuck.get(release_id) != error.message:
            _complain(what, error, release_id)
        self._stuck[release_id] = error.message

    def _withdraw(self, release_id: ReleaseId | None) -> None:
        """What is held or dropped must not lie in the queue: whoever reads it would run it."""
        if release_id is None:
            return
        try:
            self._handover.withdraw(release_id)
        except RollbackError as error:
            _complain("queue file could not be removed", error, release_id)
        self._untaken.pop(release_id, None)
        self._withdrawn.add(release_id)  # it may have been read the moment before
        self._late_until = asyncio.get_running_loop().time() + LATE_SECONDS

    def _taken_back(self) -> list[Release]:
        """What was handed over and is not to be run any more: it may have been claimed in that moment, and run.

        What is held is looked at as long as it is; what was dropped for a newer release is known to the store alone.
        """
        if asyncio.get_running_loop().time() > self._late_until:
            self._withdrawn.clear()
        known = dict(self._state().releases)
        known |= {one: found for one in self._withdrawn - known.keys() if (found := self._find(one)) is not None}
        return [
            one for one in known.values() if one.rollback.state in TAKEN_BACK and one.rollback.queued_at is not None
        ]

    def _hold(self, state: State) -> None:
        """What could not be left is left at the next review; until then the dispatcher goes by what it knows."""
        try:
            self._handover.hold(state.pauses)
            self._is_held = True
        except RollbackError as error:
            self._is_held = False
            _complain("pauses could not be left for the dispatcher", error, None)

    def _observed(self, releases: Iterable[Release]) -> list[RollbackObserved]:
        """Each looked at by itself: what one can't be told of, or can't be repeated, hides nothing of the others."""
        found: list[RollbackObserved] = []
        for release in releases:
            try:
                found += self._handover.observe((release,))
                self._unseen.pop(release.id, None)
            except RollbackError as error:  # looked at again in a moment
                if error.message not in self._unseen.values():
                    _complain("rollback can't be observed", error, release.id)
                self._unseen[release.id] = error.message
        return found

    def _ordered(self) -> frozenset[ReleaseId]:
        try:
            return self._handover.ordered()
        except RollbackError as error:
            _complain("queue can't be read", error, None)
            return frozenset()

    def _unclaimed(self, queued: tuple[Release, ...]) -> tuple[ReleaseId, ...]:
        """Those that have to be queued again; of what is no longer to be handed over nothing is remembered."""
        self._stuck = {one.id: self._stuck[one.id] for one in queued if one.id in self._stuck}
        if not queued:
            self._note_untaken(())
            return ()
        try:
            claimed = self._handover.claimed(one.id for one in queued)
        except RollbackError as error:  # looked at again at the next review
            for one in queued:
                self._say_stuck("rollback claims can't be read", error, one.id)
            return ()
        for release_id in claimed:
            self._stuck.pop(release_id, None)
        unclaimed = tuple(one.id for one in queued if one.id not in claimed)
        self._note_untaken(unclaimed)
        return unclaimed

    def _note_untaken(self, unclaimed: tuple[ReleaseId, ...]) -> None:
        """By hand the order is taken as it is given; else PID 1 has to start the dispatcher, and may have given up."""
        now = asyncio.get_running_loop().time()
        self._untaken = {one: self._untaken.get(one, now) for one in unclaimed}

    def _is_untaken(self, release: Release) -> bool:
        since = self._untaken.get(release.id)
        is_queued = release.rollback.state is RollbackState.QUEUED
        return is_queued and since is not None and asyncio.get_running_loop().time() - since >= UNTAKEN_SECONDS

    def _with_rollback(self, states: frozenset[RollbackState]) -> tuple[Release, ...]:
        return tuple(one for one in self._state().releases.values() if one.rollback.state in states)


def _complain(what: str, error: RollbackError, release_id: ReleaseId | None) -> None:
    facts = {"why": error.message} if release_id is None else {"release": release_id, "why": error.message}
    log.error(what, extra={"facts": facts})


async def _rest(seconds: float, *, unless: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await unless.wait()
    except TimeoutError:
        return
