"""What always holds of conditions on the past: however the journal is cut, whenever the past comes, after any crash."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.events import ERROR, ODD, RELEASE, START, baseline, baseline_read, batch, error, gap, match, span, watching
from watcher.core.duration import SECOND, Usec
from watcher.core.engine import decide
from watcher.core.found import Found
from watcher.core.messages import BatchRead, Event
from watcher.core.policy import AboveBaseline, NewErrors
from watcher.core.reason import Reason, ReasonCode
from watcher.core.record import from_record, to_record
from watcher.core.release import Phase
from watcher.core.severity import Severity
from watcher.core.state import State

ABOVE = AboveBaseline(severity=Severity.ERROR, factor=2.0, confidence=0.95, lookback=span("14d"))
NEW = NewErrors(count=3, lookback=span("14d"))
Outcome = tuple[Phase, Usec | None, tuple[Reason, ...]]

seconds = st.integers(0, 3599)
finds = st.lists(
    st.one_of(
        st.builds(lambda at, rule: match(Usec(START + at * SECOND), rule), seconds, st.sampled_from([ERROR, ODD])),
        st.builds(
            lambda at, kind: error(Usec(START + at * SECOND), kind), seconds, st.sampled_from(["old", "new", "newer"])
        ),
    ),
    max_size=25,
).map(lambda found: sorted(found, key=lambda one: one.at))
before = st.integers(0, 2000)


def window() -> State:
    return watching(thresholds=(ABOVE, NEW), window="1h")


def ended(events: list[Event], *, crashes: bool = False) -> Outcome:
    """What becomes of the release; with `crashes` its record goes through the store after every event."""
    state = window()
    for event in events:
        state = decide(state, event).state
        if crashes:
            record = json.loads(json.dumps(to_record(state.releases[RELEASE])))
            state = replace(state, releases={RELEASE: from_record(record)})
    release = state.releases[RELEASE]
    return release.phase, release.ended_at, release.reasons


def past(error_minutes: int) -> Event:
    return baseline_read(baseline(error_minutes=error_minutes, kinds=("old",)))


def pieces(found: list[Found], cuts: list[int]) -> list[Event]:
    """The finds in batches that end at these places, then the end of the window."""
    edges = sorted({min(cut, len(found)) for cut in cuts} | {0, len(found)})
    parts = [found[first:last] for first, last in pairwise(edges)]
    return [*(batch(*part, at=Usec(part[-1].at + 1)) for part in parts), batch(at="1h", entries=1)]


@given(
    found=finds,
    old=before,
    cuts=st.lists(st.integers(0, 25), max_size=6),
    late=st.integers(0, 7),
    crashes=st.booleans(),
)
@settings(deadline=None)
def test_neither_cuts_nor_crashes_nor_a_late_past_change_the_outcome(
    found: list[Found], old: int, cuts: list[int], late: int, *, crashes: bool
) -> None:
    """The same verdict, reasons and instant."""
    events = pieces(found, cuts)
    place = min(late, len(events))
    expected = ended([past(old), *pieces(found, [])])
    assert expected == ended([*events[:place], past(old), *events[place:]], crashes=crashes)


@given(finds, before, st.lists(st.tuples(seconds, seconds), min_size=1, max_size=3))
@settings(deadline=None)
def test_a_hole_since_the_release_starts_no_failure(found: list[Found], old: int, holes: list[tuple[int, int]]) -> None:
    """It only ever keeps a release from passing."""
    gaps = tuple(gap(Usec(START + min(hole) * SECOND), Usec(START + max(hole) * SECOND)) for hole in holes)
    whole = ended([past(old), *pieces(found, [])])
    *first, last = pieces(found, [])
    assert isinstance(last, BatchRead)
    holed = ended([past(old), BatchRead(at=START, read_until=START, gaps=gaps), *first, last])
    assert (Phase.FAILED is whole[0]) == (Phase.FAILED is holed[0])
    assert Phase.PASSED is not holed[0]


@given(finds, before, finds)
@settings(deadline=None)
def test_more_errors_never_save_a_release(found: list[Found], old: int, more: list[Found]) -> None:
    """What failed goes on failing, no later than before."""
    less = ended([past(old), *pieces(found, [])])
    worse = ended([past(old), *pieces(sorted([*found, *more], key=lambda one: one.at), [])])
    if less[0] is Phase.FAILED:
        assert Phase.FAILED is worse[0]
        assert worse[1] is not None
        assert less[1] is not None
        assert worse[1] <= less[1]


@pytest.mark.parametrize("late", [False, True])
def test_one_entry_that_crosses_both(*, late: bool) -> None:
    """Its match comes before its kind, so the release fails by that, whenever the past comes."""
    entries = [batch(match(at), error(at, "new"), at=at) for at in ("1m", "2m", "3m")]
    known = past(0)
    phase, at, reasons = ended([*entries, known] if late else [known, *entries])
    assert (Phase.FAILED, START + 180 * SECOND) == (phase, at)
    assert [ReasonCode.ABOVE_BASELINE] == [reason.code for reason in reasons]
