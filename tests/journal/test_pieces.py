"""A long range that is read in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journal.bursts import BEGIN, JOB, around, burst, suspect
from tests.parts.journals import START, write_journal
from watcher.core.duration import SECOND, Usec
from watcher.core.piece import Piece, joined
from watcher.journal.elsewhere import UNKNOWN
from watcher.journal.pieces import OVERLAP, Part, read_piece
from watcher.journal.source import Source

END = Usec(BEGIN + 90 * SECOND)


def _in_two(source: Source, seam: Usec) -> Piece:
    parts = (
        Part(begin=Usec(START), since=Usec(START), until=seam),
        Part(begin=Usec(max(seam - OVERLAP, START)), since=seam, until=END),
    )
    return joined([read_piece(source, JOB, part, UNKNOWN) for part in parts])


@pytest.mark.parametrize("seam", [-1, 2.5, 5.5, 20, 29, 31, 45])
def test_a_unit_that_was_cut_off_near_a_seam(tmp_path: Path, seam: float) -> None:
    """Told once, whichever part saw it end, and no entry is counted twice."""
    source = Source(directory=str(write_journal(tmp_path / "journal", around(burst(10_000)))))
    whole = read_piece(source, JOB, Part(begin=Usec(START), since=Usec(START), until=END), UNKNOWN)
    two = _in_two(source, Usec(BEGIN + int(seam * SECOND)))
    assert [suspect()] == list(whole.gaps)
    assert (whole.gaps, whole.entries) == (two.gaps, two.entries)
    assert sum(one.entries for one in whole.tallies) == sum(one.entries for one in two.tallies)
