"""A trial: a span in which a job is judged, and all that was seen in it.

A release has one for its watch window. Pure data; `core/weighing.py` holds the journal against it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watcher.core.baseline import Baseline
from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.found import ErrorSeen, Match
from watcher.core.names import RuleName
from watcher.core.policy import Threshold
from watcher.core.reason import Reason
from watcher.core.runs_seen import NO_RUNS, RunsSeen
from watcher.core.thresholds import Count, begun, lookback, stepped

Entry = Match | ErrorSeen
"""What one entry of the journal gives, by one of the job's invocations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A match that was held against the release: enough to read the line again from the journal."""

    rules: tuple[RuleName, ...]
    at: Usec
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something that waits for the baseline: which of its threshold's, and which of the trial's counts that is."""

    threshold: int
    place: int
    at: Usec


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """What was known of other jobs from the `place`th on of what waits for a threshold: a shared cause, None for none.

    Its span is left out; it is another one for each place.
    """

    threshold: int
    place: int
    cause: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One span under judgement, `[start, end)`; all three instants are None until its clock starts.

    What lies before `settles_at` is counted apart and held against nobody. `counts` are the thresholds with what
    counts towards each, in the order of the configuration. `heard`: the job logged something at all.
    `baseline` is what was before the release.

    Invocations that began before `since` are old: what they log and how they end is told apart (`old_matches`,
    `runs.old_…`) and held against nobody, unless `blames_all`; with None there are no old ones. `unclear` are the
    entries of invocations whose begin was not seen: they are old, unless their begin is yet to come (a service may log
    before PID 1 says that it started it). With `must_run` one that is not old has to be seen. With `runs_wanted` the
    trial is over at the end of so many runs, which is `over_at`. `expected` counts expected lines.
    `is_overread`: entries of the job from beyond its end have been read while it stays open, and nobody judged them.
    `let_go` are the invocations of what found no room in `unclear`, with how many, and "" for further ones; once
    such an invocation turns out to have begun since the release, they are `unjudged`.
    `witnessed` is what was known of other jobs as what waits for the baseline came in.
    """

    counts: tuple[Count, ...]
    start: Usec | None = None
    settles_at: Usec | None = None
    end: Usec | None = None
    matches: tuple[tuple[RuleName, int], ...] = ()
    settling: int = 0
    heard: bool = False
    sightings: tuple[Sighting, ...] = ()
    gaps: tuple[Gap, ...] = ()
    rules_changed_at: Usec | None = None
    baseline: Baseline | None = None
    since: Usec | None = None
    blames_all: bool = False
    runs_wanted: int | None = None
    must_run: bool = False
    over_at: Usec | None = None
    runs: RunsSeen = NO_RUNS
    old_matches: tuple[tuple[RuleName, int], ...] = ()
    unclear: tuple[Entry, ...] = ()
    expected: int = 0
    is_overread: bool = False
    let_go: tuple[tuple[str, int], ...] = ()
    unjudged: int = 0
    witnessed: tuple[Witnessed, ...] = ()

    def started(self, at: Usec, *, length: Usec, settle: Usec) -> Trial:
        """This trial with its clock started at `at`."""
        return replace(self, start=at, settles_at=Usec(at + settle), end=Usec(at + length))

    def stepped(self, gap: Gap) -> Trial:
        """This trial once the wall clock was set: as long as before, and all its instants by the new clock.

        The same one if it began by the new clock, or has not begun.
        """
        begun = self.since if self.start is None else self.start
        if not gap.step or begun is None or gap.is_by_new_clock(begun):
            return self
        step = gap.step
        return replace(
            self,
            counts=tuple(stepped(count, step) for count in self.counts),
            unclear=tuple(replace(one, at=Usec(one.at + step)) for one in self.unclear),
            start=_moved(self.start, step),
            settles_at=_moved(self.settles_at, step),
            end=_moved(self.end, step),
            since=_moved(self.since, step),
            over_at=_moved(self.over_at, step),
        )

    @property
    def lookback(self) -> Usec | None:
        """How much of the past its thresholds have to know, None where none asks."""
        return max((span for count in self.counts if (span := lookback(count)) is not None), default=None)

    @property
    def waits(self) -> bool:
        """Whether the baseline is still to be read: until then it can't end."""
        return self.baseline is None and self.lookback is not None

    def covers(self, at: Usec) -> bool:
        """Whether an instant lies in the span; none does before the clock has started."""
        end = self.closes_at
        return self.start is not None and end is not None and self.start <= at < end

    @property
    def closes_at(self) -> Usec | None:
        """When it is over: at its planned end, or where the last run ended that it waited for."""
        return self.end if self.over_at is None else self.over_at

    def is_old(self, began: Usec | None) -> bool:
        """Whether an invocation that began then is an old one; of None (not seen) it is."""
        return not self.blames_all and self.since is not None and (began is None or began < self.since)


def new_trial(
    thresholds: tuple[Threshold, ...],
    *,
    since: Usec | None = None,
    blames_all: bool = False,
    runs_wanted: int | None = None,
    must_run: bool = False,
) -> Trial:
    """A trial that has seen nothing yet; what begins at `since` or later is new."""
    return Trial(
        counts=begun(thresholds), since=since, blames_all=blames_all, runs_wanted=runs_wanted, must_run=must_run
    )


def _moved(at: Usec | None, step: int) -> Usec | None:
    return None if at is None else Usec(at + step)
