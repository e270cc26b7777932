"""The durable counters by their contract names, and the buckets of the durable histograms.

A counter is `(metric, *label values)`. A histogram is kept as `(metric_bucket, *labels, le)` in whole observations,
not cumulated, and `(metric_sum_usec, *labels)` in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from watcher.core.coverage import GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.found import COUNTED_OUTCOMES
from watcher.core.policy import JobPolicy
from watcher.core.release import Verdict

ENTRIES = "watcher_journal_entries_total"
MATCHES = "watcher_rule_matches_total"
RUNS = "watcher_runs_total"
GAPS = "watcher_journal_gaps_total"
RESTARTS = "watcher_journal_reader_restarts_total"
VERDICTS = "watcher_release_verdicts_total"
ROLLBACKS = "watcher_rollbacks_total"
ROLLBACK_FAILURES = "watcher_rollback_failures_total"
OPINIONS = "watcher_release_opinions_total"
VERIFICATIONS = "watcher_rollback_verifications_total"
ROLLBACK_DURATION = "watcher_rollback_duration_seconds"
DETECTION_LATENCY = "watcher_detection_latency_seconds"

RESTART_REASONS = ("died", "killed", "sigbus", "hung", "error", "config", "store")
"""Why a reader process was replaced: it ended by itself, by a signal, by SIGBUS, was silent too long, gave up, there
were new settings, or a commit failed."""

HELPED = ("helped", "did-not-help", "unknown")
"""What became of the job after its rollback."""

AGREEMENTS = ("agreed", "disagreed")
"""What a person thought of a verdict."""

DURATION_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


def bucket(span: Usec, bounds: tuple[float, ...]) -> str:
    """The `le` label of the bucket that `span` falls into, `+Inf` past the last bound."""
    return next((str(bound) for bound in bounds if span <= bound * SECOND), "+Inf")


def zeroes(policies: Iterable[JobPolicy]) -> dict[tuple[str, ...], int]:
    """Every counter that exists from the start, at 0: one for each configured job, rule and closed choice."""
    series: dict[tuple[str, ...], int] = {(GAPS, reason): 0 for reason in GapReason}
    series |= {(RESTARTS, reason): 0 for reason in RESTART_REASONS}
    for policy in policies:
        series[ENTRIES, policy.name] = 0
        series |= {(MATCHES, policy.name, rule, severity): 0 for rule, severity in policy.rules.items()}
        series |= {(RUNS, policy.name, outcome): 0 for outcome in COUNTED_OUTCOMES}
        series |= {(VERDICTS, policy.name, verdict): 0 for verdict in Verdict}
        series |= {(ROLLBACKS, policy.name): 0, (ROLLBACK_FAILURES, policy.name): 0}
        series |= {(OPINIONS, policy.name, agreement): 0 for agreement in AGREEMENTS}
        series |= {(VERIFICATIONS, policy.name, outcome): 0 for outcome in HELPED}
    return series
