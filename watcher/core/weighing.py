"""A batch of the journal held against one trial: what it saw, what counts, and the first crossing.

By the entries' own instants, in the journal's order. How the journal was cut into batches, and when a batch was taken
in, changes neither reasons nor instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from watcher.core import thresholds
from watcher.core.baseline import Baseline
from watcher.core.duration import Usec
from watcher.core.found import ErrorSeen, Found, Match, RunBegan, RunEnded
from watcher.core.messages import BatchRead
from watcher.core.names import JobName
from watcher.core.new_errors import NewErrorCount
from watcher.core.reason import Reason
from watcher.core.thresholds import Counted
from watcher.core.trial import Entry, Place, Sighting, Trial

SIGHTINGS_KEPT = 5
"""How many of the first matches of a window are shown in its note with the lines around them."""
GAPS_KEPT = 50
"""How many gaps a record holds; one is enough to keep it from passing."""
UNCLEAR_KEPT = 50
"""How many entries of invocations whose begin was not seen wait for it, and of how many invocations further ones are
counted; older ones are taken for old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The trial with everything counted up to the end of the batch, or up to what ended it.

    That is the find that crossed thresholds, for `reasons`, or the last run that the window waited for. `put_by` is
    what waits for the baseline since this batch, with the find at which it came.
    """

    trial: Trial
    reasons: tuple[Reason, ...] = ()
    crossing: Found | None = None
    put_by: tuple[tuple[Found, Place], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The trial with its baseline. `first` is what crossed thresholds first, for `reasons`, of all that had waited."""

    trial: Trial
    reasons: tuple[Reason, ...] = ()
    first: Place | None = None


def weigh(trial: Trial, batch: BatchRead, *, job: JobName, found: Sequence[Found]) -> Weighed:
    """Hold a batch against the trial of `job`; `found` is what the batch holds of that job, in its order.

    Once the last run has ended that the trial waited for, only holes can still become known.
    """
    if trial.over_at is not None:
        return Weighed(trial=_see(trial, batch, job))
    count = _Count(trial)
    last: RunEnded | None = None  # the run that the window waited for
    for one in found:
        if last is not None and one.cursor != last.cursor:
            break  # the entry that ends the run may be an error by itself, and that is the release's
        for counted in count.take(one):
            reasons = count.hold(counted, one)
            if reasons:
                return Weighed(trial=_see(count.result(), batch, job), reasons=reasons, crossing=one)
        if last is None and isinstance(one, RunEnded) and count.is_over:
            last = one
    # the window ends before the instant of what filled it, but that was heard
    weighed = count.result() if last is None else replace(count.result(), over_at=last.at, heard=True)
    return Weighed(trial=_see(weighed, batch, job), put_by=tuple(count.put_by))


def _see(trial: Trial, batch: BatchRead, job: JobName) -> Trial:
    """The trial with what the batch says of its coverage."""
    start, end = trial.start, trial.closes_at
    if start is None or end is None:
        return trial
    gaps = tuple(gap for gap in batch.gaps if gap.touches(job, start, end))
    heard = trial.heard or any(
        tally.job == job and (start <= tally.first_at < end or start <= tally.last_at < end) for tally in batch.tallies
    )
    beyond = trial.is_overread or (
        batch.read_until < end and any(tally.job == job and tally.last_at >= end for tally in batch.tallies)
    )
    if heard is trial.heard and beyond is trial.is_overread and not gaps:
        return trial
    return replace(trial, heard=heard, is_overread=beyond, gaps=(trial.gaps + gaps)[:GAPS_KEPT])


def weigh_baseline(trial: Trial, baseline: Baseline, *, window: Usec) -> Resolved:
    """The trial once its baseline is there: what waited for it is judged, as of its own instants."""
    settles_at = trial.settles_at or Usec(0)
    counts, crossings = [], []
    for threshold, count in enumerate(trial.counts):
        judged, place = thresholds.with_baseline(count, baseline, settles_at=settles_at, window=window)
        counts.append(judged)
        if place is not None:
            at = thresholds.pending(count)[place].at
            crossings.append((Place(threshold=threshold, place=place, at=at), judged))
    known = replace(trial, baseline=baseline, counts=tuple(counts), witnessed=())
    if not crossings:
        return Resolved(trial=known)
    # an entry's match comes before its kind, as in the journal
    instants = [(place.at, isinstance(count, NewErrorCount)) for place, count in crossings]
    first = [crossing for crossing, instant in zip(crossings, instants, strict=True) if instant == min(instants)]
    told = [thresholds.crossed(count) for _, count in first]
    return Resolved(trial=known, reasons=tuple(reason for reason in told if reason is not None), first=first[0][0])


class _Count:
    """What was found in one batch, counted into one trial; many finds make one new trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._counts = list(trial.counts)
        self._matches = dict(trial.matches)
        self._old_matches = dict(trial.old_matches)
        self._unclear = list(trial.unclear)
        self._sightings = list(trial.sightings)
        self._let_go = dict(trial.let_go)
        self._unjudged = trial.unjudged
        self._settling = trial.settling
        self._expected = trial.expected
        self._runs = trial.runs
        self._touched = False
        self.put_by: list[tuple[Found, Place]] = []

    @property
    def is_over(self) -> bool:
        """Whether all runs that the window waits for have ended."""
        wanted = self._trial.runs_wanted
        return wanted is not None and self._runs.finished >= wanted

    def take(self, found: Found) -> Iterator[Counted]:
        """Count one find; gives what of it is held against the release."""
        match found:
            case Match() | ErrorSeen():
                yield from self._take_entry(found)
            case RunBegan():
                yield from self._take_begin(found)
            case RunEnded():
                yield from self._take_end(found)

    def hold(self, counted: Counted, found: Found) -> tuple[Reason, ...]:
        """Hold it against the thresholds; every reason to fail the release that it completes. It came at `found`."""
        settles_at = self._trial.settles_at
        if settles_at is None:
            return ()
        reasons = []
        for place, count in enumerate(self._counts):
            more = thresholds.with_found(count, counted, settles_at=settles_at, baseline=self._trial.baseline)
            if more is not count:
                self._counts[place] = more
                reasons.append(thresholds.crossed(more))
                if len(thresholds.pending(more)) > (before := len(thresholds.pending(count))):
                    self.put_by.append((found, Place(threshold=place, place=before, at=counted.at)))
        return tuple(reason for reason in reasons if reason is not None)

    def _take_entry(self, entry: Entry) -> Iterator[Entry]:
        if not self._trial.covers(entry.at):
            return
        self._touched = True
        if not entry.invocation or not self._trial.is_old(entry.began):
            yield from self._take_new(entry)
        elif entry.began is None:
            self._unclear.append(entry)
            if len(self._unclear) > UNCLEAR_KEPT:
                self._let_go_of(self._unclear.pop(0))
        else:
            self._count_old(entry)

    def _take_new(self, entry: Entry) -> Iterator[Entry]:
        settling = self._is_settling(entry)
        if isinstance(entry, ErrorSeen):
            if not settling:
                yield entry
            return
        self._expected += entry.is_expected
        if not entry.rules:
            return
        if settling:
            self._settling += 1
            return
        for rule in entry.rules:
            self._matches[rule] = self._matches.get(rule, 0) + 1
        if len(self._sightings) < SIGHTINGS_KEPT:
            self._sightings.append(Sighting(rules=entry.rules, at=entry.at, cursor=entry.cursor))
        yield entry

    def _let_go_of(self, entry: Entry) -> None:
        self._count_old(entry)
        if self._is_settling(entry):
            return
        key = entry.invocation if entry.invocation in self._let_go or len(self._let_go) < UNCLEAR_KEPT else ""
        self._let_go[key] = self._let_go.get(key, 0) + 1

    def _is_settling(self, entry: Entry) -> bool:
        settles_at = self._trial.settles_at
        return settles_at is not None and entry.at < settles_at

    def _count_old(self, entry: Entry) -> None:
        for rule in entry.rules if isinstance(entry, Match) else ():
            self._old_matches[rule] = self._old_matches.get(rule, 0) + 1

    def _take_begin(self, run: RunBegan) -> Iterator[Entry]:
        since, end = self._trial.since, self._trial.closes_at
        if (since is not None and run.at < since) or (end is not None and run.at >= end):
            return
        self._touched = True
        self._runs = self._runs.began()
        early = [one for one in self._unclear if one.invocation == run.invocation]
        self._unclear = [one for one in self._unclear if one.invocation != run.invocation]
        self._unjudged += self._let_go.pop(run.invocation, 0) + self._let_go.pop("", 0)
        for entry in early:
            yield from self._take_new(entry)

    def _take_end(self, run: RunEnded) -> Iterator[RunEnded]:
        trial = self._trial
        inside = trial.covers(run.at)
        if trial.is_old(run.began):
            if inside:
                self._touched = True
                self._runs = self._runs.old_ended(run)
            return
        if trial.closes_at is not None and run.at >= trial.closes_at:
            return
        self._touched = True
        settled = trial.settles_at is not None and run.at >= trial.settles_at
        self._runs = self._runs.ended(run, inside=inside, settled=settled, begun=self._saw_begin(run))
        if inside and settled and run.is_counted:
            yield run

    def _saw_begin(self, run: RunEnded) -> bool:
        since = self._trial.since
        return run.began is not None and (since is None or run.began >= since)

    def result(self) -> Trial:
        """The trial with everything counted so far."""
        if not self._touched:
            return self._trial
        return replace(
            self._trial,
            counts=tuple(self._counts),
            matches=tuple(sorted(self._matches.items())),
            old_matches=tuple(sorted(self._old_matches.items())),
            unclear=tuple(self._unclear),
            let_go=tuple(self._let_go.items()),
            unjudged=self._unjudged,
            sightings=tuple(self._sightings),
            settling=self._settling,
            expected=self._expected,
            runs=self._runs,
        )
