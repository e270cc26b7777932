"""The hold on one journal: a reader that is opened when it is needed, and opened anew when it would miss something.

Knows the raw reader and where journal files lie; must not know positions, entries or batches.
"""

from __future__ import annotations

from collections.abc import Callable

from systemd._reader import _Reader

from watcher.core.duration import SECOND, Usec
from watcher.core.errors import WatcherError
from watcher.journal.folders import Folders, folders_of
from watcher.journal.opening import MakeReader, open_journal
from watcher.journal.probe import ProbingReader
from watcher.journal.source import Source

MOST_MAPPED = 50_000
"""After so many entries the library has mapped tens of megabytes of journal files, which only closing gives back."""
LOOK_EVERY = Usec(2 * SECOND)
"""How often it is checked whether files came or went without a word from inotify."""


class OutgrownError(WatcherError):
    """What is there is not for this follower to read: others have to go on where it `left` off."""


class Hold:
    """Opens the journal with `make`, keeps it open and lets it go; without a `clock` no files come or go.

    `reader` is the open one, None between two. `is_placed` is for whoever places it, and False with each new one.
    `fits` is asked before anything is taken from files that were not there before.
    """

    def __init__(
        self,
        source: Source,
        make: MakeReader,
        *,
        clock: Callable[[], int] | None,
        fits: Callable[[_Reader], bool] | None,
    ) -> None:
        self.reader: _Reader | None = None
        self.is_placed = False
        self._source = source
        self._make = make
        self._clock = clock
        self._fits = fits
        self._mapped = 0
        self._folders: Folders = frozenset()
        self._looked_at = 0

    @property
    def is_probing(self) -> bool:
        """Whether the reader is one that goes carefully, as the one before has died."""
        return isinstance(self.reader, ProbingReader)

    @property
    def is_bloated(self) -> bool:
        """Whether it is time to give back what the library has mapped."""
        return self._mapped > MOST_MAPPED

    def descriptors(self) -> tuple[int, ...]:
        """What becomes readable when the journal changes; nothing while there is none to be had."""
        if self.reader is None:
            return ()
        try:
            descriptor = self.reader.fileno()
        except OSError:
            # inotify is used up; asked again at each turn, so that it is taken once there is some
            return ()
        return () if descriptor < 0 else (descriptor,)

    def opened(self) -> _Reader:
        """The reader, which knows all files that are there.

        Raises JournalError: it can't be opened now; OutgrownError if `fits` says no; OSError of the library.
        """
        self._look_around()
        if self.reader is None:
            self._folders, self._looked_at = folders_of(self._source), self._clock() if self._clock else 0
            self.reader = open_journal(self._source, self._make)
            self.check_fit(self.reader)
        return self.reader

    def close(self) -> None:
        """Lets the journal go; `opened` opens it again."""
        reader, self.reader, self.is_placed, self._mapped = self.reader, None, False, 0
        if reader is not None:
            reader.close()

    def reopen(self, make: MakeReader) -> None:
        """Go on with readers of another make."""
        self.close()
        self._make = make

    def check_fit(self, reader: _Reader) -> None:
        """Raises OutgrownError if `fits` says no."""
        if self._fits is not None and not self._fits(reader):
            raise OutgrownError(f"{self._source}: the hosts in it are others")

    def note_read(self, entries: int, *, at_tail: bool) -> None:
        """So many further entries were read; where nothing is missed by it, what was mapped for them is given back."""
        self._mapped += entries
        if self._clock is not None and at_tail and self.is_bloated:
            self.close()

    def _look_around(self) -> None:
        """A reader that hears of no new file would stay silent for ever: open anew whenever files came or went."""
        if self._clock is None or self.reader is None or 0 <= (now := self._clock()) - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        if folders_of(self._source) != self._folders:
            self.close()
        else:
            self.check_fit(self.reader)
