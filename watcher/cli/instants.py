"""Instants as people write them for `--since`: journalctl's forms, so that a command line can be carried over.

Forms: `now`, `today`, `yesterday`, `@SECONDS[.FRACTION]`, `-2h` and `2h ago` (Prometheus durations), and ISO 8601 dates
with or without a time; without an offset they are local time, as systemd.time(7) takes them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from watcher.core.duration import Usec, parse_duration
from watcher.core.errors import WatcherError

_HINT = 'as in "2026-11-23 22:00", "2026-11-23T22:00:00Z", "@1795474800", "-2h", "2h ago", "today" or "now"'


class InstantError(WatcherError):
    """A text that names no instant."""


def parse_instant(text: str, now: Usec) -> Usec:
    """The instant that `text` names, seen from `now`.

    Raises InstantError, and DurationError for a bad span.
    """
    words = text.strip()
    match words:
        case "now":
            return now
        case "today" | "yesterday":
            midnight = _local(now).replace(hour=0, minute=0, second=0, microsecond=0)
            return _usec(midnight if words == "today" else midnight - timedelta(days=1))
    if words.startswith("@"):
        return _seconds(words)
    if words.startswith("-"):
        return Usec(now - parse_duration(words[1:].strip()))
    if words.endswith(" ago"):
        return Usec(now - parse_duration(words.removesuffix(" ago").strip()))
    try:
        named = datetime.fromisoformat(words.removesuffix(" UTC") + ("Z" if words.endswith(" UTC") else ""))
    except ValueError as error:
        raise InstantError(f'"{text}" is not an instant', hint=_HINT) from error
    return _usec(named if named.tzinfo is not None else named.astimezone())


def _seconds(words: str) -> Usec:
    whole, _, fraction = words[1:].partition(".")
    if not (whole.isdecimal() and whole.isascii() and (not fraction or (fraction.isdecimal() and fraction.isascii()))):
        raise InstantError(f'"{words}" is not an instant', hint=_HINT)
    return Usec(int(whole[:12]) * 1_000_000 + int(fraction[:6].ljust(6, "0")))


def _local(at: Usec) -> datetime:
    return datetime.fromtimestamp(at // 1_000_000).astimezone()


def _usec(moment: datetime) -> Usec:
    since = moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return Usec(since // timedelta(microseconds=1))
