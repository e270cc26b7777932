"""Journald's rate limit played with small numbers, and what is seen of it afterwards."""

from __future__ import annotations

import json
from itertools import groupby

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from watcher.core.duration import SECOND, Usec
from watcher.core.found import JobTally
from watcher.core.names import JobName
from watcher.journal import ratelimit, surges
from watcher.journal.ratelimit import HORIZON, INTERVAL, Pools
from watcher.journal.surges import Surge, Surges

UNIT, BOOT, JOB = b"import.service", b"boot", JobName("import")
BEGIN = 100 * SECOND
PAUSES = st.one_of(st.integers(0, SECOND), st.integers(0, 40 * SECOND))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "BURST", 8)
    monkeypatch.setattr(ratelimit, "_STEP", 2)
    monkeypatch.setattr(ratelimit, "_MOST", 48)
    monkeypatch.setattr(surges, "LOUD", 8)
    monkeypatch.setattr(surges, "FORGOTTEN", 0)


def instants(pauses: list[int]) -> list[int]:
    """When somebody logs, given the pauses between."""
    at, found = BEGIN, []
    for pause in pauses:
        at += pause
        found.append(at)
    return found


@settings(max_examples=300)
@given(pauses=st.lists(PAUSES, max_size=120), burst=st.sampled_from([8, 10, 12, 16]))
@example(pauses=[*[0] * 9, INTERVAL + 1, *[0] * 8], burst=8)  # told at the instant at which the next one begins
def test_what_was_dropped_without_a_report_is_always_found(pauses: list[int], burst: int) -> None:
    """Journald's own counting, after its source, decides what is stored and told; the look sees just that."""
    pools, began, stored, dropped = Pools(Usec(0)), 0, 0, 0
    silent = []
    for at in instants(pauses):
        if not stored or at - began > INTERVAL:
            if dropped:
                pools.report(UNIT, at, boot=BOOT)
                if at > began + HORIZON:  # so late that a window may have closed
                    silent.append(began)
            began, stored, dropped = at, 1, 0
        elif stored < burst:
            stored += 1
        else:
            dropped += 1
            continue
        pools.count(UNIT, b"6", boot=BOOT, clock=at, at=at)
    if dropped:
        silent.append(began)
    cuts = pools.cuts()
    assert set(silent) <= {cut.first_at for cut in cuts}
    assert all(cut.last_at - cut.first_at <= INTERVAL for cut in cuts)


@settings(max_examples=300)
@given(pauses=st.lists(PAUSES, min_size=1, max_size=120), data=st.data())
def test_no_loud_moment_is_missed_however_the_tallies_lie(pauses: list[int], data: st.DataObject) -> None:
    """Each entry with which an interval was full lies in a surge; so it does with a restart after any tally."""
    entries = instants(pauses)
    ends = data.draw(st.lists(st.booleans(), min_size=len(entries), max_size=len(entries)))
    known, found, batch = Surges(), list[Surge](), 0
    cut = []
    for at, is_end in zip(entries, ends, strict=True):
        cut.append((batch, at // SECOND, at))
        batch += is_end
    for _, lines in groupby(cut, key=lambda one: one[:2]):
        counted = [at for _, _, at in lines]
        tally = JobTally(job=JOB, entries=len(counted), first_at=Usec(counted[0]), last_at=Usec(counted[-1]))
        known.count([tally])
        found += known.take(tally.last_at)
        carried = json.dumps(known.dump())
        known = Surges()
        known.load(json.loads(carried), {JOB})
        assert carried == json.dumps(known.dump())
    found += known.take(Usec(0), at_end=True)
    loud = [at for place, at in enumerate(entries) if place >= 7 and at - entries[place - 7] <= INTERVAL]
    assert [] == [at for at in loud if not any(surge.since <= at <= surge.until for surge in found)]
    assert found == sorted(found, key=lambda surge: surge.since)


def test_one_late_entry_does_not_make_a_job_quiet() -> None:
    """What was counted before a reload counts on."""
    known = Surges()
    known.count([JobTally(job=JOB, entries=5, first_at=Usec(BEGIN), last_at=Usec(BEGIN))])
    known.change_units(JOB)
    late = Usec(BEGIN - 60 * SECOND)
    known.count([JobTally(job=JOB, entries=1, first_at=late, last_at=late)])
    known.count([JobTally(job=JOB, entries=3, first_at=Usec(BEGIN + 1), last_at=Usec(BEGIN + 1))])
    assert 1 == len(known.take(Usec(0), at_end=True))


@pytest.mark.parametrize(
    "dumped",
    [None, [], {"seconds": 3, "surges": 4}, {"seconds": {"x": [[1, 2]]}, "surges": [["x", 1, 2, 3]]},
     {"seconds": {"import": [[1], "x", [1, "2"]]}, "surges": [[], ["import"], ["import", "1", 2, 3], [[], 1, 2, 3], 7]},
     {"surges": [["import", 1, 2]], "former": {"import": 3}}],
)  # fmt: skip
def test_a_carry_of_other_origin_is_left_out(dumped: object) -> None:
    """Of other jobs, or malformed."""
    known = Surges()
    known.load(dumped, {JOB})
    assert (None, ()) == (known.since, known.take(Usec(0), at_end=True))
