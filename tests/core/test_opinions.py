"""What people think of verdicts, and what the daemon would have done."""

from __future__ import annotations

import pytest

from tests.events import JOB, RELEASE, batch, pause, person, watching
from tests.playbook import Story, expect, play
from watcher.core import counters
from watcher.core.aftermath import ladder_in_words, question
from watcher.core.messages import Accepted, Judgement, QueueRollback, Refused
from watcher.core.policy import Mode
from watcher.core.release import Phase, RollbackState
from watcher.core.state import State

CRASH = batch(errors=1, at="1m")
QUIET = (batch(entries=1, at="1m"), batch(at="15m"))


def _failed(mode: Mode = Mode.OBSERVE) -> State:
    return play(watching(limit=1, mode=mode), CRASH).state


def _passed() -> State:
    return play(watching(mode=Mode.OBSERVE), *QUIET).state


def _inconclusive() -> State:
    return play(watching(mode=Mode.OBSERVE), batch(at="15m")).state


def _counts(story: Story) -> tuple[int, int]:
    agreed, disagreed = (story.counter(counters.OPINIONS, JOB, word) or 0 for word in counters.AGREEMENTS)
    return agreed, disagreed


@pytest.mark.parametrize(
    ("begin", "judgement", "agrees"),
    [
        (_failed(), Judgement.FAIL, True),
        (_failed(), Judgement.PASS, False),
        (_failed(), Judgement.ROLLBACK, True),
        (_failed(Mode.ASK), Judgement.ROLLBACK, True),
        (_failed(Mode.ASK), Judgement.CANCEL, False),
        (_failed(Mode.ASK), Judgement.FAIL, True),
        (_passed(), Judgement.PASS, True),
        (_passed(), Judgement.FAIL, False),
        (_passed(), Judgement.ROLLBACK, False),
        (_inconclusive(), Judgement.PASS, None),
        (_inconclusive(), Judgement.FAIL, None),
    ],
)
def test_a_decision_after_the_end_tells_whether_the_verdict_was_right(
    begin: State,
    judgement: Judgement,
    agrees: bool | None,  # noqa: FBT001 - a column of the table
) -> None:
    """It stands in the record with its author and reason, and is counted; phase and verdict stay."""
    phase = begin.releases[RELEASE].phase
    story = play(begin, person(judgement, at="20m", reason="seen the graphs"))
    opinion = story.last.record.opinion
    assert opinion is not None
    assert (agrees, judgement, "deploy") == (opinion.agrees, opinion.judgement, opinion.author)
    assert phase is story.last.phase
    assert (int(agrees is True), int(agrees is False)) == _counts(story)


def test_the_same_decision_again_changes_nothing() -> None:
    """Not even a counter."""
    story = play(_failed(), person(Judgement.FAIL, at="20m"), person(Judgement.FAIL, at="21m"))
    assert isinstance(story.answer, Accepted)
    assert not story.decisions[-1].is_durable
    assert (1, 0) == _counts(story)


def test_whoever_changes_their_mind_is_counted_again_and_the_last_word_stands() -> None:
    """Counters do not fall; ordering what was called right is no other mind."""
    story = play(
        _failed(),
        person(Judgement.FAIL, at="20m"),
        person(Judgement.ROLLBACK, at="21m"),
    )
    assert (1, 0) == _counts(story)
    then = play(_failed(), person(Judgement.FAIL, at="20m"), person(Judgement.PASS, at="21m"))
    assert (1, 1) == _counts(then)
    assert then.last.record.opinion is not None
    assert False is then.last.record.opinion.agrees


def test_calling_a_failed_release_good_drops_its_held_rollback() -> None:
    """Nobody has to cancel it as well."""
    story = play(_failed(Mode.ASK), person(Judgement.PASS, at="20m", reason="a broken probe"))
    expect(
        story,
        "1200s import-1 opinion disagreed",
        "1200s import-1 rollback held -> none: decided by a person: a broken probe",
        "WriteNote import-1",
    )


def test_calling_a_passed_release_bad_runs_nothing() -> None:
    """A rollback is another decision."""
    story = play(_passed(), person(Judgement.FAIL, at="20m"))
    assert not [one for step in story.commands for one in step if isinstance(one, QueueRollback)]
    assert (Phase.PASSED, RollbackState.NONE) == (story.last.phase, story.last.rollback)


def test_a_persons_own_verdict_is_none_of_ours() -> None:
    """There is nothing to agree with."""
    story = play(watching(), person(Judgement.FAIL, at="1m"), person(Judgement.FAIL, at="2m"))
    assert (None, (0, 0)) == (story.last.record.opinion, _counts(story))
    assert isinstance(play(story.state, person(Judgement.PASS, at="3m")).answer, Refused)


def test_dropping_what_would_have_been_held_anyway_is_no_disagreement() -> None:
    """Under a pause the daemon proposed nothing but to wait for a person."""
    begin = play(watching(limit=1), pause(at="1s"), CRASH).state
    story = play(begin, person(Judgement.CANCEL, at="20m"))
    assert story.last.record.opinion is not None
    assert (None, (0, 0)) == (story.last.record.opinion.agrees, _counts(story))


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.ASK])
@pytest.mark.parametrize(
    ("paused", "words"),
    [
        (
            False,
            "In mode rollback the daemon would have run the rollback at once: 1 error match in 0ms, limit 1 in 2m.",
        ),
        (True, "In mode rollback the daemon would have left the rollback to a person: automatic rollbacks are paused"),
    ],
)
def test_the_record_says_what_mode_rollback_would_have_done(mode: Mode, paused: bool, words: str) -> None:  # noqa: FBT001 - a column of the table
    """In observe and ask, and how to answer."""
    begin = watching(limit=1, mode=mode)
    story = play(play(begin, pause(at="1s")).state if paused else begin, CRASH)
    assert words in ladder_in_words(story.last.record)
    assert "`watcher release fail import-1 --reason TEXT` says yes" in question(story.last.record)
    judged = play(story.state, person(Judgement.FAIL, at="2m", reason="it was"))
    assert "deploy agreed with the verdict (fail): it was." in ladder_in_words(judged.last.record)
    assert "" == question(judged.last.record)


def test_mode_rollback_asks_nobody() -> None:
    """What it did stands there already."""
    record = play(watching(limit=1), CRASH).last.record
    assert ("", "") == (ladder_in_words(record), question(record))
