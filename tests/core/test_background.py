"""What the note says of the past and of kinds of errors, with hostile examples made harmless."""

from __future__ import annotations

from tests.events import RELEASE, baseline, baseline_read, batch, error, span, watching
from watcher.core.background import baseline_lines, example_of, kind_lines, leftover_lines, to_read
from watcher.core.duration import Usec
from watcher.core.engine import decide
from watcher.core.excerpt import Excerpt, LeftoverKind, Leftovers, Line, ReadAgain
from watcher.core.messages import Event
from watcher.core.new_errors import NewErrorCount
from watcher.core.policy import NewErrors
from watcher.core.release import Release

NEW = NewErrors(count=9, lookback=span("14d"))


def after(*events: Event) -> Release:
    state = watching(thresholds=(NEW,), window="1h")
    for event in events:
        state = decide(state, event).state
    return state.releases[RELEASE]


def test_new_and_known_kinds_with_their_examples() -> None:
    """How many of each, and one line of each kind, escaped."""
    seen = batch(error("1m", "a"), error("2m", "old"), error("3m", "old"), at="4m")
    release = after(baseline_read(baseline(kinds=("old",))), seen)
    (count,) = release.trial.counts
    assert isinstance(count, NewErrorCount)
    (new,), (known,) = count.new, count.known
    assert (example_of(new), example_of(known)) == to_read(release.trial)
    again = ReadAgain(
        excerpts=(
            Excerpt(sighting=example_of(new), line=Line(at=new.at, message="row 7 \x1b[31m| lost")),
            Excerpt(sighting=example_of(known), line=None),
        )
    )
    total, table = kind_lines(release, again)
    assert "1 new, 1 known x2." == total
    assert "`row 7 \\x1b[31m\\| lost`" in table
    assert "| new   | 1       | `row <num>" in table
    assert "| known | 2       |" in table
    assert "not in the journal any more" in table


def test_a_past_that_can_not_tell() -> None:
    """Why, instead of numbers that mean nothing."""
    (line,) = kind_lines(after(baseline_read(baseline(whole="1m"))), ReadAgain())
    assert line.startswith("What is new can't be told: only 1m before the release")


def test_the_past_in_the_note() -> None:
    """While it is read, when it can't be read, and what it holds."""
    assert ["It is being read: what needs it waits for it."] == list(baseline_lines(after()))
    (problem,) = baseline_lines(after(baseline_read(baseline(problem="no such <b>"))))
    assert "It could not be read: no such \\<b>" == problem
    (table,) = baseline_lines(after(baseline_read(baseline(error_minutes=7, kinds=("old",)))))
    assert "20160, holes left out; without a hole the last 14d" in table
    assert "7, in 7 bursts" in table


def test_no_word_where_nothing_asks() -> None:
    """A job with thresholds on matches only has no baseline."""
    release = watching().releases[RELEASE]
    assert [] == [*baseline_lines(release), *kind_lines(release, ReadAgain())]


def test_errors_that_no_rule_matched() -> None:
    """How many, their kinds and the first of each, escaped; no word where there were none."""
    kind = LeftoverKind(count=3, at=Usec(1), message="disk 7 \x1b[31m<b>")
    said, table = leftover_lines(ReadAgain(leftovers=Leftovers(entries=3, kinds=(kind,))))
    assert said.startswith("3 entries of priority 3 or worse")
    assert "`disk 7 \\x1b[31m<b>`" in table
    assert [] == list(leftover_lines(ReadAgain(leftovers=Leftovers())))
    assert ["They could not be read: gone"] == list(leftover_lines(ReadAgain(leftovers=Leftovers(problem="gone"))))
