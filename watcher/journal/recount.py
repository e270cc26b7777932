"""The entries of a loud job, read once more with a reader of its own, and counted as journald's rate limit counts.

Knows whose an entry is, its unit and its priority; must not know rules, or when there is something to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from systemd._reader import _Reader

from watcher.core.duration import Usec
from watcher.core.rule import WatchedJob
from watcher.journal.clocks import SMALLEST_STEP, Anchor
from watcher.journal.counting import CountedJob
from watcher.journal.entry import Entry
from watcher.journal.matcher import SUPPRESSED, Matcher
from watcher.journal.opening import open_journal
from watcher.journal.places import Places
from watcher.journal.ratelimit import Cut, Pools
from watcher.journal.source import Source
from watcher.journal.surges import Surge
from watcher.journal.units import is_glob, unit_name

MOST_ENTRIES: Final = 500_000
"""A look takes in no more: a second, or two where a glob may name a slice, in which nothing else is read."""

_SLEWED: Final = SMALLEST_STEP
"""So far the stamps of what comes one after the other may go back, and nothing tells of it."""
_SLACK: Final = Usec(3 * _SLEWED)
"""A place is found by the stamps, as if they only rose."""
_MOST_NAMES: Final = 8
"""The library asks for each name by itself; to read what others wrote is sooner done than to look for more of them."""
_ABOUT: Final = ("_SYSTEMD_UNIT", "UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT", "_SYSTEMD_SLICE")
"""The fields by which an entry can be a unit's."""


class UntoldError(Exception):
    """It can't be told by the journal what became of a surge."""


def cuts_in(source: Source, job: WatchedJob, surge: Surge, *, anchor: Anchor | None) -> tuple[Cut, ...]:
    """The intervals of the job's units that ended within the surge, full and without a report.

    Raises JournalError, OSError: it can't be read; UntoldError: there is too much, or fewer entries are found than were
    counted, as some were deleted. With `anchor` what others were stamped with before is left out.
    """
    if not job.units:  # what is told by its identifier is no unit's of the job
        return ()
    if surge.entries is None:
        raise UntoldError("the clock was set")
    pools = Pools(surge.looked_from)
    reader = open_journal(source)
    try:
        _narrow(reader, job)
        if anchor is None:
            reader.seek_realtime(surge.looked_from - _SLACK)
        else:
            reader.seek_cursor(anchor.cursor_at(surge.looked_from - _SLACK))
        seen = _count(reader, pools, _places(job), surge, anchor)
    finally:
        reader.close()
    if seen < surge.entries:
        raise UntoldError(f"of {surge.entries} entries that were counted only {seen} are found again")
    return tuple(cut for cut in pools.cuts() if surge.since - _SLEWED <= cut.last_at <= surge.until + _SLEWED)


def _places(job: WatchedJob) -> Places:
    """Whose an entry is, as the first look saw it; nothing is matched."""
    return Places([job], [CountedJob(job, Matcher(()))])


def _narrow(reader: _Reader, job: WatchedJob) -> None:
    """Has the library leave out the others; it can't where a name is a glob."""
    names = [unit_name(unit) for unit in job.units]
    if any(map(is_glob, names)) or len(names) + len(job.identifiers) > _MOST_NAMES:
        return
    wanted = [(field, name) for field in _ABOUT for name in names]
    wanted += [("SYSLOG_IDENTIFIER", identifier) for identifier in job.identifiers]
    for field, value in wanted:
        reader.add_match(f"{field}={value}".encode())
        reader.add_disjunction()
    reader.add_match(b"MESSAGE_ID=" + SUPPRESSED)


def _count(reader: _Reader, pools: Pools, places: Places, surge: Surge, anchor: Anchor | None) -> int:
    """Counts the entries up to the time when the surge is due; how many were the job's up to its end.

    Raises UntoldError: there were too many.
    """
    step, get, realtime = reader._next, reader._get, reader._get_realtime
    known, learn, owned_elsewhere = places.known, places.learn, places.owned_elsewhere
    last = surge.until + _SLEWED
    read = seen = 0
    while step():
        read += 1
        if read > MOST_ENTRIES:
            raise UntoldError("it logged too much")
        at = realtime()
        if anchor is not None and not anchor.stamped(at, *reader._get_monotonic()):
            continue
        if at > surge.due_at and seen:
            break
        if not surge.looked_from <= at <= surge.due_at:  # a clock that was ahead for a while leaves such before them
            continue
        unit = _field(get, "_SYSTEMD_UNIT")
        place = known.get(unit) or learn(unit)
        if place.ours or (place.foreign and not owned_elsewhere(get)):
            continue
        entry = Entry(reader, unit)
        if unit is not None and (place.jobs or places.own_slice_of(entry)):
            seen += at <= last
            clock, boot = reader._get_monotonic()
            pools.count(unit, _field(get, "PRIORITY"), boot=boot, clock=clock, at=at)
            continue
        seen += at <= last and bool(places.owners(entry))
        if entry.field("MESSAGE_ID") == SUPPRESSED and entry.is_journald():
            boot = reader._get_monotonic()[1]
            for dropped in entry.every("OBJECT_SYSTEMD_UNIT"):
                pools.report(dropped, at, boot=boot)
    return seen


def _field(get: Callable[[str], bytes], name: str) -> bytes | None:
    try:
        return get(name)
    except KeyError:
        return None
