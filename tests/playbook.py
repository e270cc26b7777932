"""Stories for the pure core: events played through `decide`, one after the other, with every decision kept.

`play` writes down what happened, so that pytest shows it beneath any assertion that fails; `expect` compares the whole
of it and shows the difference with arrows. The events themselves are made by `tests/events.py`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields

from tests.events import RELEASE, START
from watcher.core.duration import SECOND, Usec
from watcher.core.engine import decide
from watcher.core.messages import Accepted, Answer, Command, Event, Transition
from watcher.core.names import ReleaseId
from watcher.core.reason_words import say
from watcher.core.release import Phase, Release, RollbackState, Verdict
from watcher.core.state import Decision, State


@dataclass(frozen=True, slots=True)
class Seen:
    """A release as a person would read it."""

    record: Release

    @property
    def phase(self) -> Phase:
        """Its phase."""
        return self.record.phase

    @property
    def verdict(self) -> Verdict | None:
        """Its verdict."""
        return self.record.verdict

    @property
    def reasons(self) -> list[str]:
        """Why it ended so, in words."""
        return [say(reason) for reason in self.record.reasons]

    @property
    def ended_at(self) -> str | None:
        """When it ended, counted from `START`."""
        return None if self.record.ended_at is None else after_start(self.record.ended_at)

    @property
    def rollback(self) -> RollbackState:
        """Where its rollback stands."""
        return self.record.rollback.state

    @property
    def rollback_reason(self) -> str | None:
        """Why its rollback stands there, in words."""
        reason = self.record.rollback.reason
        return None if reason is None else say(reason)


@dataclass(frozen=True, slots=True)
class Story:
    """A state to begin with, and each event with what was decided about it."""

    begin: State
    steps: tuple[tuple[Event, Decision], ...]

    @property
    def state(self) -> State:
        """What is known at the end."""
        return self.steps[-1][1].state if self.steps else self.begin

    @property
    def decisions(self) -> list[Decision]:
        """The decision about each event."""
        return [decision for _, decision in self.steps]

    @property
    def commands(self) -> list[list[Command]]:
        """The commands that followed from each event."""
        return [list(decision.commands) for decision in self.decisions]

    @property
    def transitions(self) -> list[Transition]:
        """All changes, in order."""
        return [one for decision in self.decisions for one in decision.transitions]

    @property
    def answer(self) -> Answer | None:
        """The answer to the last event."""
        return self.steps[-1][1].answer

    @property
    def last(self) -> Seen:
        """`RELEASE` as its last record says."""
        return self.of(RELEASE)

    def of(self, which: ReleaseId) -> Seen:
        """The release as its last record says, also when the state has let go of it."""
        records = dict(self.begin.releases)
        for decision in self.decisions:
            records |= {one.id: one for one in decision.changed}
        return Seen(records[which])

    def counter(self, *series: str) -> int | None:
        """Where a durable counter stands at the end; None if there is none."""
        return self.state.counters.get(series)

    def __repr__(self) -> str:
        return "\n".join(["", *transcript(self)])


def run(begin: State, *events: Event) -> Story:
    """Play the events through `decide`, without writing anything down."""
    steps, state = [], begin
    for event in events:
        decision = decide(state, event)
        steps.append((event, decision))
        state = decision.state
    return Story(begin, tuple(steps))


def play(begin: State, *events: Event) -> Story:
    """Play the events through `decide`; pytest shows what happened when the test fails."""
    story = run(begin, *events)
    sys.stdout.write(f"{story!r}\n")
    return story


def told(story: Story) -> list[str]:
    """What the story changed, said and commanded, a line each, with the instant of the change."""
    return [line for _, decision in story.steps for line in _effects(decision)]


def transcript(story: Story) -> list[str]:
    """The story's events (`>>`), each followed by what came of it (`<<`)."""
    lines = []
    for event, decision in story.steps:
        lines.append(f">> {after_start(event.at)} {_short(event)}")
        lines += [f"     << {line}" for line in _effects(decision)]
    return lines


def expect(story: Story, *lines: str) -> None:
    """Fail, with an arrowed diff, unless exactly these lines were told in this order."""
    real = told(story)
    if list(lines) != real:
        raise AssertionError("\n".join(["the story went otherwise:", *arrowed(list(lines), real)]))


def arrowed(expected: list[str], real: list[str]) -> list[str]:
    """Both lists in one: `->` marks what was expected and did not come, `<-` what came unexpected."""
    lines, place = [], 0
    for line in expected:
        if line in real[place:]:
            found = real.index(line, place)
            lines += [f"  <- {one}" for one in real[place:found]]
            lines.append(f"     {line}")
            place = found + 1
        else:
            lines.append(f"  -> {line}")
    return lines + [f"  <- {one}" for one in real[place:]]


def after_start(at: Usec) -> str:
    """An instant as exact seconds after `START`, as in `42s` or `0.25s`."""
    return f"{(at - START) / SECOND:.6f}".rstrip("0").rstrip(".") + "s"


def _effects(decision: Decision) -> list[str]:
    lines = [_change(one) for one in decision.transitions]
    lines += [f"{type(command).__name__} {command.release}" for command in decision.commands]
    if decision.answer is not None and not isinstance(decision.answer, Accepted):
        lines.append(f"refused, {decision.answer.code}: {decision.answer.message}")
    return lines


def _change(one: Transition) -> str:
    why = "; ".join(say(reason) for reason in one.reasons)
    about = one.release or one.job or "all jobs"
    move = " -> ".join(word for word in (one.before, one.after) if word)
    return f"{after_start(one.at)} {about} {one.kind} {move}" + (f": {why}" if why else "")


def _short(event: Event) -> str:
    parts = []
    for one in fields(event):
        value = getattr(event, one.name)
        if one.name != "at" and value not in (None, (), ""):
            parts.append(f"{one.name}={len(value)}" if isinstance(value, tuple | dict) else f"{one.name}={value}")
    return f"{type(event).__name__} {' '.join(parts)}"[:200]
