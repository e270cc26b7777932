"""What the daemon knows, and what of a decision must be stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import JOB, NEXT, OTHER_JOB, PERSON, RELEASE, START, instant, seen, watching
from watcher.core.duration import Usec
from watcher.core.messages import Transition, TransitionKind, WriteNote
from watcher.core.names import JobName
from watcher.core.release import Phase
from watcher.core.state import Decision, Pause, State

STATE = watching()
KNOWN = STATE.releases[RELEASE]
UNTIL = instant("10m")


def _pause(job: JobName | None = None, until: Usec | None = None) -> Pause:
    return Pause(job=job, reason="sale", author=PERSON, since=START, until=until)


@pytest.mark.parametrize(
    ("pause", "job", "at", "holds"),
    [
        (_pause(), JOB, START, True),
        (_pause(JOB), JOB, START, True),
        (_pause(JOB), OTHER_JOB, START, False),
        (_pause(until=UNTIL), JOB, Usec(UNTIL - 1), True),
        (_pause(until=UNTIL), JOB, UNTIL, False),
    ],
)
def test_a_pause_holds_its_jobs_until_its_end(pause: Pause, job: JobName, at: Usec, *, holds: bool) -> None:
    """One job or all; at the instant of its end it holds no more."""
    assert holds is pause.holds(job, at)
    assert (pause if holds else None) is replace(STATE, pauses=(pause,)).pause_of(job, at)


def test_an_expired_pause_does_not_hide_another() -> None:
    """The first pause that holds is found, not the first pause."""
    state = replace(STATE, pauses=(_pause(until=UNTIL), _pause(JOB)))
    assert _pause(JOB) == state.pause_of(JOB, instant("1h"))


def test_an_old_release_can_be_brought_back() -> None:
    """For a question about it; the newest of the job stays the newest, and a known release is not overwritten."""
    old = replace(KNOWN, id=NEXT)
    state = STATE.with_release(old)
    assert ({RELEASE, NEXT}, {JOB: RELEASE}) == (set(state.releases), state.last)
    assert STATE is STATE.with_release(seen(KNOWN, heard=True))
    assert STATE is STATE.with_release(None)


def test_watching_are_the_open_windows_only() -> None:
    """Neither what is prepared nor what has ended."""
    others = {phase: replace(KNOWN, phase=phase) for phase in Phase}
    state = State(releases={release.id + phase: release for phase, release in others.items()})  # type: ignore[misc]  # ids
    assert (others[Phase.WATCHING],) == state.watching()


@pytest.mark.parametrize(
    "decision",
    [
        Decision(state=STATE, changed=(KNOWN,)),
        Decision(state=STATE, counted={("a",): 1}),
        Decision(state=STATE, pauses=()),
        Decision(state=STATE, position="p"),
        Decision(state=STATE, transitions=(Transition(at=START, kind=TransitionKind.PAUSE, before="", after=""),)),
    ],
)
def test_a_decision_with_anything_to_keep_is_durable(decision: Decision) -> None:
    """Each part alone is a reason to write."""
    assert decision.is_durable


def test_a_decision_that_changed_nothing_is_not_durable() -> None:
    """An answer, or a command that was given before, needs no transaction."""
    assert not Decision(state=STATE, commands=(WriteNote(RELEASE),)).is_durable
