"""Hosts of which a directory holds nothing any more: their places are kept, for the files may come back.

Knows positions; must not know readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from watcher.core.duration import Usec
from watcher.journal.landing import MAX_AGE
from watcher.journal.position import Position
from watcher.journal.spread import Place

MOST_GONE = 256
"""Hosts whose place is kept though nothing is left of them: without what was open, a few kilobytes each."""


class Gone:
    """The text of each one's position."""

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._texts = {place.host: place.position for place in places if place.is_gone}

    def __contains__(self, host: str) -> bool:
        """Whether its place is kept."""
        return host in self._texts

    def keep(self, host: str, position: Position) -> None:
        """It was read up to there."""
        self._texts[host] = replace(position, carry={}).to_text()

    def take(self, host: str) -> str | None:
        """It is back, or seen for the first time, which is None."""
        return self._texts.pop(host, None)

    def forget(self, now: Usec) -> bool:
        """Whether there were any that are gone for so long that they would be read from a later instant on if back.

        Of too many the ones that are gone for longest are no longer kept either.
        """
        ages = {host: now - Position.from_text(text).at for host, text in self._texts.items()}
        forgotten = [
            host
            for place, host in enumerate(sorted(ages, key=ages.__getitem__))
            if ages[host] > MAX_AGE or place >= MOST_GONE
        ]
        for host in forgotten:
            del self._texts[host]
        return bool(forgotten)

    def places(self) -> Iterator[Place]:
        """For the text of all places."""
        return (Place(host=host, position=text, is_gone=True) for host, text in self._texts.items())
