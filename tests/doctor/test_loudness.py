"""How near to journald's limit a job came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.events import JOB
from watcher.core.duration import SECOND, Usec
from watcher.core.found import JobTally
from watcher.doctor.finding import Finding
from watcher.doctor.loudness import Loudness, near_the_limit
from watcher.journal.ratelimit import INTERVAL


def _loud(*tallies: tuple[int, int]) -> Loudness:
    loud, at = Loudness(), 0
    for later, entries in tallies:
        at += later
        loud.take(JobTally(job=JOB, entries=entries, first_at=Usec(at), last_at=Usec(at + SECOND - 1)))
    return loud


@given(st.lists(st.tuples(st.integers(1, 40).map(lambda second: second * SECOND), st.integers(1, 5000)), max_size=12))
def test_the_most_within_thirty_seconds(tallies: list[tuple[int, int]]) -> None:
    """As adding up all that lies in the thirty seconds before the end of each tally."""
    starts = [sum(later for later, _ in tallies[: place + 1]) for place in range(len(tallies))]
    sums = [
        sum(count for (_, count), start in zip(tallies, starts, strict=True) if end - INTERVAL < start <= end)
        for end in (start + SECOND - 1 for start in starts)
    ]
    assert max(sums, default=0) == _loud(*tallies).most


def _told(loud: Loudness, **unit: str) -> list[Finding]:
    return list(near_the_limit(JOB, loud, [{"Id": "import.service", "LogRateLimitBurst": "0", **unit}]))


def test_half_of_the_limit_is_told() -> None:
    """With what lifts it: 0 is what is set anyway, and changes nothing."""
    loud = _loud(*[(SECOND, 500)] * 10)
    [found] = _told(loud)
    assert (
        "import.service: up to 5000 entries of the job within 30s (from 1970-01-01T00:00:01.000000Z on)" in found.what
    )
    assert "`systemctl edit import.service` and LogRateLimitBurst=1000000" == found.hint
    assert [] == _told(_loud(*[(SECOND, 499)] * 10))
    assert [] == _told(loud, LogRateLimitBurst="1000000")
