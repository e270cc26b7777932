"""Durable counters: the buckets, and what exists from the start."""

from __future__ import annotations

import pytest

from tests.events import JOB, OTHER_JOB, RULES, policy
from watcher.core import counters
from watcher.core.coverage import GapReason
from watcher.core.duration import SECOND, Usec


@pytest.mark.parametrize(
    ("usec", "le"),
    [(0, "0.5"), (SECOND // 2, "0.5"), (SECOND // 2 + 1, "1.0"), (600 * SECOND, "600.0"), (600 * SECOND + 1, "+Inf")],
)
def test_a_bucket_holds_what_is_up_to_its_bound(usec: int, le: str) -> None:
    """The bound itself belongs to the bucket, as Prometheus has it; past the last one there is `+Inf`."""
    assert le == counters.bucket(Usec(usec), counters.DURATION_BUCKETS)


def test_every_series_of_a_job_exists_from_the_start() -> None:
    """Each rule with its severity, each verdict, the rollbacks: at 0, for each job."""
    series = counters.zeroes([policy(), policy(job=OTHER_JOB)])
    assert {0} == set(series.values())
    for job in (JOB, OTHER_JOB):
        assert (counters.ENTRIES, job) in series
        assert {(counters.MATCHES, job, rule, severity) for rule, severity in RULES.items()} <= series.keys()
        assert {(counters.VERDICTS, job, word) for word in ("passed", "failed", "inconclusive")} <= series.keys()
        assert {(counters.ROLLBACKS, job), (counters.ROLLBACK_FAILURES, job)} <= series.keys()


def test_what_belongs_to_no_job_exists_without_jobs() -> None:
    """Gaps and restarts of the reader have a series for each word."""
    gaps = {(counters.GAPS, str(reason)) for reason in GapReason}
    restarts = {(counters.RESTARTS, reason) for reason in counters.RESTART_REASONS}
    assert gaps | restarts == counters.zeroes([]).keys()


def test_the_names_are_the_contracts() -> None:
    """Dashboards are written against them."""
    names = {series[0] for series in counters.zeroes([policy()])}
    assert {
        "watcher_journal_entries_total",
        "watcher_rule_matches_total",
        "watcher_runs_total",
        "watcher_journal_gaps_total",
        "watcher_journal_reader_restarts_total",
        "watcher_release_verdicts_total",
        "watcher_rollbacks_total",
        "watcher_rollback_failures_total",
        "watcher_release_opinions_total",
        "watcher_rollback_verifications_total",
    } == names
