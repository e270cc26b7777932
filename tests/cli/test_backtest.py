"""What is known of past releases; whole backtests over real journals are in tests/test_backtest.py."""

from __future__ import annotations

import pytest

from tests.events import batch, match, person, watching
from tests.playbook import play
from watcher.cli.backtest import was_bad
from watcher.core.messages import Judgement
from watcher.core.policy import Mode
from watcher.core.shown import shown_release


@pytest.mark.parametrize(
    ("errors", "judgement", "expected"),
    [
        (5, None, True),
        (0, None, False),
        (5, Judgement.PASS, False),
        (5, Judgement.FAIL, True),
        (0, Judgement.FAIL, True),
        (0, Judgement.PASS, False),
    ],
)
def test_a_person_knows_better_than_the_verdict(errors: int, judgement: Judgement | None, *, expected: bool) -> None:
    """A false alarm that somebody named is a good release, one that was missed a bad one."""
    found = [match("1m")] * errors
    said = [] if judgement is None else [person(judgement, at="20m")]
    story = play(watching(mode=Mode.OBSERVE), batch(*found, entries=1, at="2m"), batch(at="15m"), *said)
    assert expected is was_bad(shown_release(story.last.record))


def test_nothing_is_known_of_what_had_no_verdict() -> None:
    """Neither of an inconclusive release, nor of one that is still watched."""
    assert was_bad(shown_release(play(watching(), batch(at="15m")).last.record)) is None
    assert was_bad(shown_release(play(watching(), batch(at="1m")).last.record)) is None
