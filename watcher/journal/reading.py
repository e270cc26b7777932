"""What one step of reading brought: a `BatchRead` before the daemon takes it in.

Pure data; must not know readers, pipes or clocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.found import TALLY_WIDTH, Found, JobTally
from watcher.core.messages import BatchRead
from watcher.core.names import JobName


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A piece of the journal, read to its end; the next one begins right after it.

    `entries` are anybody's. `at_tail`: there was nothing more at that moment. `visible`: this reader has seen an
    entry, in this reading or before; without permission the journal just looks empty. `heard`: it has seen the entry
    of our own that it was told of. `position` is None if it has not moved. `trouble`: why this is not all that there
    is to read, "" if it is.
    """

    read_until: Usec
    last_entry_at: Usec | None = None
    tallies: tuple[JobTally, ...] = ()
    found: tuple[Found, ...] = ()
    gaps: tuple[Gap, ...] = ()
    position: str | None = None
    entries: int = 0
    at_tail: bool = False
    visible: bool = False
    heard: bool = False
    trouble: str = ""

    def taken_in(self, at: Usec) -> BatchRead:
        """The event for the core, taken in at `at`."""
        return BatchRead(
            at=at,
            read_until=self.read_until,
            last_entry_at=self.last_entry_at,
            tallies=self.tallies,
            found=self.found,
            gaps=self.gaps,
            position=self.position,
        )


def joined(first: Reading, second: Reading) -> Reading:
    """Two readings, the second right after the first, as one."""
    return Reading(
        read_until=second.read_until,
        last_entry_at=first.last_entry_at if second.last_entry_at is None else second.last_entry_at,
        tallies=summed((*first.tallies, *second.tallies)),
        found=first.found + second.found,
        gaps=first.gaps + second.gaps,
        position=first.position if second.position is None else second.position,
        entries=first.entries + second.entries,
        at_tail=second.at_tail,
        visible=second.visible,
        heard=second.heard,
        trouble=second.trouble,
    )


def summed(tallies: Iterable[JobTally]) -> tuple[JobTally, ...]:
    """The tallies with neighbours put together where that stays within TALLY_WIDTH."""
    sums: list[JobTally] = []
    open_at: dict[JobName, int] = {}
    for tally in tallies:
        place = open_at.get(tally.job)
        known = None if place is None else sums[place]
        if place is None or known is None or not _is_near(known, tally):
            open_at[tally.job] = len(sums)
            sums.append(tally)
            continue
        total = known.entries + tally.entries
        last = max(known.last_at, tally.last_at)
        sums[place] = JobTally(job=tally.job, entries=total, first_at=known.first_at, last_at=last)
    return tuple(sums)


def _is_near(known: JobTally, tally: JobTally) -> bool:
    return known.first_at <= tally.first_at and max(known.last_at, tally.last_at) - known.first_at < TALLY_WIDTH
