"""Hypothesis strategies: journals, how they are cut into batches, and whole stories.

A journal keeps the reader's promises and no more: entries mostly in order with a clock that is sometimes set back,
holes where they were noticed, and never an entry older than what was said to be read. Instants are few and round, so
that limits, ends and spans are often hit exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from tests.events import (
    ERROR,
    HELLO,
    JOB,
    NEXT,
    ODD,
    OTHER_JOB,
    PANIC,
    RELEASE,
    START,
    match,
    observed,
    pause,
    person,
    policy,
    release,
    request,
    resume,
    reviewed,
    settings,
    tallies,
)
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.found import JobTally
from watcher.core.messages import BatchRead, Event, Judgement
from watcher.core.names import JobName, RuleName
from watcher.core.policy import JobPolicy, MatchThreshold, Mode
from watcher.core.release import RollbackState
from watcher.core.severity import Severity

LONGEST = 90
"""Seconds that a journal lasts; windows have 60 of them."""
TALLY_WIDTH = Usec(10 * SECOND)
"""The reader's tallies are narrower than any window, so first and last entry tell whether one lies inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the journal, with the rules that fire on it."""

    job: JobName
    at: Usec
    rules: tuple[RuleName, ...] = ()


Item = Entry | Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A piece of the journal that was taken in at one instant, and what else happened right after it."""

    items: tuple[Item, ...]
    read_until: Usec
    taken: Usec
    then: Event | None = None


def seconds(first: int = 0, last: int = LONGEST) -> st.SearchStrategy[Usec]:
    """An instant, whole seconds after `START`."""
    return st.integers(first, last).map(lambda number: Usec(START + number * SECOND))


# Strategies are built once, here: building them anew for each example costs more than the stories that they make.

_LIMITS = st.builds(
    lambda count, within, what: MatchThreshold(
        count=count,
        within=within,
        rule=None if isinstance(what, Severity) else what,
        severity=what if isinstance(what, Severity) else None,
    ),
    st.integers(1, 3),
    st.sampled_from([None, Usec(10 * SECOND), Usec(30 * SECOND)]),
    st.sampled_from([ERROR, ODD, *Severity]),
)

_POLICIES = st.builds(
    lambda limits, mode, settle, verify: policy(
        thresholds=tuple(limits), mode=mode, settle=settle, window="60s", verify=verify
    ),
    st.lists(_LIMITS, min_size=1, max_size=3),
    st.sampled_from([Mode.ROLLBACK, Mode.ROLLBACK, Mode.ASK, Mode.OBSERVE]),
    st.sampled_from(["0s", "10s"]),
    st.sampled_from([None, "5s", "30s"]),
)

_FIRED = ((), (), (ERROR,), (ERROR,), (PANIC,), (ODD,), (ODD, ERROR), (HELLO, ODD))
"""What fires on an entry; twice what is to be frequent."""

_ENTRIES = st.builds(
    lambda job, at, rules: Entry(job=job, at=at, rules=rules),
    st.sampled_from([JOB, JOB, OTHER_JOB]),
    seconds(-5),
    st.sampled_from(_FIRED),
)

_HOLES = st.builds(
    lambda since, length, entries, job: Gap(
        reason=GapReason.MISSING, since=since, until=Usec(since + length * SECOND), entries=entries, job=job
    ),
    seconds(-5),
    st.integers(0, 10),
    st.sampled_from([None, 4]),
    st.sampled_from([None, JOB, OTHER_JOB]),
)

_SEEN_WHOLE = st.lists(_ENTRIES, max_size=6) | st.lists(_ENTRIES, min_size=6, max_size=16)
_SEEN_WITH_HOLES = st.builds(lambda items, gaps: [*items, *gaps], _SEEN_WHOLE, st.lists(_HOLES, max_size=2))


def policies() -> st.SearchStrategy[JobPolicy]:
    """A job with up to three limits, on rules and on severities, any mode, and a window of 60 seconds."""
    return _POLICIES


def holes() -> st.SearchStrategy[Gap]:
    """A hole of some length, of one job or of all."""
    return _HOLES


@st.composite
def journals(draw: st.DrawFn, *, with_holes: bool = True, set_back: bool = True) -> tuple[Item, ...]:
    """A journal: in order, but for a place where the clock was set back."""
    items: list[Item] = sorted(draw(_SEEN_WITH_HOLES if with_holes else _SEEN_WHOLE), key=instant_of)
    if set_back and len(items) > 1:
        place = draw(st.integers(0, len(items) - 1))
        items[place - 1 : place + 1] = items[place - 1 : place + 1][::-1]  # nothing where `place` is 0
    return tuple(items)


_WHICH = st.sampled_from([RELEASE, RELEASE, RELEASE, NEXT])
_WHOSE = st.sampled_from([None, JOB])
_OBSERVED = st.sampled_from(
    [RollbackState.RUNNING, RollbackState.RUNNING, RollbackState.SUCCEEDED, RollbackState.FAILED, RollbackState.UNKNOWN]
).map(lambda state: lambda at: observed(state, at=at, started=at, finished=at))

_HAPPENINGS: st.SearchStrategy[Callable[[Usec], Event] | None] = st.one_of(
    st.none(),
    _OBSERVED,
    _OBSERVED.map(lambda make: make),  # twice, as it is the only way on from `queued`
    st.builds(
        lambda judgement, one: lambda at: person(judgement, one, at=at, by="20s"), st.sampled_from(Judgement), _WHICH
    ),
    st.builds(
        lambda one, length: lambda at: pause(one, at=at, until=Usec(at + length) if length else None),
        _WHOSE,
        st.sampled_from([None, 20 * SECOND]),
    ),
    _WHOSE.map(lambda one: lambda at: resume(one, at=at)),
    st.just(lambda at: reviewed(RELEASE, NEXT, at=at)),
    st.just(lambda at: release(request(version="2.1"), fresh_id=NEXT, at=at)),
    st.just(lambda at: release(request(JobName("nobody")), fresh_id=NEXT, at=at)),
    st.just(lambda at: settings(policy(rules_hash="rules-2"), policy(job=OTHER_JOB), at=at)),
)
"""Whatever but the journal may happen to the daemon, at an instant that is still to be given."""

_LATE = st.sampled_from([0, 0, 0, 3_700, 86_400])


@st.composite
def stories(draw: st.DrawFn, *, with_holes: bool = True) -> tuple[JobPolicy, tuple[Chapter, ...]]:
    """A job, whose release was registered at `START`, and everything that happened then.

    The daemon sees it live, an hour late or a day late.
    """
    terms, items, late = draw(_POLICIES), draw(journals(with_holes=with_holes)), draw(_LATE)
    happened = draw(st.lists(_HAPPENINGS, min_size=1, max_size=5))
    cuts = [0, *sorted(draw(st.integers(0, len(items))) for _ in happened[1:]), len(items)]
    chapters, taken = [], START
    for (first, last), make in zip(pairwise(cuts), happened, strict=True):
        piece, rest = items[first:last], items[last:]
        taken = max([taken, *(Usec(instant_of(one) + late * SECOND) for one in piece)])
        read_until = min([Usec(START + (LONGEST + 30) * SECOND), *(instant_of(one) for one in rest)])
        then = None if make is None else make(taken)
        chapters.append(Chapter(items=piece, read_until=read_until, taken=taken, then=then))
    return terms, tuple(chapters)


def instant_of(item: Item) -> Usec:
    """Where an item stands in time."""
    return item.at if isinstance(item, Entry) else item.since


def read(chapters: Iterable[Chapter], *, cuts: Callable[[int], Sequence[int]] = lambda _: ()) -> list[Event]:
    """The events of a story, each chapter read in one batch, or cut where `cuts` says for so many items.

    A place that is named twice gives an empty batch.
    """
    events: list[Event] = []
    for chapter in chapters:
        places = sorted(cuts(len(chapter.items)))
        for first, last in zip([0, *places], [*places, len(chapter.items)], strict=True):
            rest = (instant_of(one) for one in chapter.items[last:])
            events.append(batch_of(chapter.items[first:last], min([chapter.read_until, *rest]), chapter.taken))
        if chapter.then is not None:
            events.append(chapter.then)
    return events


def batch_of(items: Sequence[Item], read_until: Usec, taken: Usec) -> BatchRead:
    """One batch as the reader sends it: narrow tallies, all matches, the holes."""
    found = [one for one in items if isinstance(one, Entry)]
    return BatchRead(
        at=taken,
        read_until=read_until,
        last_entry_at=found[-1].at if found else None,
        tallies=_narrow(found),
        found=tuple(match(one.at, *one.rules, job=one.job) for one in found if one.rules),
        gaps=tuple(one for one in items if isinstance(one, Gap)),
        position=f"after {found[-1].at}" if found else None,
    )


def _narrow(found: Sequence[Entry]) -> tuple[JobTally, ...]:
    """One tally for each job and stretch of `TALLY_WIDTH`."""
    stretches: dict[int, list[tuple[JobName, Usec]]] = {}
    for one in found:
        stretches.setdefault(one.at // TALLY_WIDTH, []).append((one.job, one.at))
    return tuple(tally for stretch in stretches.values() for tally in tallies(stretch))
