"""A batch of the journal held against one trial: what it saw, what counts, and the first crossing.

By the entries' own instants, in the journal's order. How the journal was cut into batches, and when a batch was taken
in, changes neither reasons nor instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watcher.core import thresholds
from watcher.core.baseline import Baseline
from watcher.core.duration import Usec
from watcher.core.found import Found, Match
from watcher.core.messages import BatchRead
from watcher.core.names import JobName
from watcher.core.reason import Reason
from watcher.core.trial import Sighting, Trial

SIGHTINGS_KEPT = 5
"""How many of the first matches of a window are shown in its note with the lines around them."""
GAPS_KEPT = 50
"""How many gaps a record holds; one is enough to keep it from passing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The trial with everything counted up to the end of the batch, or up to what crossed thresholds, for `reasons`."""

    trial: Trial
    reasons: tuple[Reason, ...] = ()
    crossing: Found | None = None


def weigh(trial: Trial, batch: BatchRead, *, job: JobName, found: Sequence[Found]) -> Weighed:
    """Hold a batch against the trial of `job`; `found` is what the batch holds of that job, in its order."""
    seen = _see(trial, batch, job)
    count = _Count(seen)
    for one in found:
        reasons = count.take(one)
        if reasons:
            return Weighed(trial=count.result(), reasons=reasons, crossing=one)
    return Weighed(trial=count.result())


def _see(trial: Trial, batch: BatchRead, job: JobName) -> Trial:
    if trial.start is None or trial.end is None:
        return trial
    start, end = trial.start, trial.end
    gaps = tuple(gap for gap in batch.gaps if gap.touches(job, start, end))
    heard = trial.heard or any(
        tally.job == job and (start <= tally.first_at < end or start <= tally.last_at < end) for tally in batch.tallies
    )
    if heard is trial.heard and not gaps:
        return trial
    return replace(trial, heard=heard, gaps=(trial.gaps + gaps)[:GAPS_KEPT])


def weigh_baseline(trial: Trial, baseline: Baseline, *, window: Usec) -> tuple[Trial, tuple[Reason, ...], Usec | None]:
    """The trial once its baseline is there: what waited for it is judged, as of its own instants.

    With reasons, the instant is that of the first crossing.
    """
    settles_at = trial.settles_at or Usec(0)
    judged = [thresholds.with_baseline(count, baseline, settles_at=settles_at, window=window) for count in trial.counts]
    at = min((when for _, when in judged if when is not None), default=None)
    crossed = [thresholds.crossed(count) for count, when in judged if when is not None and when == at]
    reasons = tuple(reason for reason in crossed if reason is not None)
    return replace(trial, baseline=baseline, counts=tuple(count for count, _ in judged)), reasons, at


class _Count:
    """What was found in one batch, counted into one trial; many finds make one new trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._counts = list(trial.counts)
        self._matches = dict(trial.matches)
        self._sightings = list(trial.sightings)
        self._settling = trial.settling
        self._touched = False

    def take(self, found: Found) -> tuple[Reason, ...]:
        """Count one find; every reason to fail the release that it completes."""
        trial = self._trial
        if not trial.covers(found.at) or trial.settles_at is None:
            return ()
        self._touched = True
        if found.at < trial.settles_at:
            self._settling += isinstance(found, Match)
            return ()
        if isinstance(found, Match):
            self._hold(found)
        return self._count(found, trial.settles_at)

    def _hold(self, match: Match) -> None:
        for rule in match.rules:
            self._matches[rule] = self._matches.get(rule, 0) + 1
        if len(self._sightings) < SIGHTINGS_KEPT:
            self._sightings.append(Sighting(rules=match.rules, at=match.at, cursor=match.cursor))

    def _count(self, found: Found, settles_at: Usec) -> tuple[Reason, ...]:
        reasons = []
        for place, count in enumerate(self._counts):
            more = thresholds.with_found(count, found, settles_at=settles_at, baseline=self._trial.baseline)
            if more is not count:
                self._counts[place] = more
                reasons.append(thresholds.crossed(more))
        return tuple(reason for reason in reasons if reason is not None)

    def result(self) -> Trial:
        """The trial with everything counted so far."""
        if not self._touched:
            return self._trial
        return replace(
            self._trial,
            counts=tuple(self._counts),
            matches=tuple(sorted(self._matches.items())),
            sightings=tuple(self._sightings),
            settling=self._settling,
        )
