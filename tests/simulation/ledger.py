"""The world's own book of a run: which windows are open, which pauses hold, what was read and what must be counted.

Written from what was asked and stored, and from the journal; never from what the core says of itself, but for whether
it accepted a request and when it said that a rollback ended.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from tests.simulation.journal import Hole, Item, is_step
from tests.simulation.oracle import Span
from watcher.core.baseline import unread
from watcher.core.duration import Usec
from watcher.core.found import Match, RunEnded, RunOutcome
from watcher.core.messages import (
    Accepted,
    BaselineRead,
    Event,
    Judgement,
    PauseRequested,
    PersonDecided,
    ReleaseDeployed,
    ReleaseRequested,
    ResumeRequested,
    RollbackObserved,
    SettingsLoaded,
    Transition,
    TransitionKind,
)
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import JobPolicy
from watcher.core.release import ReleaseRequest, RollbackState
from watcher.core.state import Decision, Series

_AT_REST = (RollbackState.NONE, RollbackState.HELD)


@dataclass(slots=True)
class Book:
    """`spans` are the windows, `afters` the times after rollbacks, `counters` what the journal held."""

    items: list[Item]
    read: int
    policies: dict[JobName, JobPolicy]
    spans: dict[ReleaseId, Span] = field(default_factory=dict)
    afters: dict[ReleaseId, Span] = field(default_factory=dict)
    requests: dict[ReleaseId, ReleaseRequest] = field(default_factory=dict)
    pauses: dict[JobName | None, Usec | None] = field(default_factory=dict)
    counters: Counter[Series] = field(default_factory=Counter)
    handed: list[Usec] = field(default_factory=list)
    budget: int = 3
    true: int = 0
    time_runs_on: bool = True
    """Whether the clock is never set back."""

    def advance(self, place: int) -> None:
        """The journal was read up to there, once and for ever."""
        for item in self.items[self.read : place]:
            self._account(item)
            if is_step(item):
                self._move(item)
        self.read = max(self.read, place)

    def _move(self, hole: Hole) -> None:
        """The wall clock was set: what began by the old one goes on by the new one, as long as before."""
        for span in [*self.spans.values(), *self.afters.values()]:
            if span.begun_true <= hole.arrives:
                span.since = Usec(span.since + hole.gap.step)
                span.start = None if span.start is None else Usec(span.start + hole.gap.step)
                span.end = Usec(span.end + hole.gap.step)

    def is_paused(self, job: JobName, at: Usec) -> bool:
        """Whether a person holds the rollbacks of the job."""
        return any(key in (None, job) and (until is None or at < until) for key, until in self.pauses.items())

    def know(self, event: BaselineRead) -> None:
        """The past of a release was read; a second answer tells nothing new."""
        span = self.spans[event.release]
        if span.baseline is None:
            span.baseline = event.baseline

    def note(self, event: Event, decision: Decision) -> None:
        """An event was taken in."""
        accepted = decision.answer is None or isinstance(decision.answer, Accepted)
        match event:
            case ReleaseRequested() if accepted:
                self._register(event)
            case ReleaseDeployed() if accepted:
                self._deploy(event)
            case PersonDecided() if accepted and event.judgement is Judgement.EXTEND and event.by is not None:
                span = self.spans[event.release]
                span.end = Usec(span.end + event.by)
            case PauseRequested() if accepted:
                self._forget_pauses(event.at)
                self.pauses[event.job] = event.until
            case ResumeRequested() if accepted:
                self.pauses.pop(event.job, None)
            case SettingsLoaded():
                self._configure(event)
            case RollbackObserved() if event.state is RollbackState.SUCCEEDED:
                self._verify(event)
            case _:
                pass

    def _register(self, event: ReleaseRequested) -> None:
        asked, key = event.request, event.request.id or event.fresh_id
        if key in self.requests:
            return
        self.requests[key] = asked
        policy = self.policies[asked.job]
        self.spans[key] = Span(
            job=asked.job,
            policy=policy,
            since=event.at,
            since_place=self.read,
            begun_true=self.true,
            runs_wanted=policy.release.window_runs,
        )
        if not asked.prepare:
            self._start(key, event.at)

    def _deploy(self, event: ReleaseDeployed) -> None:
        if self.spans[event.release].start is None:
            self._start(event.release, event.at)

    def _start(self, key: ReleaseId, at: Usec) -> None:
        span, asked = self.spans[key], self.requests[key]
        policy = span.policy.release
        window = policy.window if asked.window is None else asked.window
        own = asked.window is not None and asked.window <= policy.settle
        span.start, span.start_place, span.begun_true = at, self.read, self.true
        span.settle = Usec(window // 10) if own else policy.settle
        span.end = Usec(at + window)
        self._compare(span)

    def _configure(self, event: SettingsLoaded) -> None:
        self.policies = dict(event.policies)
        self.budget = event.rollbacks_per_hour
        begun = [span for span in self.spans.values() if span.start is not None]
        for span in [*begun, *self.afters.values()]:
            self._compare(span)

    def _compare(self, span: Span) -> None:
        """Whether the job is read as it was when its release was registered."""
        now = self.policies.get(span.job)
        span.unread = span.unread or now is None
        span.rules_changed = span.rules_changed or (now is not None and now.rules_hash != span.policy.rules_hash)

    def _forget_pauses(self, at: Usec) -> None:
        """A pause that has run out is over, also if the clock is set back later."""
        self.pauses = {job: until for job, until in self.pauses.items() if until is None or at < until}

    def follow(self, one: Transition, event: Event) -> None:
        """An order was given, or not taken back in time: what begins from now on is of the version that comes back."""
        came = one.before in _AT_REST and one.after not in _AT_REST
        if one.kind is not TransitionKind.ROLLBACK or not came or one.release is None:
            return
        if one.after == RollbackState.QUEUED:
            self.handed.append(event.at)
        span = self.spans[one.release]
        plan = span.policy.release.rollback
        if plan is not None and plan.verify is not None and span.job in self.policies:
            self.afters[one.release] = replace(
                span,
                since=event.at,
                since_place=self.read,
                begun_true=self.true,
                start=None,
                runs_wanted=None,
                rules_changed=False,
                unread=False,
            )
            behind = self.items[self.read :]
            self.afters[one.release].clock_unsure = any(is_step(item) and item.arrives < self.true for item in behind)
            self._compare(self.afters[one.release])

    def _verify(self, event: RollbackObserved) -> None:
        span = self.afters.get(event.release)
        if span is None or span.start is not None:
            return
        plan = span.policy.release.rollback
        verify = Usec(0) if plan is None or plan.verify is None else plan.verify
        settle = span.policy.release.settle
        span.start, span.start_place, span.begun_true = event.at, self.read, self.true
        span.settle = settle if settle < verify else Usec(verify // 10)
        span.end = Usec(event.at + verify)
        span.baseline = self.spans[event.release].baseline or unread(
            "the release failed before it was read", since=Usec(0), until=event.at
        )
        self._compare(span)

    def _account(self, item: Item) -> None:
        if isinstance(item, Hole):
            if item.gap.job is None or item.gap.job in self.policies:
                self.counters["watcher_journal_gaps_total", item.gap.reason] += 1
            return
        for job in item.jobs:
            if job in self.policies:
                self.counters["watcher_journal_entries_total", job] += 1
        for one in item.found:
            if one.job not in self.policies:
                continue
            if isinstance(one, Match):
                for rule in one.rules:
                    severity = self.policies[one.job].rules[rule]
                    self.counters["watcher_rule_matches_total", one.job, rule, severity] += 1
            elif isinstance(one, RunEnded) and one.outcome in (RunOutcome.SUCCEEDED, RunOutcome.FAILED):
                self.counters["watcher_runs_total", one.job, one.outcome] += 1
