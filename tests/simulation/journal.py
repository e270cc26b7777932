"""The journal of a run: entries of several jobs and the holes between them, in the order in which they were stored.

Nobody has to wait for it: it is whole from the start, and each item has the second at which it arrives.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from tests.events import ERROR, HELLO, ODD, PANIC, START, began, error, match, run
from tests.simulation.chance import Chance, Fault
from tests.simulation.jobs import JOBS
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.found import ErrorSeen, Found, JobTally, Match, RunOutcome
from watcher.core.messages import BatchRead
from watcher.core.names import JobName
from watcher.core.severity import Severity

BEGIN, END = -40, 160
"""The time in which something is logged, in units; the first release is registered at 0."""
KINDS = ("old", "new", "newer")
_FIRED = ((ERROR,), (ERROR,), (PANIC,), (ODD,), (ODD, ERROR), (HELLO, ODD))
_OUTCOMES = (RunOutcome.SUCCEEDED, RunOutcome.SUCCEEDED, RunOutcome.STOPPED, RunOutcome.SKIPPED)
_REASONS = (GapReason.MISSING, GapReason.CURSOR, GapReason.DROPPED, GapReason.SUSPECT, GapReason.UNREADABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: whose it is, its stamp, and what the reader finds in it."""

    arrives: int
    at: Usec
    jobs: tuple[JobName, ...]
    found: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Something is missing here, and that is noticed."""

    arrives: int
    gap: Gap


Item = Entry | Hole


def is_step(item: Item) -> TypeGuard[Hole]:
    """Whether the wall clock was set here: what is in front of it is by the old one, what is behind it by the new."""
    return isinstance(item, Hole) and item.gap.step != 0


@dataclass(slots=True)
class Clock:
    """The wall clock: where it stood at each true second."""

    unit: int
    steps: list[tuple[int, int]] = field(default_factory=lambda: [(-(10**9), 0)])

    def wall(self, true: int) -> Usec:
        """The instant that is read off at the true second `true`."""
        offset = self.steps[bisect_right(self.steps, (true, 10**9)) - 1][1]
        return Usec(START + (true + offset) * SECOND)

    def step(self, true: int, by: int) -> None:
        """From that second on it shows `by` seconds more."""
        self.steps.append((true, self.steps[-1][1] + by))


class Journal:
    """The items in their order; an index is a place before the item of that number."""

    def __init__(self, items: list[Item], clock: Clock) -> None:
        self.items = items
        self.clock = clock
        self._arrivals = [one.arrives for one in items]
        self._oldest: list[Usec] = []
        """Of each place, the stamp of the oldest item behind it."""
        oldest = Usec(2**62)
        for one in reversed(items):
            if is_step(one):  # what comes after it is by another clock
                oldest = Usec(one.gap.since if one.gap.step > 0 else one.gap.until)
            else:
                oldest = min(oldest, one.at if isinstance(one, Entry) else one.gap.since)
            self._oldest.append(oldest)
        self._oldest.reverse()
        self._oldest.append(Usec(2**62))

    def arrived(self, true: int) -> int:
        """The place behind everything that was there before that second: what is taken in is never from now."""
        return bisect_left(self._arrivals, true)

    def cut(self, first: int, last: int) -> int:
        """Where a batch from `first` on ends, at `last` at the latest: a step of the clock begins one."""
        steps = (place for place in range(first + 1, last) if is_step(self.items[place]))
        return next(steps, last)

    def has_step(self, first: int, last: int) -> bool:
        """Whether the clock was set between these two places."""
        return any(is_step(self.items[place]) for place in range(first, last))

    def read_until(self, place: int, true: int) -> Usec:
        """Everything older than this has been read by whoever stands at `place`: what the reader promises."""
        if self.has_step(place, self.arrived(true)):
            return self._oldest[place]  # the clock by which it was read is not the one of now
        return min(self._oldest[place], self.clock.wall(true))

    def batch(self, first: int, last: int, *, true: int, jobs: Collection[JobName], read_until: Usec) -> BatchRead:
        """The items of `[first, last)` as the reader sends them, of the configured jobs only."""
        found: list[Found] = []
        logged: list[tuple[JobName, Usec]] = []
        gaps: list[Gap] = []
        last_at = None
        for item in self.items[first:last]:
            if isinstance(item, Hole):
                if item.gap.job is None or item.gap.job in jobs:
                    gaps.append(item.gap)
                continue
            last_at = item.at
            logged += [(job, item.at) for job in item.jobs if job in jobs]
            found += [one for one in item.found if one.job in jobs]
        return BatchRead(
            at=self.clock.wall(true),
            read_until=read_until,
            last_entry_at=last_at,
            tallies=tuple(JobTally(job=job, entries=1, first_at=at, last_at=at) for job, at in logged),
            found=tuple(found),
            gaps=tuple(gaps),
            position=str(last) if last > first else None,
        )


@dataclass(slots=True)
class _Life:
    """The invocation of a job that is at work, None while there is none."""

    number: int = 0
    begun: Usec | None = None
    seen: bool = True
    alive: bool = False
    bad: float = 0.4


class Grower:
    """Lets a journal grow, item by item."""

    def __init__(self, chance: Chance, unit: int) -> None:
        self._chance, self._world, self._unit = chance, chance.of_world, unit
        self._clock = Clock(unit)
        self._items: list[Item] = []
        self._lives = {job: _Life() for job in JOBS}
        self._true = BEGIN * unit

    def grow(self) -> Journal:
        """All of it."""
        world = self._world
        steps = (0, 1, 1, 2, 3, 5, 8) if world.random() < 0.7 else (0, 0, 0, 1, 2)
        while self._true < END * self._unit:
            self._true += world.choice(steps) * self._unit if world.random() < 0.97 else 40 * self._unit
            self._trouble()
            self._live(world.choices(JOBS, (5, 3, 1))[0])
        return Journal(self._items, self._clock)

    def _live(self, job: JobName) -> None:
        world, life = self._world, self._lives[job]
        if world.random() < 0.08:
            life.bad = world.choice((0.0, 0.2, 0.6, 0.95))
        what = world.random()
        if what < 0.2:
            self._add(job)
        elif what < 0.55:
            self._errors(job, life)
        elif life.alive:
            self._end(job, life)
        else:
            self._begin(job, life)

    def _errors(self, job: JobName, life: _Life) -> None:
        world = self._world
        if world.random() >= life.bad:
            expected = Match(
                job=job, rules=(), severity=Severity.INFO, at=self._now(), cursor="", is_expected=world.random() < 0.3
            )
            self._add(job, *self._of_run([expected] if expected.is_expected else [], life))
            return
        fired = match(self._now(), *world.choice(_FIRED), job=job)
        found: list[Match | ErrorSeen] = [fired]
        if fired.severity.at_least(Severity.ERROR):
            found.append(error(self._now(), world.choice(KINDS), job=job))
        self._add(job, *self._of_run(found, life))

    def _of_run(self, found: list[Match | ErrorSeen], life: _Life) -> list[Match | ErrorSeen]:
        """Of the invocation at work; sometimes of nobody, as lines about a job may be."""
        if not life.alive or self._world.random() < 0.1:
            return found
        return [replace(one, invocation=f"run-{life.number}", began=life.begun) for one in found]

    def _begin(self, job: JobName, life: _Life) -> None:
        life.number, life.alive, life.begun = life.number + 1, True, None
        if self._world.random() < 0.2:  # a service may log before PID 1 says that it started it
            self._errors(job, life)
        if not self._chance.strikes(Fault.UNSEEN_BEGIN):
            life.begun = self._add(job, began(self._now(), life.number, job=job))

    def _end(self, job: JobName, life: _Life) -> None:
        failed = self._world.random() < life.bad
        outcome = RunOutcome.FAILED if failed else self._world.choice(_OUTCOMES)
        found: list[Found] = [run(self._now(), life.number, since=life.begun, outcome=outcome, job=job)]
        if failed and self._world.random() < 0.5:  # the entry that tells of it is an error by itself
            told = match(self._now(), PANIC, job=job)
            found.append(replace(told, invocation=f"run-{life.number}", began=life.begun))
        life.alive = False
        self._add(job, *found)

    def _trouble(self) -> None:
        chance = self._chance
        if chance.strikes(Fault.GAP):
            lasted = chance.pick(Fault.GAP, (0, 1, 10)) * self._unit * SECOND
            job = chance.pick(Fault.GAP, (None, *JOBS))
            self._hole(chance.pick(Fault.GAP, _REASONS), Usec(self._now() - lasted), self._now(), job=job)
        if chance.strikes(Fault.CLOCK_STEP):
            self._step(chance.pick(Fault.CLOCK_STEP, (5, 30, 5_000)) * self._unit)
        if chance.strikes(Fault.CLOCK_BACK):
            self._step(-chance.pick(Fault.CLOCK_BACK, (2, 10, 50)) * self._unit)
        if chance.strikes(Fault.REBOOT):
            for life in self._lives.values():
                life.alive = False

    def _step(self, by: int) -> None:
        """The wall clock is set in the middle of a second; an entry stands right before that, and one shows it at once.

        In the middle, as an instant that both clocks show would tell nobody by which of them it is.
        """
        job, before, arrives = JOBS[-1], Usec(self._now() + SECOND // 2), self._true
        after = Usec(before + by * SECOND)
        gap = Gap(reason=GapReason.CLOCK, since=min(before, after), until=max(before, after), step=by * SECOND)
        self._items.append(Entry(arrives=arrives, at=before, jobs=(job,)))
        self._items.append(Hole(arrives=arrives, gap=gap))
        self._items.append(Entry(arrives=arrives, at=after, jobs=(job,)))
        self._true += 1
        self._clock.step(self._true, by)
        for life in self._lives.values():
            life.begun = None if life.begun is None else Usec(life.begun + by * SECOND)

    def _hole(self, reason: GapReason, since: Usec, until: Usec, *, job: JobName | None = None) -> None:
        entries = 3 if reason is GapReason.MISSING else None
        gap = Gap(reason=reason, since=since, until=until, entries=entries, job=job)
        self._items.append(Hole(arrives=self._true, gap=gap))

    def _now(self) -> Usec:
        return self._clock.wall(self._true)

    def _add(self, job: JobName, *found: Found) -> Usec:
        at, owners = self._now(), [job]
        if self._chance.strikes(Fault.LATE_STAMP):
            at = Usec(at - self._chance.among(Fault.LATE_STAMP, 1, 4) * self._unit * SECOND)
        cursor = f"entry-{len(self._items)}"
        mine = [replace(one, at=at, cursor=cursor) for one in found]
        if mine and self._chance.strikes(Fault.SHARED_ENTRY):
            other = self._chance.pick(Fault.SHARED_ENTRY, [one for one in JOBS if one != job])
            owners = [job, other]
            mine += list(_shared(mine, other))
        self._items.append(Entry(arrives=self._true, at=at, jobs=tuple(owners), found=tuple(mine)))
        return at


def _shared(found: list[Found], other: JobName) -> Iterator[Found]:
    """What an entry tells of the second job that it belongs to: the match, of no run of that job."""
    for one in found:
        if isinstance(one, Match):
            yield replace(one, job=other, invocation="", began=None)
