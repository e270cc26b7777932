"""The simulation behind the table of docs/statistics.md, in small."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detection import CASES, Case, failing, simulate


@pytest.mark.parametrize("case", CASES[:3], ids=lambda case: case.name)
def test_windows_without_a_change(case: Case) -> None:
    """Of windows without a change hardly any fails: no more than the confidence allows."""
    assert simulate(case, 1.0, 2000, np.random.default_rng(1)).share <= 1 - case.confidence


def test_a_job_that_breaks_wholly() -> None:
    """A job that begins to fail in every run fails its release, after a handful of runs."""
    found = simulate(CASES[1], 50.0, 2000, np.random.default_rng(1))
    assert found.share > 0.99
    assert found.delay is not None
    assert found.delay <= 8


def test_bursts_have_their_share_and_length() -> None:
    """Failing trials come as often as asked for, in rows as long as asked for."""
    trials = failing(0.1, 5.0, (200, 5000), np.random.default_rng(1))
    starts = (trials[:, 1:] & ~trials[:, :-1]).sum()
    assert trials.mean() == pytest.approx(0.1, rel=0.1)
    assert trials.sum() / starts == pytest.approx(5, rel=0.1)
