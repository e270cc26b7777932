"""What one decision has changed so far: a private sheet that `engine.decide` fills and seals.

It is mutable, and never outlives the call that made it; what leaves is the frozen `Decision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from watcher.core.duration import Usec
from watcher.core.messages import Answer, Command, Transition
from watcher.core.names import JobName, ReleaseId
from watcher.core.release import Release
from watcher.core.state import BUSY_ROLLBACKS, OPEN_PHASES, Decision, Pause, Series, State
from watcher.core.trouble import Trouble


@dataclass(slots=True)
class Draft:
    """Changes against `before`, made while one event is decided; `at` is that event's instant."""

    before: State
    at: Usec
    changed: dict[ReleaseId, Release] = field(default_factory=dict)
    counted: dict[Series, int] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    pauses: tuple[Pause, ...] | None = None
    rollbacks: tuple[Usec, ...] | None = None
    troubles: dict[JobName, Trouble | None] = field(default_factory=dict)

    def release(self, release_id: ReleaseId) -> Release | None:
        """The release as it stands now."""
        return self.changed.get(release_id) or self.before.releases.get(release_id)

    def rules_changed_at(self, release: Release) -> Usec | None:
        """Now, if the job is read by other rules (or not at all) than those that the release was registered with."""
        policy = self.before.policies.get(release.job)
        is_same = policy is not None and policy.rules_hash == release.policy.rules_hash
        return None if is_same else self.at

    def put(self, release: Release) -> None:
        """Let the release be this from now on."""
        self.changed[release.id] = release

    def count(self, *series: str, by: int = 1) -> None:
        """Raise a durable counter; one that is not there yet begins at 0."""
        if by or (series not in self.counted and series not in self.before.counters):
            self.counted[series] = self.counter(*series) + by

    def counter(self, *series: str) -> int:
        """Where a durable counter stands now."""
        value = self.counted.get(series)
        return self.before.counters.get(series, 0) if value is None else value

    def tell(self, transition: Transition) -> None:
        """Record a change for the log, the store and the note."""
        self.transitions.append(transition)

    def command(self, command: Command) -> None:
        """Have something done once the decision is durable; a command that is there already is not doubled."""
        if command not in self.commands:
            self.commands.append(command)

    def seal(self, answer: Answer | None = None, *, position: str | None = None, **state: object) -> Decision:
        """The decision; `state` are fields of the new state that this sheet does not know."""
        after = self._state()
        if position is not None:
            after = replace(after, position=position)
        return Decision(
            state=replace(after, **state) if state else after,  # type: ignore[arg-type]  # fields of State, by name
            changed=tuple(self.changed.values()),
            counted=self.counted,
            pauses=self.pauses,
            rollbacks=self.rollbacks,
            troubles=self.troubles,
            position=position,
            transitions=tuple(self.transitions),
            commands=tuple(self.commands),
            answer=answer,
        )

    def _state(self) -> State:
        before = self.before
        if not (self.changed or self.counted or self.troubles or self.pauses is not None):
            return before  # `rollbacks` never change without a release
        releases, last = before.releases, before.last
        if self.changed:
            newest = {one.job: one.id for one in self.changed.values() if one.id not in before.releases}
            last = {**before.last, **newest}
            releases = {**before.releases, **self.changed}
            releases = {key: one for key, one in releases.items() if last.get(one.job) == key or is_busy(one)}
        return replace(
            before,
            releases=releases,
            last=last,
            counters={**before.counters, **self.counted} if self.counted else before.counters,
            pauses=before.pauses if self.pauses is None else self.pauses,
            rollbacks=before.rollbacks if self.rollbacks is None else self.rollbacks,
            troubles=self.known_troubles(),
        )

    def known_troubles(self) -> Mapping[JobName, Trouble]:
        """The troubles of all jobs as they stand now."""
        if not self.troubles:
            return self.before.troubles
        merged = {**self.before.troubles, **self.troubles}
        return {job: one for job, one in merged.items() if one is not None}


def is_busy(release: Release) -> bool:
    """Whether something may still happen to the release by itself."""
    return release.phase in OPEN_PHASES or release.rollback.state in BUSY_ROLLBACKS or release.is_verifying
