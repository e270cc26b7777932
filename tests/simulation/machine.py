"""The daemon of a run, put together as `watcher/daemon.py` does it: the real desk on the world's disk.

It reads, asks, observes and reviews at the steps of the script. Its own faults (cuts, crashes, a full disk, things that
are told twice) strike between two instants of the world: it is back before anything else happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from tests.events import PERSON, baseline
from tests.simulation.chance import MACHINE, Chance, Fault
from tests.simulation.disk import DiedError, Disk, Luck
from tests.simulation.dispatcher import Dispatcher
from tests.simulation.script import Deploy, Dispatch, Judge, Pause, Register, Reload, Resume, Script, Step
from watcher.adapters.database import StoreError
from watcher.adapters.store import Store
from watcher.core.baseline import Baseline, unread
from watcher.core.duration import Usec
from watcher.core.messages import (
    BaselineRead,
    BatchRead,
    Event,
    Judgement,
    PauseRequested,
    PersonDecided,
    QueueReviewed,
    QueueRollback,
    ReaderRestarted,
    ReleaseDeployed,
    ReleaseRequested,
    ResumeRequested,
    RollbackObserved,
    SettingsLoaded,
    TransitionKind,
)
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import JobPolicy
from watcher.core.release import RollbackState
from watcher.core.state import OPEN_PHASES, Decision, State
from watcher.desk import Desk
from watcher.rollbacks import TAKEN_BACK

_UNDER_WAY = (RollbackState.QUEUED, RollbackState.RUNNING)
Hear = Callable[[Event, Decision], None]


class Machine:
    """`hear` is told of every decision as soon as it is durable (or at once, where there is nothing to store)."""

    def __init__(self, script: Script, chance: Chance, dispatcher: Dispatcher, hear: Hear) -> None:
        self._script, self._chance, self._dispatcher, self._hear = script, chance, dispatcher, hear
        self._faulty = False
        self._safe = self._is_calm = False
        self._event: Event | None = None
        self._unheard = False
        self._withdrawn: set[ReleaseId] = set()
        self._asked: dict[ReleaseId, int] = {}
        self._number = 0
        self._reads_at = self.true = 0
        self.crashes = 0
        self.disarmed = False
        self.policies: dict[JobName, JobPolicy] = script.policies
        self.budget = script.budget
        self.disk = Disk(self._luck, self._committed)
        self.disk.position = str(script.first_place)
        self._desk = self._new_desk()

    def begin(self, *, faulty: bool) -> None:
        """The first start; with `faulty` what may go wrong with the machine does."""
        self._start()
        self._faulty = faulty and bool(self._chance.faults & MACHINE)

    # ------------------------------------------------------------------------------------------------- the world

    @property
    def state(self) -> State:
        """The adopted state."""
        return self._desk.state

    @property
    def place(self) -> int:
        """How far the journal was read, for ever."""
        return int(self.disk.position or 0)

    @property
    def now(self) -> Usec:
        """What the wall clock shows."""
        return self._script.journal.clock.wall(self.true)

    def play(self, step: Step, number: int) -> None:
        """One step of the script."""
        self.true, self._number, self.disarmed = step.true, number, step.disarmed
        self._dispatcher.race = step.race
        if isinstance(step.act, Dispatch):
            for fate in step.act.fates:
                self._dispatcher.turn(fate, self.now)
        if step.down:
            if isinstance(step.act, Reload):  # read when it comes up
                self.policies, self.budget = step.act.policies, step.act.budget
            return
        if isinstance(step.act, Reload) or self.state.policies != self.policies:
            self._reload(step.act if isinstance(step.act, Reload) else None)
        arrived = self._script.journal.arrived(step.true)
        lags = step.place is None and not self._script.journal.has_step(self.place, arrived)
        if not lags:  # the reader logs a step as soon as it knows of it, so nothing is registered before it was read
            self._reads_at = step.true
            self.read(arrived if step.place is None else step.place)
        self._act(step)
        self.settle()

    def calm(self) -> None:
        """From now on nothing goes wrong, and every past that is asked for is read."""
        self._faulty, self._is_calm = False, True

    def settle(self) -> None:
        """What the daemon does by itself: pasts that were asked for, the queue, and how rollbacks go."""
        for release in list(self.state.releases.values()):
            if release.phase in OPEN_PHASES and release.trial.waits:
                self._look_back(release.id)
        self._review()
        self._observe()

    # ------------------------------------------------------------------------------------------------- reading

    def read(self, place: int) -> None:
        """Read on up to `place`, in pieces as they come."""
        while place <= self.place and not self._hand_in(self._batch(self.place)):
            pass
        while self.place < place:
            last = self._script.journal.cut(self.place, place)
            if self._faulty and self._chance.strikes(Fault.CUT):
                last = self._chance.among(Fault.CUT, self.place, last)  # none at all: an empty batch
            self._hand_in(self._batch(last))

    def _batch(self, last: int) -> BatchRead:
        journal, first = self._script.journal, self.place
        promised = journal.read_until(last, self._reads_at)
        return journal.batch(first, last, true=self.true, jobs=self.policies, read_until=promised)

    def _hand_in(self, batch: BatchRead) -> bool:
        """Whether it was committed. If not, it is read again, perhaps in other pieces."""
        try:
            self._take(batch)
        except StoreError:
            self._count_restart("store")
            return False
        except DiedError as died:
            self._restart()
            return died.stored
        return True

    def _count_restart(self, reason: str) -> None:
        self._insist(ReaderRestarted(at=self.now, reason=reason))

    # ------------------------------------------------------------------------------------------------- people

    def _act(self, step: Step) -> None:
        now = self.now
        match step.act:
            case Register(request, fresh_id):
                self._insist(ReleaseRequested(at=now, request=request, fresh_id=fresh_id), again=request.id is not None)
            case Deploy(release):
                self._insist(ReleaseDeployed(at=now, release=release, author=PERSON), again=True)
            case Judge(release, judgement, by):
                event = PersonDecided(
                    at=now, release=release, judgement=judgement, reason="seen the graphs", author=PERSON, by=by
                )
                self._insist(event, again=judgement is not Judgement.EXTEND)
            case Pause(job, length):
                until = None if length is None else Usec(now + length)
                self._insist(PauseRequested(at=now, job=job, reason="big sale", author=PERSON, until=until), again=True)
                self._review()
            case Resume(job):
                self._insist(ResumeRequested(at=now, job=job, author=PERSON), again=True)
            case Reload() | Dispatch() | None:
                return

    def _reload(self, act: Reload | None) -> None:
        if act is not None:
            self.policies, self.budget = act.policies, act.budget
        self._insist(self._settings(), again=True)

    def _settings(self) -> SettingsLoaded:
        return SettingsLoaded(at=self.now, policies=self.policies, rollbacks_per_hour=self.budget)

    # ------------------------------------------------------------------------------------------------- by itself

    def _look_back(self, release: ReleaseId) -> None:
        late = self._script.baselines.get(release, 0)
        asked = self._asked.setdefault(release, self._number)
        if not self._is_calm and (late is None or self._number - asked < late):
            return
        self._insist(BaselineRead(at=self.now, release=release, baseline=self._past(release)), again=True)

    def _past(self, release: ReleaseId) -> Baseline:
        if release in self._script.bad_pasts:
            return unread("the journal could not be read", since=Usec(0), until=self.now)
        return past_of(release)

    def _review(self) -> None:
        queued = [one.id for one in self.state.releases.values() if one.rollback.state is RollbackState.QUEUED]
        unclaimed = tuple(one for one in queued if one not in self._dispatcher.claimed(queued))
        if unclaimed:
            self._insist(QueueReviewed(at=self.now, unclaimed=unclaimed, disarmed=self.disarmed), again=True)
        for event in self._seen(self._taken_back()):
            self._insist(event, again=True)

    def _taken_back(self) -> list[ReleaseId]:
        """As `Rollbacks` does it: what is held is looked at as long as it is, what was dropped once."""
        known = {**self.state.releases, **{one: self.disk.releases[one] for one in self._withdrawn}}
        self._withdrawn.clear()
        back = [one for one in known.values() if one.rollback.state in TAKEN_BACK]
        return [one.id for one in back if one.rollback.queued_at is not None]

    def _observe(self) -> None:
        busy = [one.id for one in self.state.releases.values() if one.rollback.state in _UNDER_WAY]
        for event in self._seen(busy):
            self._insist(event, again=True)

    def _seen(self, releases: list[ReleaseId]) -> list[RollbackObserved]:
        return list(self._dispatcher.observe((self.disk.releases[one] for one in releases), self.now))

    def _perform(self, decision: Decision) -> None:
        self._heard(decision)
        for command in decision.commands:
            if isinstance(command, QueueRollback):
                self._dispatcher.queue(command.release)
        for one in decision.transitions:
            if one.kind is TransitionKind.ROLLBACK and one.after in TAKEN_BACK and one.release is not None:
                self._dispatcher.withdraw(one.release, self.now)
                self._withdrawn.add(one.release)

    # ------------------------------------------------------------------------------------------------- living on

    def _insist(self, event: Event, *, again: bool = False) -> None:
        """Until it is stored; with `again` it may be told twice, as nobody knows whether it was."""
        while True:
            try:
                self._take(event)
            except StoreError:
                continue
            except DiedError as died:
                self._restart()
                if not died.stored:
                    continue
            break
        if again and self._faulty and self._chance.strikes(Fault.TWICE):
            try:
                self._take(event)
            except StoreError:
                return
            except DiedError:
                self._restart()

    def _take(self, event: Event) -> None:
        self._event, self._unheard = event, True
        self._desk.take(event)

    def _heard(self, decision: Decision) -> None:
        if self._unheard and self._event is not None:
            self._unheard = False
            self._hear(self._event, decision)

    def _committed(self, decision: Decision) -> None:
        self._heard(decision)

    def _luck(self) -> Luck:
        if self._safe or not self._faulty:
            return Luck.WELL
        if self._chance.strikes(Fault.FULL_DISK):
            return Luck.FULL
        if self._chance.strikes(Fault.CRASH):
            return self._chance.pick(Fault.CRASH, (Luck.DIES_BEFORE, Luck.DIES_AFTER))
        return Luck.WELL

    def _restart(self) -> None:
        """A new daemon on the same disk; whatever the old one knew besides is gone."""
        self.crashes += 1
        self._desk = self._new_desk()
        self._start()

    def _new_desk(self) -> Desk:
        return Desk(cast("Store", self.disk), self.disk.load(), self._perform, clock=lambda: self.now)

    def _start(self) -> None:
        """As `Daemon._begin` and `Rollbacks.begin` do it; and what the reader says first."""
        self._safe = True
        self._take(self._settings())
        busy = {one.id for one in self.state.releases.values() if one.rollback.state in _UNDER_WAY}
        self._withdrawn = self._dispatcher.keep(busy, self.now)
        self._take(self._batch(self.place))
        self._safe = False


def past_of(release: ReleaseId) -> Baseline:
    """What was before a release: mostly enough, sometimes nothing; of a job with runs for every other one."""
    number = int(release.rpartition("-")[2])
    if number % 5 == 4:
        return baseline(minutes=0, whole="0s")
    runs = (1, 60) if number % 2 else None
    return baseline(error_minutes=number % 3, kinds=("old",), runs=runs)
