"""Spans of time: whole microseconds inside, Prometheus durations (`90s`, `1h30m`) for people.

Format: https://prometheus.io/docs/prometheus/latest/configuration/configuration/ (`<duration>`):
units in falling order, each at most once, no fractions, no sign.
"""

from __future__ import annotations

from typing import NewType

from watcher.core.errors import DurationError

Usec = NewType("Usec", int)
"""An instant (since 1970, UTC) or a span, in the journal's own integer microseconds."""

MILLISECOND = Usec(1_000)
SECOND = Usec(1_000_000)
MINUTE = Usec(60 * SECOND)
HOUR = Usec(60 * MINUTE)

_UNITS: tuple[tuple[str, int], ...] = (
    ("y", 365 * 24 * HOUR),
    ("w", 7 * 24 * HOUR),
    ("d", 24 * HOUR),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", MILLISECOND),
)
_LONGEST = 100 * 365 * 24 * HOUR
_HINT = 'write a number with its unit, as in "90s", "15m" or "1h30m"'


def parse_duration(text: str) -> Usec:
    """The span that `text` names.

    Raises DurationError: no unit, an unknown unit, units out of order, or more than 100 years.
    """
    rest, total, allowed = text, 0, list(_UNITS)
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        number, rest = rest[:digits], rest[digits:]
        letters = len(rest) - len(rest.lstrip("ywdhms"))
        unit, rest = rest[:letters], rest[letters:]
        place = next((i for i, (name, _) in enumerate(allowed) if name == unit), None)
        if not number or len(number) > 18 or place is None:  # noqa: PLR2004 - a longer number is past any limit, and slow to read
            raise DurationError(f'"{text[:40]}" is not a duration', hint=_HINT)
        total += int(number) * allowed[place][1]
        allowed = allowed[place + 1 :]
    if not text:
        raise DurationError("an empty text is not a duration", hint=_HINT)
    if total > _LONGEST:
        raise DurationError(f'"{text[:40]}" is longer than 100 years', hint=_HINT)
    return Usec(total)


def format_duration(span: Usec) -> str:
    """`span` as a Prometheus duration in days and less, rounded down to whole milliseconds.

    From one second on the milliseconds are left out: `42s`, not `42s317ms`.
    """
    if span < SECOND:
        return f"{max(span, 0) // MILLISECOND}ms"
    parts, rest = [], int(span)
    for name, size in _UNITS[2:6]:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts)
