"""What happens in a run besides the journal: people, configurations, the dispatcher, and when the daemon reads.

A script is made before it is played, from the seed alone: the same world can so be played with and without the faults
of the machine, and both must come to the same end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tests.events import PERSON
from tests.simulation.chance import Chance, Fault
from tests.simulation.jobs import JOBS, changed, draw_policy
from tests.simulation.journal import END, Grower, Journal
from watcher.core.duration import SECOND, Usec
from watcher.core.messages import Judgement
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import JobPolicy, Mode
from watcher.core.release import ReleaseRequest

UNITS = (1, 1, 1, 10, 60)
STEPS = 26


class Fate(StrEnum):
    """What the dispatcher does when it is its turn."""

    IDLE = "idle"
    START = "start"
    CLAIM = "claim"  # and dies before the command is started
    REFUSE = "refuse"
    SUCCEED = "succeed"
    FAIL = "fail"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Register:
    """Somebody registers a release; `fresh_id` is for one that brings none."""

    request: ReleaseRequest
    fresh_id: ReleaseId


@dataclass(frozen=True, slots=True)
class Deploy:
    """A prepared release is out."""

    release: ReleaseId


@dataclass(frozen=True, slots=True)
class Judge:
    """A person decides."""

    release: ReleaseId
    judgement: Judgement
    by: Usec


@dataclass(frozen=True, slots=True)
class Pause:
    """Rollbacks are held, for so long or until somebody resumes."""

    job: JobName | None
    length: Usec | None


@dataclass(frozen=True, slots=True)
class Resume:
    """Rollbacks may happen again."""

    job: JobName | None


@dataclass(frozen=True, slots=True)
class Reload:
    """Another configuration."""

    policies: dict[JobName, JobPolicy]
    budget: int


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The dispatcher's turns, one after the other."""

    fates: tuple[Fate, ...]


Act = Register | Deploy | Judge | Pause | Resume | Reload | Dispatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """At the second `true` the daemon reads up to `place` (None: it lags), then the act.

    `down`: there is no daemon; only the dispatcher works. `disarmed`: the off switch is on. `race`: the dispatcher
    reads an order in the very moment in which it is taken back.
    """

    true: int
    place: int | None
    act: Act | None
    down: bool = False
    disarmed: bool = False
    race: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A whole run. `baselines` says for each release after how many steps its past is known (None: never)."""

    seed: int
    unit: int
    journal: Journal
    policies: dict[JobName, JobPolicy]
    budget: int
    steps: tuple[Step, ...]
    baselines: dict[ReleaseId, int | None]
    bad_pasts: frozenset[ReleaseId]
    time_runs_on: bool
    """Whether the clock is never set back."""
    races: bool
    first_place: int
    """Where the daemon begins to read: at the head of the journal, or where it stands just before the first step."""


def write(chance: Chance) -> Script:
    """The script of a seed."""
    world = chance.of_world
    unit = world.choice(UNITS)
    policies = {job: draw_policy(world, job, unit) for job in JOBS[: world.choice((1, 2, 3, 3))]}
    journal = Grower(chance, unit).grow()
    author = _Author(chance, unit, journal, policies)
    steps = author.steps()
    return Script(
        seed=chance.seed,
        unit=unit,
        journal=journal,
        policies=policies,
        budget=world.choice((1, 3, 3, 100)),
        steps=steps,
        baselines=author.baselines,
        bad_pasts=frozenset(author.bad_pasts),
        time_runs_on=Fault.CLOCK_BACK not in chance.faults,
        races=Fault.RACE in chance.faults,
        first_place=world.choice((0, journal.arrived(-1))),
    )


class _Author:
    def __init__(self, chance: Chance, unit: int, journal: Journal, policies: dict[JobName, JobPolicy]) -> None:
        self._chance, self._world, self._unit, self._journal = chance, chance.of_world, unit, journal
        self._policies = policies
        self._requests: list[ReleaseRequest] = []
        self._ids: list[ReleaseId] = []
        self._reloads = 0
        self.baselines: dict[ReleaseId, int | None] = {}
        self.bad_pasts: set[ReleaseId] = set()

    def steps(self) -> tuple[Step, ...]:
        """One after the other, the first a registration at 0."""
        world, chance, last = self._world, self._chance, END * self._unit
        times = sorted(world.randint(0, last) for _ in range(STEPS))
        steps = [Step(true=0, place=self._journal.arrived(0), act=self._register())]
        down = 0
        for true in times:
            if chance.strikes(Fault.OUTAGE):
                down = chance.among(Fault.OUTAGE, 1, 4)
            lags = down > 0 or chance.strikes(Fault.LAG)
            step = Step(
                true=true,
                place=None if lags else self._journal.arrived(true),
                act=self._act(),
                down=down > 0,
                disarmed=chance.strikes(Fault.DISARM),
                race=chance.strikes(Fault.RACE),
            )
            down -= 1
            steps.append(step)
        return tuple(steps)

    def _act(self) -> Act | None:
        chance, world = self._chance, self._world
        if chance.strikes(Fault.RELOAD):
            self._reloads += 1
            self._policies = changed(chance.stream(Fault.RELOAD), self._policies, self._unit, self._reloads)
            return Reload(self._policies, chance.pick(Fault.RELOAD, (1, 3, 100)))
        if chance.strikes(Fault.PAUSE):
            return self._pause()
        if chance.strikes(Fault.JUDGEMENT):
            which = chance.pick(Fault.JUDGEMENT, [*self._ids, *self._ids[-1:] * 3])
            judgement = chance.pick(Fault.JUDGEMENT, list(Judgement))
            return Judge(which, judgement, Usec(chance.among(Fault.JUDGEMENT, 1, 20) * self._unit * SECOND))
        what = world.random()
        if what < 0.12:
            return self._register()
        if what < 0.18:
            return self._again()
        if what < 0.3:
            return Deploy(world.choice(self._ids))
        return self._dispatch() if what < 0.75 else None

    def _pause(self) -> Act:
        chance = self._chance
        job = chance.pick(Fault.PAUSE, (None, *JOBS))
        if chance.among(Fault.PAUSE, 0, 2) == 0:
            return Resume(job)
        length = chance.pick(Fault.PAUSE, (None, 15, 60))
        return Pause(job, None if length is None else Usec(length * self._unit * SECOND))

    def _register(self) -> Register:
        world = self._world
        number = len(self._ids) + 1
        job = JOBS[0] if number == 1 else world.choices(JOBS, (4, 3, 1))[0]
        own_id = ReleaseId(f"{job}-{number}")
        window = world.choice((None, None, None, 20))
        request = ReleaseRequest(
            job=job,
            version=f"{number}.0" if world.random() < 0.85 else "1.0",
            author=PERSON,
            id=own_id if world.random() < 0.6 else None,
            mode=world.choice((None, None, None, None, None, None, *Mode)),
            window=None if window is None else Usec(window * self._unit * SECOND),
            prepare=world.random() < 0.25,
            force=world.random() < 0.3,
            reason="because",
        )
        self._ids.append(own_id)
        self._requests.append(request)
        self._plan_baseline(own_id)
        return Register(request, own_id)

    def _again(self) -> Act | None:
        """The same id once more, with the same content or with other."""
        own = [one for one in self._requests if one.id is not None]
        if not own:
            return None
        request = self._world.choice(own)
        if self._world.random() < 0.3:
            request = replace(request, version=f"{request.version}.1")
        return Register(request, ReleaseId("nobody-0"))

    def _plan_baseline(self, release: ReleaseId) -> None:
        late = self._chance.strikes(Fault.LATE_BASELINE)
        self.baselines[release] = self._chance.among(Fault.LATE_BASELINE, 1, 12) if late else 0
        if self._chance.strikes(Fault.NO_BASELINE):
            self.bad_pasts.add(release)
            if self._chance.among(Fault.NO_BASELINE, 0, 1):
                self.baselines[release] = None

    def _dispatch(self) -> Dispatch:
        chance, world = self._chance, self._world
        fates = [Fate.START, world.choice((Fate.SUCCEED, Fate.SUCCEED, Fate.FAIL, Fate.IDLE))]
        if chance.strikes(Fault.KILLED_COMMAND):
            fates[1] = Fate.KILL
        if chance.strikes(Fault.DYING_DISPATCHER):
            fates[0] = Fate.CLAIM
        if chance.strikes(Fault.REFUSAL):
            fates[0] = Fate.REFUSE
        return Dispatch(tuple(fates[: world.randint(1, 2)]))
