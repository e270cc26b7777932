"""Replay: the daemon's own reading, matching and judging over recorded entries, with nothing acted on.

The same `scan` reads and the same `decide` judges as live; this module only feeds the one with the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from watcher.core import counters
from watcher.core.baseline import Baseline
from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.engine import decide
from watcher.core.found import COUNTED_OUTCOMES
from watcher.core.messages import BaselineRead, BatchRead, ReleaseRequested, SettingsLoaded
from watcher.core.names import ReleaseId, RuleName
from watcher.core.policy import JobPolicy, Mode
from watcher.core.release import Release, ReleaseRequest
from watcher.core.state import State

_RELEASE = ReleaseId("replay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a replay; `release` is None if none was asked for, `read_until` how far the journal was read."""

    entries: int
    matches: dict[RuleName, int]
    runs: dict[str, int]
    gaps: tuple[Gap, ...]
    release: Release | None
    read_until: Usec | None


@dataclass(slots=True)
class Replay:
    """One job over one range of the journal, batch by batch."""

    policy: JobPolicy
    release_at: Usec | None = None
    gaps: list[Gap] = field(default_factory=list)
    state: State = field(default_factory=State)

    def begin(self, since: Usec) -> None:
        """Load the job and, if one was asked for, register the release; windows go by the entries' own instants."""
        self._take(SettingsLoaded(at=since, policies={self.policy.name: self.policy}))
        if self.release_at is not None:
            request = ReleaseRequest(job=self.policy.name, version="replay", author="", mode=Mode.OBSERVE)
            self._take(ReleaseRequested(at=self.release_at, request=request, fresh_id=_RELEASE))

    @property
    def lookback(self) -> Usec | None:
        """How much of the past before the release is to be read first; None: nothing is."""
        release = self.state.releases.get(_RELEASE)
        return release.trial.lookback if release is not None and release.trial.waits else None

    def take_baseline(self, baseline: Baseline) -> None:
        """What was before the release."""
        if self.release_at is not None:
            self._take(BaselineRead(at=self.release_at, release=_RELEASE, baseline=baseline))

    def read(self, batch: BatchRead) -> None:
        """Judge one batch."""
        self.gaps.extend(batch.gaps)
        self._take(batch)

    def result(self) -> Replayed:
        """What has come of it so far."""
        job, count = self.policy.name, self.state.counters
        rules = self.policy.rules.items()
        return Replayed(
            entries=count.get((counters.ENTRIES, job), 0),
            matches={rule: count.get((counters.MATCHES, job, rule, severity), 0) for rule, severity in rules},
            runs={outcome: count.get((counters.RUNS, job, outcome), 0) for outcome in COUNTED_OUTCOMES},
            gaps=tuple(self.gaps),
            release=self.state.releases.get(_RELEASE),
            read_until=self.state.read_until,
        )

    def _take(self, event: BaselineRead | BatchRead | SettingsLoaded | ReleaseRequested) -> None:
        self.state = decide(self.state, event).state
