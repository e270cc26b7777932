"""Reasons in words."""

from __future__ import annotations

import pytest

from tests.events import span
from watcher.core.reason import Reason, ReasonCode
from watcher.core.reason_words import say

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
    (Reason(code=ReasonCode.FAILED_BY_PERSON, what="slow"), "a person said that the release failed: slow"),
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


def test_words_of_others_are_no_template() -> None:
    """A brace in a person's reason or in a file's name stands for itself."""
    assert "decided by a person: {span} {0} {" == say(Reason(code=ReasonCode.PERSON, what="{span} {0} {"))
