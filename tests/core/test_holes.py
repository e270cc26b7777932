"""Holes as the note tells them."""

from __future__ import annotations

from dataclasses import replace

from tests.events import JOB, batch, configured, gap, policy, release, request, watching
from tests.playbook import play
from watcher.core.coverage import GapReason
from watcher.core.holes import coverage_lines, gap_cells


def test_nothing_missing_is_said_in_one_sentence() -> None:
    """A whole window needs no table."""
    record = play(watching(), batch(entries=1, at="1m")).last.record
    assert ["Complete: no hole was found in what was read of the window."] == list(coverage_lines(record))


def test_each_hole_stands_in_a_row() -> None:
    """Why, from when to when, how long, how much, whose."""
    record = play(watching(), batch(at="3m", gaps=(gap("1m", "150s", entries=7),))).last.record
    heading, holes = coverage_lines(record)
    assert heading.startswith("NOT complete")
    assert "missing: entries are missing from the journal" in holes
    assert "1m30s" in holes
    assert "every job" in holes


def test_what_is_not_known_of_a_hole_is_said() -> None:
    """Each reason has its words, and no number is made up."""
    for reason in GapReason:
        why, *_, entries, job = gap_cells(gap("1m", "2m", reason=reason, entries=None, job=JOB))
        assert why.startswith(f"{reason}: ")
        assert ("unknown", f"`{JOB}`") == (entries, job)


def test_a_window_that_never_opened_has_nothing_to_miss() -> None:
    """A prepared release."""
    prepared = release(replace(request(), prepare=True))
    record = play(configured(policy()), prepared).last.record
    assert ["Nothing was to be read: the window never opened."] == list(coverage_lines(record))
