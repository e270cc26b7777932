"""Pieces of the journal that were read apart make one, as if nothing had been cut."""

from __future__ import annotations

from tests.events import began, gap, instant, match, of_run, run
from watcher.core.found import Found
from watcher.core.piece import Piece, joined


def piece(since: str, until: str, *found: Found) -> Piece:
    return Piece(since=instant(since), until=instant(until), entries=10, found=found, gaps=(gap(since, since),))


def test_pieces_follow_each_other() -> None:
    """All that each holds, in order."""
    whole = joined([piece("0s", "1h", match("1m")), piece("1h", "2h", match("1h1m"))])
    assert (instant("0s"), instant("2h"), 20) == (whole.since, whole.until, whole.entries)
    assert (match("1m"), match("1h1m")) == whole.found
    assert 2 == len(whole.gaps)


def test_a_run_over_the_seam() -> None:
    """Its begin lies in the piece before: its end and its entries are told of it."""
    first = piece("0s", "1h", began("50m", 1))
    second = piece("1h", "2h", of_run(match("1h1m"), 1, since=None), run("1h2m", 1, since=None))
    assert (began("50m", 1), of_run(match("1h1m"), 1, since="50m"), run("1h2m", 1, since="50m")) == joined(
        [first, second]
    ).found


def test_no_run_ends_twice() -> None:
    """PID 1 may write of a failure again after the seam."""
    ended = run("59m", 1, failed=True)
    assert (ended,) == joined([piece("0s", "1h", ended), piece("1h", "2h", run("1h1m", 1, failed=True))]).found
