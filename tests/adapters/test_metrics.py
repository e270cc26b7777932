from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from tests.events import ERROR, JOB, OTHER_JOB, RELEASE, batch, configured, pause, person, policy, release, request
from tests.parts.front import MemoryFront
from tests.parts.prometheus import promtool
from watcher.adapters.metrics import exposition, registry_of
from watcher.core import counters
from watcher.core.coverage import GapReason
from watcher.core.messages import Judgement
from watcher.core.state import State

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
RATIO = "watcher_release_threshold_ratio"
THRESHOLD = "5 error matches in 2m"


def scraped(front: MemoryFront) -> Samples:
    text = exposition(registry_of(front)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(front: MemoryFront, name: str, **labels: str) -> float | None:
    return scraped(front).get((name, tuple(sorted(labels.items()))))


def test_every_series_of_a_job_is_there_at_zero_from_the_start() -> None:
    """Before the first entry, each counter of the configured job and its rules stands at 0."""
    seen = scraped(MemoryFront())
    per_job = [
        ("watcher_journal_entries_total", {}),
        ("watcher_rule_matches_total", {"rule": "boom", "severity": "error"}),
        ("watcher_release_verdicts_total", {"verdict": "inconclusive"}),
        ("watcher_rollbacks_total", {}),
        ("watcher_rollback_failures_total", {}),
        ("watcher_rollback_verifications_total", {"helped": "did-not-help"}),
        ("watcher_release_opinions_total", {"agreement": "disagreed"}),
        ("watcher_rollback_duration_seconds_count", {}),
        ("watcher_rollback_duration_seconds_bucket", {"le": "+Inf"}),
        ("watcher_release_window_active", {}),
        ("watcher_release_window_start_timestamp_seconds", {}),
        ("watcher_release_window_end_timestamp_seconds", {}),
        (RATIO, {"threshold": THRESHOLD}),
        ("watcher_paused", {}),
    ]
    for name, labels in per_job:
        assert 0 == seen[name, tuple(sorted({"job_name": JOB, **labels}.items()))], name
    assert {0.0} == {seen["watcher_journal_gaps_total", (("reason", reason),)] for reason in GapReason}
    assert 0 == seen["watcher_detection_latency_seconds_count", ()]


def test_promtool_finds_nothing_to_say_about_them() -> None:
    """Names, types and help texts are as Prometheus wants them, with an open window as well."""
    front = MemoryFront()
    front.take(release())
    assert (0, "") == promtool("check", "metrics", text=exposition(registry_of(front)))


def test_ready_is_what_the_ready_page_says() -> None:
    """For an alert that needs no second scrape."""
    front = MemoryFront()
    assert 1 == value(front, "watcher_ready")
    front.reason_not_ready = "the journal can't be read"
    assert 0 == value(front, "watcher_ready")


def test_nothing_is_named_created() -> None:
    """No series tells when its counter was made."""
    assert b"_created" not in exposition(registry_of(MemoryFront()))


def test_counters_are_those_of_the_state() -> None:
    """Entries, matches and the lag follow from what was read."""
    front = MemoryFront()
    front.take(batch(at="10s", errors=3, entries=4))
    front.pass_time(12)
    assert 7 == value(front, "watcher_journal_entries_total", job_name=JOB)
    assert 3 == value(front, "watcher_rule_matches_total", job_name=JOB, rule=ERROR, severity="error")
    assert 2 == value(front, "watcher_journal_lag_seconds")


def test_lag_has_no_number_before_anything_was_read() -> None:
    """An unknown lag is no lag of 0."""
    front = MemoryFront(state=State())
    assert value(front, "watcher_journal_lag_seconds") is None


def test_threshold_ratio_follows_the_open_window() -> None:
    """Three of five errors are 0.6, and 0 again once they lie further back than the span."""
    front = MemoryFront()
    front.take(release())
    front.take(batch(at="10s", errors=3))
    front.pass_time(20)
    assert 0.6 == value(front, RATIO, job_name=JOB, threshold=THRESHOLD)
    front.pass_time(120)
    assert 0 == value(front, RATIO, job_name=JOB, threshold=THRESHOLD)


def test_crossed_threshold_stays_at_one_until_the_next_release() -> None:
    """An alert on 1 does not miss a failure between two scrapes."""
    front = MemoryFront()
    front.take(release())
    front.take(batch(at="10s", errors=5))
    front.pass_time(600)
    assert 1 == value(front, RATIO, job_name=JOB, threshold=THRESHOLD)
    assert 0 == value(front, "watcher_release_window_active", job_name=JOB)
    assert 1 == value(front, "watcher_release_verdicts_total", job_name=JOB, verdict="failed")


def test_window_gauges_tell_begin_and_end() -> None:
    """An open window shows when it will end, an ended one when it did."""
    front = MemoryFront()
    front.take(release())
    start = front.at / 1_000_000
    active = value(front, "watcher_release_window_active", job_name=JOB)
    end = value(front, "watcher_release_window_end_timestamp_seconds", job_name=JOB)
    assert (1, start + 900) == (active, end)
    front.take(person(Judgement.PASS, at="60s"))
    assert start + 60 == value(front, "watcher_release_window_end_timestamp_seconds", job_name=JOB)


def test_release_info_names_the_last_release_of_each_job_only() -> None:
    """An old release leaves the exposition when the next one comes."""
    front = MemoryFront()
    front.take(release())
    front.take(release(request(version="3.0"), fresh_id=front.fresh_id(OTHER_JOB), at="5s"))
    shown = [dict(labels) for name, labels in scraped(front) if name == "watcher_release_info"]
    assert [{"job_name": JOB, "release_id": "export-2", "version": "3.0"}] == shown
    assert RELEASE in front.records


def test_job_that_left_the_configuration_leaves_the_metrics() -> None:
    """Its counters stay in the store but are shown no more."""
    front = MemoryFront(state=configured(policy()))
    front.count(counters.ENTRIES, "gone", value=7)
    assert value(front, "watcher_journal_entries_total", job_name="gone") is None


def test_histogram_is_cumulated_from_the_stored_buckets() -> None:
    """Two rollbacks of 0.4 s and 20 s: the buckets add up, the sum is in seconds."""
    front = MemoryFront()
    name = counters.ROLLBACK_DURATION
    front.count(f"{name}_bucket", JOB, "0.5", value=1)
    front.count(f"{name}_bucket", JOB, "30.0", value=1)
    front.count(f"{name}_sum_usec", JOB, value=20_400_000)
    assert [1, 1, 2, 2] == [
        value(front, f"{name}_bucket", job_name=JOB, le=le) for le in ("0.5", "10.0", "30.0", "+Inf")
    ]
    assert 20.4 == value(front, f"{name}_sum", job_name=JOB)
    assert 2 == value(front, f"{name}_count", job_name=JOB)


def test_paused_shows_for_each_job_that_is_held() -> None:
    """A pause of all jobs is a 1 at each, until it ends."""
    front = MemoryFront()
    front.take(pause(at="0s", until="1h"))
    assert 1 == value(front, "watcher_paused", job_name=JOB)
    front.pass_time(3600)
    assert 0 == value(front, "watcher_paused", job_name=JOB)


def test_paused_shows_for_each_job_while_the_off_switch_is_on() -> None:
    """Nothing is rolled back by itself then either, without a pause."""
    front = MemoryFront(state=configured(policy(), replace(policy(), name=OTHER_JOB)), is_disarmed=True)
    assert [1, 1] == [value(front, "watcher_paused", job_name=job) for job in (JOB, OTHER_JOB)]
    front.is_disarmed = False
    assert [0, 0] == [value(front, "watcher_paused", job_name=job) for job in (JOB, OTHER_JOB)]
