"""Releases that an older program stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from watcher.core.codec import RecordError
from watcher.core.duration import Usec
from watcher.core.match_count import MatchCount
from watcher.core.record import from_record, to_record
from watcher.core.release import Phase

RECORDS = Path(__file__).parent / "records"
"""Records as older programs stored them."""


def test_window_of_version_one_goes_on() -> None:
    """What an older program had counted in an open window is in the trial of today, and nothing is lost."""
    release = from_record(json.loads((RECORDS / "watching.v1.json").read_text()))
    trial, first = release.trial, Usec(1_800_000_006_000_000)
    assert (1_800_000_000_000_000, 1_800_000_005_000_000, 1_800_000_900_000_000) == (
        trial.start, trial.settles_at, trial.end,
    )  # fmt: skip
    assert ((("boom", 2), ("odd", 1)), 1, True) == (trial.matches, trial.settling, trial.heard)
    assert ([(first, first + 1_000_000), ()], [2, 0]) == (
        [count.instants for count in trial.counts if isinstance(count, MatchCount)],
        [count.peak for count in trial.counts if isinstance(count, MatchCount)],
    )  # fmt: skip
    assert release.policy.release.thresholds == tuple(count.threshold for count in trial.counts)
    assert (2, 1) == (len(trial.sightings), len(trial.gaps))
    assert release == from_record(json.loads(json.dumps(to_record(release))))


def test_prepared_release_of_version_one_has_no_window_yet() -> None:
    """Its clock is started by today's program."""
    release = from_record(json.loads((RECORDS / "prepared.v1.json").read_text()))
    assert (Phase.PREPARING, None, None, 1) == (
        release.phase, release.started_at, release.settles_at, len(release.trial.counts),
    )  # fmt: skip


def test_what_only_says_that_it_is_of_version_one_is_refused() -> None:
    """A damaged record is an error with its place, never a guess."""
    record = json.loads((RECORDS / "watching.v1.json").read_text())
    del record["counted"]
    with pytest.raises(RecordError, match=r"^release: not a record of version 1: KeyError\('counted'\)"):
        from_record(record)
