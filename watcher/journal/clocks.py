"""Steps of the wall clock: told by the two clocks of the entries, as hardly any program tells them.

journald stamps each entry by the wall clock and by one that only runs on. Between two entries of a boot both must have
gone on alike; where they have not, the wall clock was set, or the machine slept. Spans measured across that are wrong.
"""

from __future__ import annotations

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND
from watcher.journal.position import parse_cursor

SMALLEST_STEP = SECOND
"""A clock that is only slewed differs by less, for hours."""


def step_between(before: str, after: str) -> Gap | None:
    """The gap between two cursors if the wall clock was set between them; None for places that are no entries."""
    if not before.startswith("s=") or not after.startswith("s="):
        return None
    first, last = parse_cursor(before), parse_cursor(after)
    if first.boot != last.boot:
        return None
    step = (last.realtime - first.realtime) - (last.monotonic - first.monotonic)
    if abs(step) < SMALLEST_STEP:
        return None
    since, until = sorted((first.realtime, last.realtime))
    return Gap(reason=GapReason.CLOCK, since=since, until=until)
