"""A batch of the journal against the open windows: count, cross, close.

Windows are judged by the entries' own instants, in the journal's order. How the journal was cut into batches, and
when a batch was taken in, changes neither verdict nor reasons nor instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from watcher.core import counters
from watcher.core.draft import Draft
from watcher.core.duration import Usec
from watcher.core.ending import change_phase, fail
from watcher.core.messages import BatchRead, Match
from watcher.core.names import JobName
from watcher.core.release import Phase, Reason, Release, Sighting, Verdict
from watcher.core.thresholds import count_in, counts_for, crossed
from watcher.core.verdict import verdict_at_end

SIGHTINGS_KEPT = 5
"""How many of the first matches of a window are shown in its note with the lines around them."""
GAPS_KEPT = 50
"""How many gaps a record holds; one is enough to keep it from passing."""


def count_batch(draft: Draft, batch: BatchRead) -> None:
    """Raise the durable counters by what the batch holds."""
    for tally in batch.tallies:
        draft.count(counters.ENTRIES, tally.job, by=tally.entries)
    for match in batch.matches:
        rules = draft.before.policies[match.job].rules if match.job in draft.before.policies else {}
        for rule in match.rules:
            draft.count(counters.MATCHES, match.job, rule, rules.get(rule, match.severity))
    for gap in batch.gaps:
        draft.count(counters.GAPS, gap.reason)


def judge_batch(draft: Draft, batch: BatchRead) -> None:
    """Hold the batch against every open window."""
    by_job: dict[JobName, list[Match]] = {}
    for match in batch.matches:
        by_job.setdefault(match.job, []).append(match)
    for release in draft.before.watching():
        if release.started_at is not None and release.ends_at is not None:
            heard = _see(draft, release, batch, release.started_at, release.ends_at)
            _judge(draft, heard, by_job.get(release.job, ()), batch.read_until, release.ends_at)


def _see(draft: Draft, release: Release, batch: BatchRead, start: Usec, end: Usec) -> Release:
    gaps = tuple(gap for gap in batch.gaps if gap.touches(release.job, start, end))
    heard = release.heard or any(
        tally.job == release.job and (start <= tally.first_at < end or start <= tally.last_at < end)
        for tally in batch.tallies
    )
    if heard is release.heard and not gaps:
        return release
    seen = replace(release, heard=heard, gaps=(release.gaps + gaps)[:GAPS_KEPT])
    draft.put(seen)
    return seen


def _judge(draft: Draft, release: Release, matches: Sequence[Match], read_until: Usec, end: Usec) -> None:
    count = _Count(release)
    for match in matches:
        reasons = count.take(match)
        if reasons:
            fail(draft, count.result(), at=match.at, reasons=reasons)
            _observe_latency(draft, match)
            return
    counted = count.result()
    if counted is not release:
        draft.put(counted)
    if read_until >= end:
        _close(draft, counted, end)


def _close(draft: Draft, release: Release, end: Usec) -> None:
    verdict, reasons = verdict_at_end(release)
    phase = Phase.PASSED if verdict is Verdict.PASSED else Phase.INCONCLUSIVE
    change_phase(draft, release, phase, at=end, reasons=reasons)


def _observe_latency(draft: Draft, match: Match) -> None:
    latency = Usec(max(draft.at - match.at, 0))
    le = counters.bucket(latency, counters.LATENCY_BUCKETS)
    draft.count(f"{counters.DETECTION_LATENCY}_bucket", le)
    draft.count(f"{counters.DETECTION_LATENCY}_sum_usec", by=latency)


class _Count:
    """The matches of one batch counted into one release; many matches make one new record."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._counted = list(release.counted)
        self._peak = list(release.peak)
        self._matches = dict(release.matches)
        self._sightings = list(release.sightings)
        self._settling = release.settling
        self._touched = False

    def take(self, match: Match) -> tuple[Reason, ...]:
        """Count one match; every reason to fail the release that it completes."""
        release = self._release
        start, settled, end = release.started_at, release.settles_at, release.ends_at
        if start is None or settled is None or end is None or not start <= match.at < end:
            return ()
        self._touched = True
        if match.at < settled:
            self._settling += 1
            return ()
        for rule in match.rules:
            self._matches[rule] = self._matches.get(rule, 0) + 1
        if len(self._sightings) < SIGHTINGS_KEPT:
            self._sightings.append(Sighting(rules=match.rules, at=match.at, cursor=match.cursor))
        return tuple(reason for reason in self._thresholds(match) if reason is not None)

    def _thresholds(self, match: Match) -> list[Reason | None]:
        reasons = []
        for place, threshold in enumerate(self._release.policy.release.thresholds):
            if counts_for(threshold, match):
                counted = count_in(threshold, self._counted[place], match.at)
                self._counted[place] = counted
                self._peak[place] = max(self._peak[place], len(counted))
                reasons.append(crossed(threshold, counted))
        return reasons

    def result(self) -> Release:
        """The release with everything counted so far."""
        if not self._touched:
            return self._release
        return replace(
            self._release,
            counted=tuple(self._counted),
            peak=tuple(self._peak),
            matches=tuple(sorted(self._matches.items())),
            sightings=tuple(self._sightings),
            settling=self._settling,
        )
