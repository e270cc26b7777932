"""What was read of several hosts, put together."""

from __future__ import annotations

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import MILLISECOND, SECOND, Usec
from watcher.core.found import JobTally, RunBegan
from watcher.core.names import JobName
from watcher.journal.reading import Reading
from watcher.journal.sheaf import MOST_ENTRIES, MOST_FOUND, Sheaf

JOB = JobName("import")


def tally(entries: int, first: int, last: int) -> JobTally:
    return JobTally(job=JOB, entries=entries, first_at=Usec(first * MILLISECOND), last_at=Usec(last * MILLISECOND))


def began(at: int, cursor: str) -> RunBegan:
    return RunBegan(job=JOB, unit="import.service", invocation=cursor, at=Usec(at), cursor=cursor)


def test_nothing_was_read() -> None:
    """Nothing comes of nothing; and what only one host told is given as it is."""
    sheaf, part = Sheaf(), Reading(read_until=Usec(5), entries=1, position="there")
    assert sheaf.reading() is None
    sheaf.add("a", part)
    assert part is sheaf.reading()


def test_parts_of_two_hosts() -> None:
    """Finds by time, each host's own in its order; tallies that lie within a second together, and never longer."""
    sheaf, gap = Sheaf(), Gap(reason=GapReason.MISSING, since=Usec(1), until=Usec(2))
    sheaf.add("b", Reading(read_until=SECOND, tallies=(tally(2, 0, 900),), found=(began(10, "b1"), began(30, "b2"))))
    sheaf.add("a", Reading(read_until=SECOND, tallies=(tally(1, 100, 500), tally(1, 1100, 1200)), gaps=(gap,)))
    sheaf.add("a", Reading(read_until=Usec(7), found=(began(20, "a1"), began(5, "a2"), began(30, "a3")), entries=4))
    reading = sheaf.reading()
    assert reading is not None
    assert ["b1", "a1", "a2", "a3", "b2"] == [find.cursor for find in reading.found]
    assert (tally(3, 0, 900), tally(1, 1100, 1200)) == reading.tallies
    assert (Usec(7), (gap,), 4) == (reading.read_until, reading.gaps, reading.entries)


def test_it_is_full() -> None:
    """After so many entries, or so many finds: it is one line of the pipe."""
    entries, finds = Sheaf(), Sheaf()
    entries.add("a", Reading(read_until=SECOND, entries=MOST_ENTRIES - 1))
    finds.add("a", Reading(read_until=SECOND, found=(began(1, "a"),) * (MOST_FOUND - 1)))
    assert (False, False) == (entries.is_full, finds.is_full)
    entries.add("b", Reading(read_until=SECOND, entries=1))
    finds.add("b", Reading(read_until=SECOND, found=(began(1, "b"),)))
    assert (True, True) == (entries.is_full, finds.is_full)
