"""The contract's metrics, made of the adopted state at the instant of the scrape.

Nothing is counted here, so no number can differ from what is stored. Labels come from the configuration and closed
choices; the one exception is `watcher_release_info`: id and version of open windows and of each job's last release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from watcher.adapters.front import Facts, Front
from watcher.adapters.standing import standings
from watcher.core import counters
from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName
from watcher.core.release import Phase, Release
from watcher.core.state import OPEN_PHASES, Series, State

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    counters.ENTRIES: ("Journal entries of the job that were read.", ("job_name",)),
    counters.MATCHES: ("Entries of the job on which the rule fired.", ("job_name", "rule", "severity")),
    counters.RUNS: ("Runs of the job that ended, by PID 1's own records.", ("job_name", "outcome")),
    counters.GAPS: ("Holes found in what was read of the journal.", ("reason",)),
    counters.RESTARTS: ("Times that the process that reads the journal was replaced.", ("reason",)),
    counters.VERDICTS: ("Verdicts on releases of the job.", ("job_name", "verdict")),
    counters.ROLLBACKS: ("Rollback commands of the job that were started.", ("job_name",)),
    counters.OPINIONS: ("Verdicts with which a person agreed or did not.", ("job_name", "agreement")),
    counters.VERIFICATIONS: ("Rollbacks of the job by what became of it afterwards.", ("job_name", "helped")),
    counters.ROLLBACK_FAILURES: ("Rollbacks of the job that failed or whose end is unknown.", ("job_name",)),
}


def registry_of(front: Front) -> CollectorRegistry:
    """A registry of its own with everything that the daemon shows."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StateCollector(front))
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The metrics in Prometheus' text format (`CONTENT_TYPE`)."""
    return generate_latest(registry)


class StateCollector(Collector):
    """Every metric of the contract, read from the daemon's state at each scrape."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def collect(self) -> Iterator[Metric]:
        """All families, in the order of the contract."""
        state, now, facts = self._front.state, self._front.now(), self._front.facts()
        yield from _daemon(facts, is_ready=self._front.trouble() is None)
        yield from _counters(state)
        yield from _journal(state, now)
        yield from _releases(state, now)
        yield _rollback_duration(state)
        yield _detection_latency(state)
        yield _gauge(
            "watcher_paused",
            "1 while automatic rollbacks of the job are held, by a pause or by the off switch.",
            {(job,): float(facts.holds(state, job, now)) for job in state.policies},
        )


def _daemon(facts: Facts, *, is_ready: bool) -> Iterator[Metric]:
    yield _gauge("watcher_build_info", "The version that runs.", {(facts.version,): 1.0}, ("version",))
    yield _gauge(
        "watcher_ready",
        "1 while the journal is really being read and decisions can be stored, as /-/ready says.",
        {(): float(is_ready)},
        (),
    )
    yield _gauge("watcher_config_info", "The configuration in use.", {(facts.config_hash,): 1.0}, ("hash",))
    yield _gauge(
        "watcher_config_last_reload_successful",
        "1 if the last attempt to load a configuration succeeded.",
        {(): float(facts.reload_successful)},
        (),
    )
    yield _gauge(
        "watcher_config_last_reload_success_timestamp_seconds",
        "When the configuration in use took effect.",
        {(): _seconds(facts.reloaded_at)},
        (),
    )


def _counters(state: State) -> Iterator[Metric]:
    known = counters.zeroes(state.policies.values())
    for name, (words, labels) in _COUNTERS.items():
        family = CounterMetricFamily(name, words, labels=labels)
        for series in known:
            if series[0] == name:
                family.add_metric(series[1:], state.counters.get(series, 0))
        yield family


def _journal(state: State, now: Usec) -> Iterator[Metric]:
    """The lag has no number, and so no sample, until the journal was read for the first time."""
    read_until = state.read_until
    yield _gauge(
        "watcher_journal_lag_seconds",
        "How far reading is behind: every older entry has been read.",
        {} if read_until is None else {(): max(_seconds(Usec(now - read_until)), 0.0)},
        (),
    )
    yield _gauge(
        "watcher_journal_last_entry_timestamp_seconds",
        "Instant of the newest entry that was read, 0 if there was none.",
        {(): _seconds(state.last_entry_at)},
        (),
    )


def _releases(state: State, now: Usec) -> Iterator[Metric]:
    latest = {(job,): _latest(state, job) for job in state.policies}
    open_now = {key: one is not None and one.phase is Phase.WATCHING for key, one in latest.items()}
    yield _release_info(state)
    yield _gauge(
        "watcher_release_window_active",
        "1 while a watch window of the job is open.",
        {key: float(is_open) for key, is_open in open_now.items()},
    )
    yield _gauge(
        "watcher_release_window_start_timestamp_seconds",
        "When the job's last watch window began, 0 if there was none.",
        {key: _seconds(one.started_at if one else None) for key, one in latest.items()},
    )
    yield _gauge(
        "watcher_release_window_end_timestamp_seconds",
        "When the job's last watch window ended, or will end; 0 if there was none.",
        {key: _seconds(_end(one)) for key, one in latest.items()},
    )
    yield _threshold_ratio(state, now)


def _release_info(state: State) -> Metric:
    shown = {one.id: one for one in state.releases.values() if one.phase in OPEN_PHASES}
    shown |= {one.id: one for job in state.policies if (one := _latest(state, job)) is not None}
    return _gauge(
        "watcher_release_info",
        "Releases whose window is open, and each job's last one.",
        {(one.job, one.id, one.request.version): 1.0 for one in shown.values() if one.job in state.policies},
        ("job_name", "release_id", "version"),
    )


def _threshold_ratio(state: State, now: Usec) -> Metric:
    ratios: dict[tuple[str, ...], float] = {}
    for job, policy in state.policies.items():
        ratios |= {(job, threshold.label): 0.0 for threshold in policy.release.thresholds}
        latest = _latest(state, job)
        for standing in standings(latest, now) if latest is not None else ():
            key = (job, standing.label)
            ratios[key] = max(ratios.get(key, 0.0), standing.ratio)
    return _gauge(
        "watcher_release_threshold_ratio",
        "How near the job's last release is, or came, to the threshold; 1 is crossed.",
        ratios,
        ("job_name", "threshold"),
    )


def _rollback_duration(state: State) -> Metric:
    name = counters.ROLLBACK_DURATION
    family = HistogramMetricFamily(name, "How long rollback commands of the job ran.", labels=("job_name",))
    for job in state.policies:
        buckets = _cumulated(state, (f"{name}_bucket", job), counters.DURATION_BUCKETS)
        family.add_metric((job,), buckets, _sum(state, (f"{name}_sum_usec", job)))
    return family


def _detection_latency(state: State) -> Metric:
    name = counters.DETECTION_LATENCY
    family = HistogramMetricFamily(name, "From the entry that crossed a threshold to the decision.")
    buckets = _cumulated(state, (f"{name}_bucket",), counters.LATENCY_BUCKETS)
    family.add_metric((), buckets, _sum(state, (f"{name}_sum_usec",)))
    return family


def _cumulated(state: State, series: Series, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
    buckets, total = [], 0
    for le in (*map(str, bounds), "+Inf"):
        total += state.counters.get((*series, le), 0)
        buckets.append((le, float(total)))
    return buckets


def _sum(state: State, series: Series) -> float:
    return state.counters.get(series, 0) / SECOND


def _gauge(
    name: str, words: str, values: Mapping[tuple[str, ...], float], labels: Sequence[str] = ("job_name",)
) -> Metric:
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _latest(state: State, job: JobName) -> Release | None:
    """The release that the job's gauges are about: a new one ends its predecessor, so the last one is the open one."""
    last = state.last.get(job)
    return None if last is None else state.releases.get(last)


def _end(release: Release | None) -> Usec | None:
    if release is None or release.started_at is None:
        return None
    return release.ends_at if release.ended_at is None else release.ended_at


def _seconds(at: Usec | None) -> float:
    return 0.0 if at is None else at / SECOND
