"""A first guess at how bad a line is."""

from __future__ import annotations

import pytest

from watcher.core.severity import Severity
from watcher.core.suspicion import guessed_severity


@pytest.mark.parametrize(
    ("text", "priority", "severity"),
    [
        ("parcel 7 sorted", 6, Severity.INFO),
        ("parcel 7 sorted", None, Severity.INFO),
        ("parcel 7 sorted", 3, Severity.ERROR),
        ("parcel 7 sorted", 4, Severity.WARNING),
        ("parcel 7 sorted", 1, Severity.CRITICAL),
        ("Could not sort parcel 7", 6, Severity.ERROR),
        ("could not sort parcel 7", 2, Severity.CRITICAL),
        ("FATAL: no parcels", 7, Severity.CRITICAL),
        ("retrying parcel 7", None, Severity.WARNING),
        ("calculated a path by vmslow", 6, Severity.INFO),
        ("late by 3 s", 6, Severity.WARNING),
        ("session with negotiated timeout 10", 6, Severity.WARNING),
        ("!! SURGE at gate 7", 6, Severity.WARNING),
        ("retrying parcel 7", 99, Severity.WARNING),
    ],
)
def test_the_worse_of_words_and_priority(text: str, priority: int | None, severity: Severity) -> None:
    """Most programs print everything at one priority, so either may tell."""
    assert severity is guessed_severity(text, priority)


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("E", Severity.ERROR), ("F", Severity.CRITICAL), ("w", Severity.WARNING), ("I", Severity.INFO),
        ("", Severity.INFO),
    ],
)  # fmt: skip
def test_a_level_of_one_letter(level: str, severity: Severity) -> None:
    """It counts where a logger says that it is a level."""
    assert severity is guessed_severity("overheat", 6, level=level)


def test_only_the_beginning_is_searched() -> None:
    """A long line costs no more than a short one."""
    assert Severity.INFO is guessed_severity("x" * 2000 + " error", 6)
