"""Backtest: what today's configuration would have said of past releases, and how often it is wrong in quiet times.

The journal is read once; each release, and each window of quiet time, is then judged by the one `decide` over the
piece of it that it would have seen, with a baseline of what lay before. Nothing is acted on; knows no journal.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from watcher.core.baseline import Baseline, Past
from watcher.core.duration import Usec
from watcher.core.engine import decide
from watcher.core.found import RunBegan
from watcher.core.messages import BaselineRead, BatchRead, ReleaseRequested, SettingsLoaded
from watcher.core.names import JobName, ReleaseId
from watcher.core.piece import Piece
from watcher.core.policy import (
    AboveBaseline,
    Blame,
    FailedRatio,
    FailedRuns,
    JobPolicy,
    MatchThreshold,
    Mode,
    NewErrors,
    Threshold,
)
from watcher.core.release import Release, ReleaseRequest, Verdict
from watcher.core.state import State
from watcher.core.statistics import Share, upper_limit

RATE_CONFIDENCE = 0.95
"""How sure the upper limit of the false alarm rate is."""
COUNTS = (1, 2, 3, 5, 8, 13, 20, 50)
FACTORS = (1.5, 2.0, 3.0, 5.0, 10.0)
RATIOS = (0.1, 0.2, 0.3, 0.5, 0.8)
_RELEASE = ReleaseId("backtest")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRelease:
    """A release that went out at `at`. `was_bad`: whether it is known to have been bad, None if nobody said."""

    at: Usec
    version: str
    was_bad: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A past release with what today's configuration says of it."""

    release: PastRelease
    judged: Release

    @property
    def failed(self) -> bool:
        """Whether it would have been failed."""
        return self.judged.verdict is Verdict.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Windows in which nothing was released: how many, how many failed all the same, how many had no verdict."""

    windows: int
    failed: int
    inconclusive: int

    @property
    def at_most(self) -> float:
        """The false alarm rate that can't be ruled out: the exact upper limit, with RATE_CONFIDENCE."""
        return upper_limit(Share(self.failed, self.windows), confidence=RATE_CONFIDENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One threshold by itself: false alarms in quiet time, and how many of the bad releases it finds."""

    threshold: Threshold
    quiet: Quiet
    found: int
    bad: int


@dataclass(slots=True)
class Backtest:
    """One job's policy over one piece of the journal."""

    policy: JobPolicy
    piece: Piece
    _found_at: list[Usec] = field(default_factory=list)
    _heard_at: list[Usec] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._found_at = _rising(one.at for one in self.piece.found)
        self._heard_at = _rising(tally.first_at for tally in self.piece.tallies)

    def judge(self, release: PastRelease) -> Judged:
        """What the daemon would have said of it. A window that the piece doesn't hold to its end stays open."""
        return Judged(release=release, judged=self._judged(self.policy, release))

    def restarts(self, since: Usec) -> tuple[PastRelease, ...]:
        """Each begin of a run of the job, from `since` on, taken for a release."""
        begins = (one for one in self.piece.found if isinstance(one, RunBegan) and one.at >= since)
        return tuple(PastRelease(at=one.at, version=one.invocation[:12] or one.unit) for one in begins)

    def quiet(self, since: Usec, releases: Iterable[PastRelease]) -> Quiet:
        """Every window from `since` on that touches no release's own."""
        return self._quiet(self.policy, list(self.quiet_starts(since, releases)))

    def quiet_starts(self, since: Usec, releases: Iterable[PastRelease]) -> Iterator[Usec]:
        """Where the windows of quiet time begin, one right after the other between the releases' windows."""
        window = self.policy.release.window
        at, taken = since, sorted(one.at for one in releases)
        for release in (*taken, self.piece.until):
            while at + window <= release:
                yield at
                at = Usec(at + window)
            at = max(at, Usec(release + window))

    def sweep(self, since: Usec, releases: Sequence[PastRelease]) -> Iterator[Swept]:
        """Each threshold of the configuration with other limits, by itself.

        Where nobody said which releases were bad, all of them count as such.
        """
        starts = list(self.quiet_starts(since, releases))
        told = [one for one in releases if one.was_bad]
        bad = told if any(one.was_bad is not None for one in releases) else list(releases)
        for threshold in _variants(self.policy.release.thresholds):
            policy = replace(self.policy, release=replace(self.policy.release, thresholds=(threshold,)))
            found = sum(self._judged(policy, one).verdict is Verdict.FAILED for one in bad)
            yield Swept(threshold=threshold, quiet=self._quiet(policy, starts), found=found, bad=len(bad))

    def _quiet(self, policy: JobPolicy, starts: Sequence[Usec]) -> Quiet:
        """Nothing began at these instants, so all of the job's invocations are held against the window."""
        blaming = replace(policy, release=replace(policy.release, blame=Blame.ALL))
        verdicts = [self._judged(blaming, PastRelease(at=at, version="none")).verdict for at in starts]
        return Quiet(
            windows=len(verdicts),
            failed=verdicts.count(Verdict.FAILED),
            inconclusive=verdicts.count(Verdict.INCONCLUSIVE),
        )

    def _judged(self, policy: JobPolicy, release: PastRelease) -> Release:
        state = decide(State(), SettingsLoaded(at=release.at, policies={policy.name: policy})).state
        request = ReleaseRequest(job=policy.name, version=release.version, author="", mode=Mode.OBSERVE)
        state = decide(state, ReleaseRequested(at=release.at, request=request, fresh_id=_RELEASE)).state
        opened = state.releases[_RELEASE]
        if opened.trial.waits and opened.trial.lookback is not None:
            baseline = self._past(policy.name, Usec(release.at - opened.trial.lookback), release.at)
            state = decide(state, BaselineRead(at=release.at, release=_RELEASE, baseline=baseline)).state
        end = min(opened.ends_at or self.piece.until, self.piece.until)
        return decide(state, self._batch(release.at, end)).state.releases[_RELEASE]

    def _past(self, job: JobName, since: Usec, until: Usec) -> Baseline:
        past = Past(job, since=since, until=until)
        batch = self._batch(since, until)
        past.add(tallies=batch.tallies, found=batch.found, gaps=batch.gaps)
        return past.result()

    def _batch(self, since: Usec, until: Usec) -> BatchRead:
        found, heard = self._found_at, self._heard_at
        first, last = bisect_left(found, since), bisect_left(found, until)
        return BatchRead(
            at=until,
            read_until=until,
            tallies=self.piece.tallies[bisect_left(heard, since) : bisect_left(heard, until)],
            found=self.piece.found[first:last],
            gaps=tuple(gap for gap in self.piece.gaps if gap.until >= since and gap.since < until),
        )


def _variants(thresholds: Iterable[Threshold]) -> Iterator[Threshold]:
    for threshold in thresholds:
        match threshold:
            case MatchThreshold():
                yield from (replace(threshold, count=count) for count in sorted({*COUNTS, threshold.count}))
            case AboveBaseline():
                yield from (replace(threshold, factor=factor) for factor in sorted({*FACTORS, threshold.factor}))
            case NewErrors() | FailedRuns():
                yield from (replace(threshold, count=count) for count in sorted({*COUNTS, threshold.count}))
            case FailedRatio():
                yield from (replace(threshold, ratio=ratio) for ratio in sorted({*RATIOS, threshold.ratio}))
            case _:
                assert_never(threshold)


def _rising(instants: Iterable[Usec]) -> list[Usec]:
    """The instants, none earlier than the one before: a clock that was set back is passed over."""
    rising: list[Usec] = []
    for at in instants:
        rising.append(max(at, rising[-1]) if rising else at)
    return rising
