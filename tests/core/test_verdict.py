"""Reasons in words, and the verdict at the end of a window."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from tests.events import ERROR, ODD, RELEASE, START, gap, policy, seen, span, watching
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release, Verdict
from watcher.core.verdict import say, verdict_at_end

HEARD = seen(watching().releases[RELEASE], heard=True)
WORDS = [
    (
        Reason(code=ReasonCode.MATCHES, what="error", count=5, limit=5, span=span("42s"), within=span("2m")),
        "5 error matches in 42s, limit 5 in 2m",
    ),
    (
        Reason(code=ReasonCode.MATCHES, what="half-imported", count=2, limit=2, span=span("1h30m")),
        "2 half-imported matches in 1h30m, limit 2",
    ),
    (
        Reason(code=ReasonCode.WINDOW_OVER, span=span("15m"), count=1),
        "no threshold crossed in 15m (1 match seen)",
    ),
    (
        Reason(code=ReasonCode.WINDOW_OVER, span=span("1d"), count=0),
        "no threshold crossed in 1d (0 matches seen)",
    ),
    (Reason(code=ReasonCode.PERSON, what="looks fine"), "decided by a person: looks fine"),
    (
        Reason(code=ReasonCode.SILENT, span=span("15m")),
        "no run seen, and no entry of the job in 15m: a silent job is not known to be healthy",
    ),
    (Reason(code=ReasonCode.GAP, what="missing", count=1), "coverage has a hole (missing): 1 entry not seen"),
    (Reason(code=ReasonCode.GAP, what="kernel", count=7), "coverage has a hole (kernel): 7 entries not seen"),
    (
        Reason(code=ReasonCode.GAP, what="cursor"),
        "coverage has a hole (cursor): an unknown number of entries not seen",
    ),
    (
        Reason(code=ReasonCode.UNJUDGED, what="fail_when[2].new_errors"),
        "fail_when[2].new_errors is configured but not judged by this version",
    ),
    (Reason(code=ReasonCode.NEWER_RELEASE, what="import-2"), "a newer release of the job was registered: import-2"),
    (Reason(code=ReasonCode.MODE, what="ask"), "mode is ask: a person decides about the rollback"),
    (Reason(code=ReasonCode.PAUSED, what="big sale"), "automatic rollbacks are paused: big sale"),
    (
        Reason(code=ReasonCode.STALE, span=span("3h"), within=span("1h")),
        "decided 3h after the failure, limit 1h: a person decides",
    ),
]


@pytest.mark.parametrize(("reason", "words"), WORDS)
def test_a_reason_in_words(reason: Reason, words: str) -> None:
    """Each reason carries its number and its limit."""
    assert words == say(reason)


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_has_words(code: ReasonCode) -> None:
    """Also one with nothing but its code is a sentence, with nothing of Python in it."""
    words = say(Reason(code=code))
    assert words
    assert "None" not in words


def test_a_window_with_nothing_against_it_passes() -> None:
    """The reason tells the length of the window and all matches held against the release."""
    release = seen(HEARD, matches=((ERROR, 2), (ODD, 1)))
    reason = Reason(code=ReasonCode.WINDOW_OVER, span=span("15m"), count=3)
    assert (Verdict.PASSED, (reason,)) == verdict_at_end(release)


def test_every_doubt_is_told() -> None:
    """The reasons of an inconclusive end are all of them, not only the first."""
    release = seen(
        replace(HEARD, policy=policy(unjudged=("fail_when[1].failed_runs",))),
        gaps=(gap("1m", "2m"),),
        heard=False,
        rules_changed_at=START,
    )
    verdict, reasons = verdict_at_end(release)
    assert Verdict.INCONCLUSIVE is verdict
    assert [ReasonCode.GAP, ReasonCode.UNJUDGED, ReasonCode.RULES_CHANGED, ReasonCode.SILENT] == [
        one.code for one in reasons
    ]


def _with(*, hole: bool, silent: bool, unjudged: bool, changed: bool) -> Release:
    return seen(
        replace(HEARD, policy=policy(unjudged=("expect",) if unjudged else ())),
        gaps=(gap("1m", "2m"),) if hole else (),
        heard=not silent,
        rules_changed_at=START if changed else None,
    )


@pytest.mark.parametrize(("hole", "silent", "unjudged", "changed"), list(product([False, True], repeat=4)))
def test_it_passes_only_without_any_doubt(*, hole: bool, silent: bool, unjudged: bool, changed: bool) -> None:
    """Passed if and only if everything was seen, judged and alive; the end of a window never fails a release."""
    doubtful = hole or silent or unjudged or changed
    verdict, reasons = verdict_at_end(_with(hole=hole, silent=silent, unjudged=unjudged, changed=changed))
    assert (Verdict.INCONCLUSIVE if doubtful else Verdict.PASSED) is verdict
    assert (hole + silent + unjudged + changed or 1) == len(reasons)
