"""One run: the world of a seed is played, every invariant is looked at after each step, and at last all faults stop."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from traceback import format_exception

from tests.playbook import Story, transcript
from tests.simulation import invariants
from tests.simulation.chance import MACHINE, Chance, Fault
from tests.simulation.dispatcher import Dispatcher
from tests.simulation.invariants import Broken
from tests.simulation.journal import END
from tests.simulation.ledger import Book
from tests.simulation.machine import Machine
from tests.simulation.script import Dispatch, Fate, Script, Step, write
from watcher.core.messages import BaselineRead, Event, Transition, TransitionKind
from watcher.core.names import ReleaseId
from watcher.core.reason import ReasonCode
from watcher.core.release import Phase, Release, RollbackState
from watcher.core.state import Decision, Series, State

_CALM = 8
"""Steps without faults after which everything must have come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An invariant is broken: at this step of so many, with these faults at work and this having happened before."""

    seed: int
    step: int
    steps: int
    what: str
    faults: tuple[Fault, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What a run came to, for the tally: verdicts, starts of commands, crashes, decisions."""

    verdicts: tuple[str, ...]
    starts: int
    crashes: int
    decisions: int


class Run:
    """The world of one script and what was decided in it."""

    def __init__(self, script: Script, chance: Chance) -> None:
        self.script, self.chance = script, chance
        self.number = 0
        self.decided: list[tuple[Event, Decision]] = []
        self.dispatcher = Dispatcher(careful=script.races)
        self._known: Mapping[ReleaseId, Release] = {}
        self._ends: dict[ReleaseId, object] = {}
        self._counters: Mapping[Series, int] = {}
        self.book = Book(
            items=script.journal.items,
            read=script.first_place,
            policies=script.policies,
            time_runs_on=script.time_runs_on,
        )
        self.machine = Machine(script, chance, self.dispatcher, self._hear)

    def play(self, *, faulty: bool, steps: int | None = None) -> None:
        """Everything, or so many steps; then the calm. Raises Broken, and whatever the core raises."""
        self.machine.begin(faulty=faulty)
        for self.number, step in enumerate(self.script.steps[:steps]):  # noqa: B020 - where it broke is told by it
            self.book.true = step.true
            self.machine.play(step, self.number)
            self._look()
        self._calm()

    def lines(self) -> list[str]:
        """What happened so far."""
        return transcript(Story(State(), tuple(self.decided)))

    def _calm(self) -> None:
        self.machine.calm()
        true = END * self.script.unit
        for _ in range(_CALM):
            true += 80 * self.script.unit
            self.number += 1
            place, self.book.true = len(self.script.journal.items), true
            self.machine.play(Step(true=true, place=place, act=Dispatch((Fate.START, Fate.SUCCEED))), self.number)
        self._look()
        records = self.machine.disk.releases
        invariants.every_decision_has_its_end(records, self.dispatcher)
        invariants.what_ran_is_known(records, self.dispatcher, races=self.script.races)

    def _look(self) -> None:
        """What holds after every step."""
        invariants.a_command_starts_at_most_once(self.dispatcher)
        counters = self.machine.state.counters
        if counters is not self._counters:  # frozen: the same one holds the same
            invariants.counters_are_exact(self.book, counters)
            invariants.counters_never_fall(self._counters, counters)
            self._counters = counters

    def _hear(self, event: Event, decision: Decision) -> None:
        """A decision stands: judged by what was known before it, then written into the book."""
        self.decided.append((event, decision))
        book = self.book
        invariants.a_refusal_changes_nothing(decision)
        invariants.the_same_registration_has_the_same_answer(book, event, decision)
        invariants.what_is_adopted_is_stored(self.machine.disk.releases, decision)
        if decision.position is not None:
            book.advance(int(decision.position))
        if isinstance(event, BaselineRead):
            book.know(event)
        releases = {**self._known, **{one.id: one for one in decision.changed}}
        invariants.a_pause_holds(book, event, decision, releases)
        for one in decision.transitions:
            if one.release is not None and (not one.author or _follows_from_a_verdict(one)):
                self._judge(event, one, releases[one.release])
            book.follow(one, event)
        for release in decision.changed:
            invariants.what_ended_stays(self._ends, release)
        book.note(event, decision)
        self._known = decision.state.releases

    def _judge(self, event: Event, one: Transition, release: Release) -> None:
        """What the daemon has decided by itself."""
        book = self.book
        match one.kind, one.after:
            case TransitionKind.PHASE, Phase.FAILED:
                invariants.a_failure_has_its_crossing(book, release)
            case TransitionKind.PHASE, Phase.PASSED | Phase.INCONCLUSIVE:
                invariants.no_failure_is_missed(book, release)
            case TransitionKind.ROLLBACK, RollbackState.QUEUED:
                invariants.an_automatic_rollback_is_allowed(book, event, one, release)
            case TransitionKind.VERIFICATION, _:
                invariants.a_verification_is_a_window(book, release)
            case _:
                pass


def simulate(seed: int, without: frozenset[Fault] = frozenset(), steps: int | None = None) -> Came | Failure:
    """Play the world of the seed, and once more without the machine's faults where both must come to the same."""
    chance = Chance(seed, without=without)
    script = write(chance)
    run = Run(script, chance)
    try:
        run.play(steps=steps, faulty=True)
        if not script.races and chance.faults & MACHINE:
            _compare(run, steps)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its seed
        return _failure(run, chance, error, steps)
    return _came(run)


def retell(seed: int) -> list[str]:
    """What happens in the world of a seed, an event and what was decided about it a line each."""
    chance = Chance(seed)
    run = Run(write(chance), chance)
    with suppress(Exception):  # `simulate` tells it
        run.play(faulty=True)
    return run.lines()


def _compare(run: Run, steps: int | None) -> None:
    """With the same world without the machine's faults."""
    twin = Run(run.script, run.chance)
    twin.play(steps=steps, faulty=False)
    one, other = run.machine.disk, twin.machine.disk
    invariants.crashes_start_nothing(run.dispatcher, twin.dispatcher)
    invariants.crashes_change_nothing(one.releases, other.releases)
    invariants.crashes_count_nothing(one.counters, other.counters)


def _came(run: Run) -> Came:
    releases = run.machine.disk.releases.values()
    return Came(
        verdicts=tuple(str(one.verdict or one.phase) for one in releases),
        starts=sum(run.dispatcher.starts.values()),
        crashes=run.machine.crashes,
        decisions=len(run.decided),
    )


def _failure(run: Run, chance: Chance, error: Exception, steps: int | None) -> Failure:
    what = str(error) if isinstance(error, Broken) else "".join(format_exception(error))
    return Failure(
        seed=chance.seed,
        step=run.number,
        steps=len(run.script.steps) if steps is None else steps,
        what=what,
        faults=tuple(sorted(chance.faults)),
        lines=tuple(run.lines()),
    )


def _follows_from_a_verdict(one: Transition) -> bool:
    """A rollback by the mode of the job, though a person has said that the release failed."""
    codes = {reason.code for reason in one.reasons}
    return one.kind is TransitionKind.ROLLBACK and ReasonCode.FAILED_BY_PERSON in codes
