"""What was read of several hosts side by side, as one reading in the order of time.

Pure data; must not know followers, pipes or clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import accumulate, chain
from operator import itemgetter

from watcher.core.duration import Usec
from watcher.core.found import Found
from watcher.journal.reading import Reading, joined, summed

MOST_ENTRIES = 20_000
"""After so many entries a reading goes out; what is within it is judged in the order of time, whoever wrote it."""
MOST_FOUND = 2_000
"""After so many finds too, for it is one line of the pipe: with a last batch a few thousand of half a KiB each."""


class Sheaf:
    """Takes the readings of each host in their order."""

    def __init__(self) -> None:
        self._hosts: dict[str, Reading] = {}
        self._entries = 0
        self._found = 0

    @property
    def is_full(self) -> bool:
        """Whether no more should be taken in."""
        return self._entries >= MOST_ENTRIES or self._found >= MOST_FOUND

    def add(self, host: str, part: Reading) -> None:
        """What was read next of this host."""
        known = self._hosts.get(host)
        self._hosts[host] = part if known is None else joined(known, part)
        self._entries += part.entries
        self._found += len(part.found)

    def reading(self) -> Reading | None:
        """All of it; how far and up to where it is read is for whoever knows the hosts. None if nothing was added."""
        parts = [self._hosts[host] for host in sorted(self._hosts)]
        if len(parts) <= 1:
            return parts[0] if parts else None
        tallies = sorted(chain.from_iterable(part.tallies for part in parts), key=lambda tally: tally.first_at)
        return Reading(
            read_until=min(part.read_until for part in parts),
            last_entry_at=max((part.last_entry_at for part in parts if part.last_entry_at is not None), default=None),
            tallies=summed(tallies),
            found=_in_order([part.found for part in parts if part.found]),
            gaps=tuple(chain.from_iterable(part.gaps for part in parts)),
            position=next((part.position for part in reversed(parts) if part.position is not None), None),
            entries=self._entries,
            at_tail=all(part.at_tail for part in parts),
            visible=any(part.visible for part in parts),
            heard=any(part.heard for part in parts),
        )


def _in_order(hosts: Sequence[tuple[Found, ...]]) -> tuple[Found, ...]:
    """All finds by time; what one host found stays in its order, also where its clock was set back."""
    if len(hosts) <= 1:
        return hosts[0] if hosts else ()
    return tuple(find for _, find in merge(*map(_placed, hosts), key=itemgetter(0)))


def _placed(found: tuple[Found, ...]) -> Iterator[tuple[Usec, Found]]:
    """Each find with the latest instant up to it."""
    return zip(accumulate((find.at for find in found), max), found, strict=True)
