"""Spans as Prometheus writes them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.duration import HOUR, MILLISECOND, MINUTE, SECOND, Usec, format_duration, parse_duration
from watcher.core.errors import DurationError

DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("text", "usec"),
    [
        ("0s", 0),
        ("1ms", MILLISECOND),
        ("90s", 90 * SECOND),
        ("15m", 15 * MINUTE),
        ("1h30m", HOUR + 30 * MINUTE),
        ("14d", 14 * DAY),
        ("2w", 14 * DAY),
        ("1y", 365 * DAY),
        ("1y2w3d4h5m6s7ms", 382 * DAY + 4 * HOUR + 5 * MINUTE + 6 * SECOND + 7 * MILLISECOND),
        ("100y", 100 * 365 * DAY),
        ("007s", 7 * SECOND),
    ],
)
def test_a_prometheus_duration_is_read(text: str, usec: int) -> None:
    """Units in falling order, each at most once."""
    assert usec == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    ["", "90", "s", "1", "-5s", "+5s", "1.5h", "1m1h", "1m1m", "5 m", " 5m", "5m ", "5min", "5M", "1us", "٥s", "1h30"],  # noqa: RUF001
)
def test_anything_else_is_refused_with_advice(text: str) -> None:
    """The message begins with the text as it was written; the hint shows how to write one."""
    with pytest.raises(DurationError, match="is not a duration") as caught:
        parse_duration(text)
    assert '"90s"' in caught.value.hint


@pytest.mark.parametrize("text", ["101y", "100y1ms", "999999999999999999d"])
def test_more_than_a_hundred_years_is_refused(text: str) -> None:
    """It can only be a mistake, and would not fit the store's integers."""
    with pytest.raises(DurationError, match="longer than 100 years"):
        parse_duration(text)


def test_a_text_of_digits_without_end_is_refused_at_once() -> None:
    """A hostile number is neither converted nor printed whole."""
    with pytest.raises(DurationError) as caught:
        parse_duration("9" * 1_000_000 + "s")
    assert len(caught.value.message) < 100


@pytest.mark.parametrize(
    ("usec", "text"),
    [
        (-1, "0ms"),
        (0, "0ms"),
        (999, "0ms"),
        (SECOND - 1, "999ms"),
        (SECOND, "1s"),
        (42 * SECOND + 317 * MILLISECOND, "42s"),
        (MINUTE, "1m"),
        (15 * MINUTE, "15m"),
        (25 * HOUR + SECOND, "1d1h1s"),
        (365 * DAY, "365d"),
    ],
)
def test_a_span_in_words(usec: int, text: str) -> None:
    """Days and less, rounded down; milliseconds only below a second."""
    assert text == format_duration(Usec(usec))


@given(st.integers(1, 100 * 365 * 24 * 3600))
def test_whole_seconds_come_back(seconds: int) -> None:
    """What is written of whole seconds reads as the same span."""
    whole = Usec(seconds * SECOND)
    assert whole == parse_duration(format_duration(whole))


@given(st.text(max_size=12))
def test_no_text_makes_it_raise_anything_else(text: str) -> None:
    """Every text is a span or one kind of error."""
    with suppress(DurationError):
        assert parse_duration(text) >= 0
