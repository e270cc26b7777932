"""How a follower goes on: fast, many entries at a time, or careful, with a look at each.

Pure: knows what came of the batches before; must not know readers.
"""

from __future__ import annotations

from watcher.journal.batch import CAREFUL_ENTRIES, Stretch

MOST_WARY = 64
"""How many batches at most are read carefully in a row because fast ones had to be read again."""


class Pace:
    """Fast as long as much lies ahead and what is read fast is found to be whole.

    `live`: the journal may still grow, so that the first batch of all is a careful one.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._behind = not live
        self._wary = 0
        self._distrust = 0

    @property
    def is_fast(self) -> bool:
        """Whether the next batch may be read fast."""
        return self._behind and not self._wary

    def refused(self, *, careful: bool) -> None:
        """A stretch was not whole; of careful ones that tells nothing."""
        self._distrust += not careful

    def taken(self, stretch: Stretch, *, careful: bool) -> None:
        """A stretch was whole."""
        self._behind = stretch.entries >= CAREFUL_ENTRIES or (not self._live and not stretch.at_tail)
        if not careful:
            self._distrust = 0
        elif self._wary:
            self._wary -= 1
        elif self._distrust > 1:
            # writers that take turns: look at each entry for a while, longer each time
            self._wary = min(2**self._distrust, MOST_WARY)
