"""The object of `release show -o json`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import MINUTE, SECOND, Usec
from watcher.core.match_count import MatchCount
from watcher.core.names import JobName, ReleaseId, RuleName
from watcher.core.policy import JobPolicy, MatchThreshold, Mode, ReleasePolicy, RollbackPlan
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import CommandResult, Phase, Release, ReleaseRequest, Rollback, RollbackState, Verdict
from watcher.core.severity import Severity
from watcher.core.shown import shown_coverage, shown_instant, shown_release
from watcher.core.trial import Trial, new_trial

START = Usec(1_795_476_600_123_456)
LIMITS = (
    MatchThreshold(count=5, severity=Severity.ERROR, within=Usec(2 * MINUTE)),
    MatchThreshold(count=4, rule=RuleName("traceback")),
)
CONTRACT = (
    "schema", "id", "job", "version", "previous", "owner", "reason", "mode", "phase", "verdict", "reasons",
    "started_at", "ends_at", "matches", "runs", "baseline", "coverage", "rollback",
)  # fmt: skip
"""The keys that `interface.md` promises, and those of `rollback`."""
CONTRACT_ROLLBACK = ("state", "exit_code", "started_at", "finished_at", "helped")


def _policy(rollback: RollbackPlan | None) -> JobPolicy:
    return JobPolicy(
        name=JobName("import"),
        owner="data-team",
        rules={RuleName("traceback"): Severity.ERROR},
        rules_hash="0",
        release=ReleasePolicy(
            mode=Mode.ROLLBACK,
            window=Usec(15 * MINUTE),
            settle=Usec(30 * SECOND),
            thresholds=LIMITS,
            rollback=rollback,
            unjudged=("fail_when[2].failed_runs",),
            expected="1 successful run",
        ),
        journalctl=("-u", "import.service"),
    )


def _failed() -> Release:
    backup = CommandResult(command=("/bin/backup",), exit_code=0, started_at=START, finished_at=START, output="ok")
    reason = Reason(
        code=ReasonCode.MATCHES, what="error", count=5, limit=5, span=Usec(42 * SECOND), within=Usec(2 * MINUTE)
    )
    return Release(
        id=ReleaseId("r1"),
        request=ReleaseRequest(
            job=JobName("import"), version="2", author="alice", reason="faster", files=("a.py",), backup=backup
        ),
        policy=_policy(RollbackPlan(command=("/bin/roll", "back"), timeout=MINUTE, user="deploy")),
        mode=Mode.ROLLBACK,
        owner="data-team",
        previous="1",
        registered_at=START,
        window=Usec(15 * MINUTE),
        phase=Phase.FAILED,
        trial=Trial(
            counts=(MatchCount(threshold=LIMITS[0], peak=5), MatchCount(threshold=LIMITS[1], peak=3)),
            start=START,
            settles_at=START,
            end=Usec(START + 15 * MINUTE),
            matches=((RuleName("traceback"), 5),),
            gaps=(Gap(reason=GapReason.MISSING, since=START, until=Usec(START + 1), entries=None),),
        ),
        ended_at=Usec(START + MINUTE),
        verdict=Verdict.FAILED,
        reasons=(reason,),
        entries_after=9,
        rollback=Rollback(state=RollbackState.SUCCEEDED, reason=reason, exit_code=0, started_at=START),
    )


def _bare() -> Release:
    return Release(
        id=ReleaseId("r2"),
        request=ReleaseRequest(job=JobName("import"), version="2", author="alice"),
        policy=_policy(None),
        mode=Mode.OBSERVE,
        owner="",
        previous=None,
        registered_at=START,
        window=MINUTE,
        phase=Phase.PREPARING,
        trial=new_trial(LIMITS),
    )


FAILED, BARE = _failed(), _bare()


@pytest.mark.parametrize("release", [FAILED, BARE], ids=["failed", "bare"])
def test_every_key_of_the_contract_is_there_in_any_phase(release: Release) -> None:
    """Scripts may rely on each key, and on a text that is JSON."""
    shown = json.loads(json.dumps(shown_release(release)))
    assert [] == [key for key in CONTRACT if key not in shown]
    assert [] == [key for key in CONTRACT_ROLLBACK if key not in shown["rollback"]]
    assert 1 == shown["schema"]


def without(shown: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name != key}


def test_failed_release_is_shown_with_its_arithmetic() -> None:
    """Words, numbers and instants of the record, exactly."""
    shown = json.loads(json.dumps(shown_release(FAILED)))
    assert ["5 error matches in 42s, limit 5 in 2m"] == shown["reasons"]
    assert ["matches"] == shown["reason_codes"]
    assert ("2026-11-23T23:30:00.123456Z", "2026-11-23T23:45:00.123456Z") == (shown["started_at"], shown["ends_at"])
    assert {"traceback": 5} == shown["matches"]
    first, second = shown["thresholds"]
    assert {
        "threshold": "5 error matches in 2m",
        "count": 5,
        "limit": 5,
        "within": "2m",
        "ratio": 1.0,
        "detail": None,
    } == first
    assert {
        "threshold": "4 traceback matches",
        "count": 3,
        "limit": 4,
        "within": None,
        "ratio": 0.75,
        "detail": None,
    } == second
    assert False is shown["coverage"]["complete"]
    assert ["/bin/roll", "back"] == shown["rollback"]["command"]
    assert ("succeeded", 0, None) == tuple(shown["rollback"][key] for key in ("state", "exit_code", "helped"))
    assert ["/bin/backup"] == shown["backup"]["command"]


def test_what_is_not_known_is_null_and_never_zero() -> None:
    """What nobody measured does not look like a measurement."""
    shown = shown_release(BARE)
    for key in ("baseline", "verdict", "previous", "started_at", "settles_at", "ends_at", "ended_at", "backup"):
        assert shown[key] is None, key
    assert shown["rollback"]["command"] is None
    assert {"complete": True, "gaps": []} == shown["coverage"]


def test_runs_are_counted_from_the_registration_on() -> None:
    """While the release is prepared too: what began since then is its own, and a script finds a number either way."""
    assert (0, 0) == (shown_release(BARE)["runs"]["failed"], shown_release(BARE)["runs"]["counted"])
    trial = replace(BARE.trial, runs=BARE.trial.runs.began())
    assert 1 == shown_release(replace(BARE, trial=trial))["runs"]["began"]


def test_gap_is_shown_with_its_span_and_size() -> None:
    """Each gap says why, from when to when, how many entries (null: nobody knows) and whose."""
    gap = Gap(reason=GapReason.DROPPED, since=START, until=Usec(START + SECOND), entries=3, job=JobName("import"))
    expected = {
        "reason": "dropped",
        "since": "2026-11-23T23:30:00.123456Z",
        "until": "2026-11-23T23:30:01.123456Z",
        "entries": 3,
        "job": "import",
    }
    assert {"complete": False, "gaps": [expected]} == json.loads(json.dumps(shown_coverage([gap])))


@pytest.mark.parametrize(
    ("expected", "at"),
    [
        (None, None),
        ("1970-01-01T00:00:00.000000Z", Usec(0)),
        ("1970-01-01T00:00:00.000001Z", Usec(1)),
        ("2255-06-05T23:47:34.740993Z", Usec(2**53 + 1)),
        ("9999-12-31T23:59:59.999999Z", Usec(2**63)),
    ],
)
def test_instants_are_exact_to_the_microsecond(expected: str | None, at: Usec | None) -> None:
    """No float stands between an instant and its text, and no instant is too large."""
    assert expected == shown_instant(at)
