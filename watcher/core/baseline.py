"""The baseline: how the job behaved before the release, read from the journal; plain values and their sum.

`Past` adds up what the reader found before the release; `Baseline` is what stays of it, stored with the release.
Knows no journal and no threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from watcher.core.coverage import Gap
from watcher.core.duration import MINUTE, Usec
from watcher.core.found import ErrorSeen, Found, JobTally, Match, RunEnded, RunOutcome
from watcher.core.names import JobName, RuleName
from watcher.core.severity import Severity
from watcher.core.statistics import Share, burst_size

MOST_RUNS = 100_000
"""Of so many the durations are remembered while the past is read."""
MOST_KINDS = 1000
"""How many kinds of errors a baseline knows; a job with more has no new ones that mean anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMinutes:
    """Minutes that held a match of `severity` or worse; `bursts` are runs of them next to each other."""

    severity: Severity
    minutes: int
    bursts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRuns:
    """How the job's runs ended before; `median` and `longest` are how long they took, None where no begin was seen."""

    succeeded: int
    failed: int
    median: Usec | None = None
    longest: Usec | None = None

    @property
    def share(self) -> Share:
        """Those that failed, of those that either failed or succeeded."""
        return Share(self.failed, self.succeeded + self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was read of `[since, until)`; all counts are of the one job.

    `heard_from`: its first entry there, None if there was none: before that nobody knows whether it was there at all.
    `whole_from`: from then on nothing of it is missing. `minutes` were observed from `heard_from` on, those with holes
    left out. `runs` is None where none ended. `kinds` are the fingerprints of its errors with how often each
    came; `kinds_cut`: there were more. `limited`: so many entries lay before `until` that reading ended there.
    `problem`: why nothing could be read.
    """

    since: Usec
    until: Usec
    heard_from: Usec | None = None
    whole_from: Usec | None = None
    entries: int = 0
    minutes: int = 0
    matches: tuple[tuple[RuleName, int], ...] = ()
    error_minutes: tuple[ErrorMinutes, ...] = ()
    runs: OldRuns | None = None
    kinds: tuple[tuple[str, int], ...] = ()
    kinds_cut: bool = False
    limited: bool = False
    problem: str = ""

    @property
    def whole(self) -> Usec:
        """How long, up to its end, nothing of the job is missing; 0 where it was not heard."""
        return Usec(0) if self.whole_from is None else Usec(max(self.until - self.whole_from, 0))

    def knows(self, kind: str) -> bool:
        """Whether an error of this kind had come before."""
        return any(kind == known for known, _ in self.kinds)

    def of_minutes(self, severity: Severity) -> tuple[Share, float]:
        """The share of minutes with a match of `severity` or worse, and how far its bursts are to be thinned."""
        one = next((one for one in self.error_minutes if one.severity is severity), None)
        if one is None:
            return Share(0, self.minutes), 1.0
        return Share(one.minutes, max(self.minutes, one.minutes)), burst_size(one.minutes, one.bursts)


class Past:
    """A sum that is made while a job's past is read, piece by piece in the journal's order."""

    def __init__(self, job: JobName, *, since: Usec, until: Usec) -> None:
        self._job = job
        self._since, self.until = since, until
        self._heard_from: Usec | None = None
        self._whole_from: Usec | None = None
        self._entries = 0
        self._matches: dict[RuleName, int] = {}
        self._minutes: dict[Severity, set[int]] = {severity: set() for severity in Severity}
        self._holes: list[tuple[int, int]] = []
        self._succeeded = self._failed = 0
        self._took: list[Usec] = []
        self._kinds: dict[str, int] = {}
        self._kinds_cut = False

    def add(self, *, tallies: Iterable[JobTally], found: Iterable[Found], gaps: Iterable[Gap]) -> None:
        """One more piece; what is another job's is passed over."""
        for tally in tallies:
            if tally.job == self._job:
                self._hear(tally)
        for one in found:
            if one.job == self._job:
                self._count(one)
        for gap in gaps:
            if gap.touches(self._job, self._since, self.until):
                self._holes.append((gap.since // MINUTE, gap.until // MINUTE))
                if self._whole_from is not None:
                    self._whole_from = Usec(max(self._whole_from, gap.until))

    def result(self, *, until: Usec | None = None) -> Baseline:
        """The sum. With `until` reading ended there, before all was read."""
        end = self.until if until is None else until
        matches = sorted(self._matches.items())
        return Baseline(
            since=self._since,
            until=end,
            heard_from=self._heard_from,
            whole_from=self._whole_from,
            entries=self._entries,
            minutes=self._observed(end),
            matches=tuple(matches),
            error_minutes=tuple(_error_minutes(severity, minutes) for severity, minutes in self._minutes.items()),
            runs=self._runs(),
            kinds=tuple(sorted(self._kinds.items())),
            kinds_cut=self._kinds_cut,
            limited=until is not None,
        )

    def _hear(self, tally: JobTally) -> None:
        self._entries += tally.entries
        if self._heard_from is None:
            self._heard_from = self._whole_from = tally.first_at

    def _count(self, found: Found) -> None:
        match found:
            case Match():
                for rule in found.rules:
                    self._matches[rule] = self._matches.get(rule, 0) + 1
                for severity, minutes in self._minutes.items():
                    if found.severity.at_least(severity):
                        minutes.add(found.at // MINUTE)
            case RunEnded() if found.is_counted:
                self._end(found)
            case ErrorSeen():
                if found.kind in self._kinds or len(self._kinds) < MOST_KINDS:
                    self._kinds[found.kind] = self._kinds.get(found.kind, 0) + 1
                else:
                    self._kinds_cut = True

    def _end(self, run: RunEnded) -> None:
        self._failed += run.outcome is RunOutcome.FAILED
        self._succeeded += run.outcome is RunOutcome.SUCCEEDED
        if run.began is not None and len(self._took) < MOST_RUNS:
            self._took.append(Usec(max(run.at - run.began, 0)))

    def _runs(self) -> OldRuns | None:
        if not self._succeeded and not self._failed:
            return None
        took = sorted(self._took)
        return OldRuns(
            succeeded=self._succeeded,
            failed=self._failed,
            median=took[len(took) // 2] if took else None,
            longest=took[-1] if took else None,
        )

    def _observed(self, until: Usec) -> int:
        if self._heard_from is None:
            return 0
        first, last = -(-self._heard_from // MINUTE), until // MINUTE - 1  # whole ones: the rest of one is less
        observed, reached = last - first + 1, first
        for begins, ends in sorted(self._holes):
            begins, ends = max(begins, reached), min(ends, last)  # noqa: PLW2901 - cut to what is not taken off yet
            observed -= max(ends - begins + 1, 0)
            reached = max(reached, ends + 1)
        return max(observed, 0)


def unread(problem: str, *, since: Usec, until: Usec) -> Baseline:
    """The baseline that could not be read."""
    return Baseline(since=since, until=until, problem=problem)


def _error_minutes(severity: Severity, minutes: set[int]) -> ErrorMinutes:
    bursts = sum(1 for minute in minutes if minute - 1 not in minutes)
    return ErrorMinutes(severity=severity, minutes=len(minutes), bursts=bursts)
