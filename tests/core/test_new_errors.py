"""Kinds of errors that the job did not have before: crossed, nearly crossed, not applicable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import RELEASE, baseline, baseline_read, batch, error, instant, match, span, watching
from watcher.core.engine import decide
from watcher.core.messages import Event
from watcher.core.new_errors import KINDS_KEPT, PENDING_KEPT, NewErrorCount
from watcher.core.policy import NewErrors
from watcher.core.reason import ReasonCode
from watcher.core.reason_words import say
from watcher.core.release import Phase, Release, Verdict
from watcher.core.state import State
from watcher.core.thresholds import standing

THREE = NewErrors(count=3, lookback=span("14d"))


def open_window() -> State:
    return watching(thresholds=(THREE,), window="1h")


def after(*events: Event) -> Release:
    state = open_window()
    for event in events:
        state = decide(state, event).state
    return state.releases[RELEASE]


def errors(*kinds: str) -> list[Event]:
    """A batch a minute with an error of each kind."""
    return [batch(error(f"{number}m", kind), at=f"{number}m1s") for number, kind in enumerate(kinds, start=1)]


@pytest.mark.parametrize("kinds", [("a", "b", "c"), ("a", "a", "a")])
def test_three_entries_of_new_kinds(kinds: tuple[str, ...]) -> None:
    """The third one fails the release, whether it is of a third kind or of the same."""
    ended = after(baseline_read(baseline(kinds=("old",))), *errors(*kinds))
    assert (Phase.FAILED, instant("3m")) == (ended.phase, ended.ended_at)
    new = len(set(kinds))
    assert [f"3 error entries of kinds not seen before the release ({new} new), limit 3"] == [
        say(reason) for reason in ended.reasons
    ]


def test_known_kinds_do_not_count() -> None:
    """What the job had before may go on; the record says how often."""
    known = after(
        baseline_read(baseline(kinds=("old",))),
        *errors("old", "old", "a", "old", "old", "b"),
        batch(at="1h", entries=1),
    )
    assert Verdict.PASSED is known.verdict
    assert "2 new, 1 known x4" == standing(known.trial.counts[0]).detail


@pytest.mark.parametrize("when", range(5))
def test_the_past_may_come_late(when: int) -> None:
    """Errors wait for it, and are judged at their own instants."""
    events = errors("a", "old", "b", "c")
    ended = after(*events[:when], baseline_read(baseline(kinds=("old",)), at=f"{when}m2s"), *events[when:])
    assert (Phase.FAILED, instant("4m")) == (ended.phase, ended.ended_at)


def test_a_flood_of_one_kind_hides_no_other() -> None:
    """While the past is being read so many of a kind are kept as could cross; all are counted, and new ones found."""
    flood = batch(*(error("1m", "old") for _ in range(2 * PENDING_KEPT)), at="2m")
    known = baseline_read(baseline(kinds=("old",)), at="9m")
    assert f"{2 * PENDING_KEPT} errors wait for the baseline" == standing(after(flood).trial.counts[0]).detail
    (count,) = after(flood, known).trial.counts
    assert f"0 new, 1 known x{2 * PENDING_KEPT}" == standing(count).detail
    late = [batch(error(at, "new"), at=at) for at in ("3m", "4m", "5m")]
    ended = after(flood, *late, known)
    assert (Phase.FAILED, instant("5m")) == (ended.phase, ended.ended_at)


def test_more_kinds_than_can_wait_for_the_past() -> None:
    """What found no room was not judged: the release can't pass, and says so. Where nothing is judged it is no loss."""
    many = [f"kind-{number}" for number in range(PENDING_KEPT)]
    flood = batch(*(error("1m", kind) for kind in many), error("2m", "new"), error("2m", "new"), at="3m")
    over = batch(at="1h", entries=1)
    ended = after(flood, baseline_read(baseline(kinds=tuple(many)), at="9m"), over)
    assert Verdict.INCONCLUSIVE is ended.verdict
    assert ["judged in part: 3 new errors: 2 errors and runs found no room while the baseline was being read"] == [
        say(reason) for reason in ended.reasons
    ]
    unknown = after(flood, baseline_read(baseline(whole="30m"), at="9m"), over)
    assert [ReasonCode.NOTHING_JUDGED, ReasonCode.NOT_APPLICABLE] == [reason.code for reason in unknown.reasons]


def test_a_past_that_is_shorter_than_the_window() -> None:
    """Nobody knows what is new then: the release is not failed for it."""
    ended = after(baseline_read(baseline(whole="30m")), *errors("a", "b", "c"), batch(at="1h", entries=1))
    assert Verdict.INCONCLUSIVE is ended.verdict
    assert (
        "not applicable: 3 new errors: only 30m before the release were read without a hole, at least 1h are needed"
        == say(ended.reasons[1])
    )


def test_a_past_that_was_not_read_up_to_the_release() -> None:
    """What the job logged between there and the release is unknown, not new: the release is not failed for it."""
    cut = replace(baseline(), until=instant("-1d"), limited=True)
    ended = after(baseline_read(cut), *errors("a", "b", "c"), batch(at="1h", entries=1))
    assert Verdict.INCONCLUSIVE is ended.verdict
    assert "so what began of late would be new" in say(ended.reasons[1])


def test_matches_are_no_concern_of_it() -> None:
    """Only kinds count: a match is one entry, and its kind comes apart from it."""
    ended = after(baseline_read(), *(batch(match(f"{one}m"), at=f"{one}m") for one in range(9)), batch(at="1h"))
    assert Verdict.PASSED is ended.verdict


def test_state_is_bounded() -> None:
    """However many kinds come, the record holds some of them by name."""
    seen = [error("1m", f"kind-{number}") for number in range(100)]
    release = after(baseline_read(baseline(kinds=tuple(one.kind for one in seen))), batch(*seen, at="2m"))
    (count,) = release.trial.counts
    assert isinstance(count, NewErrorCount)
    assert KINDS_KEPT == len(count.known)
