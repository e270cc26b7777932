"""Following one journal: whole batches one after the other, from a position that is found again.

Puts the parts together: the hold on the journal, where one stands in it, the pace, and how far all is known. Must not
know pipes or processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from systemd._reader import _Reader

from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.rule import WatchedJob
from watcher.journal.ahead import Ahead
from watcher.journal.batch import CAREFUL_ENTRIES, FAST_ENTRIES, Absent, BatchReader, Stretch
from watcher.journal.census import hosts_in
from watcher.journal.clocks import Now
from watcher.journal.elsewhere import UNKNOWN, Elsewhere
from watcher.journal.hold import Hold, OutgrownError
from watcher.journal.horizon import Horizon
from watcher.journal.opening import JournalError, MakeReader, trouble_with
from watcher.journal.pace import Pace
from watcher.journal.reading import Reading
from watcher.journal.scan import Scanner, Tally
from watcher.journal.source import Source
from watcher.journal.stand import Left, Stand
from watcher.journal.suspects import Suspects

PROBED_ENTRIES = 50
"""What a reader that dies again takes with it."""


class Follower:
    """Reads one journal on and on, a batch at each step.

    `position` is the text to go on from, None for a first start: at the tail, or with `since` at that instant.
    `until` ends it (`finished`) before the first entry at or past that instant. Without a `clock` nothing is thought
    to be still growing: for recorded journals; with `now` a step of the wall clock is known before an entry shows it.
    `heartbeat` and `elsewhere` as in `Scanner`.
    `fits` is asked before anything is taken from files that were not there before, and before a place is looked for in
    what is left, whether that is still for this follower to read. `absent` as in `BatchReader`, `began` in `Position`.
    One thread creates, uses and closes it.
    """

    def __init__(
        self,
        source: Source,
        jobs: Sequence[WatchedJob],
        *,
        position: str | None = None,
        clock: Callable[[], int] | None = None,
        now: Callable[[], Now] | None = None,
        since: Usec | None = None,
        until: Usec | None = None,
        make: MakeReader = _Reader,
        heartbeat: str | None = None,
        elsewhere: Elsewhere = UNKNOWN,
        fits: Callable[[_Reader], bool] | None = None,
        absent: Absent | None = None,
        began: Usec | None = None,
    ) -> None:
        """Raises the scanner's error for a pattern that can't be used."""
        self.finished = False
        self.visible = False
        self._source = source
        self._clock = clock
        self._until = until
        self._errors = 0
        self._hold = Hold(source, make, clock=clock, fits=fits)
        self._stand = Stand(position, since=since, shared=source.is_machine, began=began)
        self._pace = Pace(live=clock is not None)
        self._horizon = Horizon(source, live=clock is not None, now=now)
        self._ahead = Ahead()
        self._by_host = source.is_mixed and fits is None  # who asks that sees to it that it is one host
        self._scanner = Scanner(jobs, heartbeat=heartbeat, elsewhere=elsewhere, by_host=self._by_host)
        self._suspects = Suspects(source, jobs)
        self._batches = BatchReader(self._scanner, clock=clock, until=until, absent=absent)
        self._scanner.resume(self._stand.carry)
        self._suspects.resume(self._stand.carry)

    # ------------------------------------------------------------------------------------------------- outside

    @property
    def cursor(self) -> str:
        """The last entry that was read, or what stands for it."""
        return self._stand.cursor

    @property
    def step_since_entry(self) -> int:
        """By how many microseconds the wall clock was set since that entry, which no entry shows yet."""
        return self._horizon.step_since_entry

    @property
    def breadth(self) -> int:
        """How many read side by side."""
        return 1

    @property
    def is_probing(self) -> bool:
        """Whether it goes carefully, in small batches, as the reader before has died."""
        return self._hold.is_probing

    def descriptors(self) -> tuple[int, ...]:
        """What becomes readable when the journal changes."""
        return self._hold.descriptors()

    def left(self) -> Left:
        """Where another one has to go on, after the last reading that was given."""
        self._forget_batch()
        self.close()
        return self._stand.left(self._carry())

    def close(self) -> None:
        """Lets the journal go; the next step opens it again where it was."""
        self._hold.close()

    def reopen(self, make: MakeReader) -> None:
        """Go on at the same place with readers of another make."""
        self._hold.reopen(make)

    def go_on(self, until: Usec) -> None:
        """It ends farther on."""
        self._until, self.finished, self._hold.is_placed = until, False, False
        self._batches.until = until

    def step(self) -> Reading:
        """Reads on to the end of a batch.

        Raises JournalError: not now; nothing is lost, try again after a while. Raises OutgrownError if `fits` says no:
        nothing was taken.
        """
        while True:
            try:
                reader = self._ready()
                reader.process()
                reading = self._batch(reader)
            except (JournalError, OutgrownError):
                self._forget_batch()
                raise
            except OSError as error:
                self._forget_batch()
                self._stumble(error)
            else:
                self._errors = 0
                return reading

    def _stumble(self, error: OSError) -> None:
        """An error is sticky: take in what changed, then open again, then (as the stand lands) go past it."""
        self._errors += 1
        if self._errors == 1 and self._hold.reader is not None:
            try:
                self._hold.reader.process()
            except OSError:
                self.close()
            return
        self.close()
        raise trouble_with(self._source, error) from error

    # ------------------------------------------------------------------------------------------------- placing

    def _ready(self) -> _Reader:
        try:
            reader = self._hold.opened()
        except JournalError:
            if self._clock is not None and not self._stand.is_anywhere:
                # what comes into a journal that is still missing is new, what it may bring along is not
                self._stand.begin_at(Usec(self._clock()))
            raise
        if not self._hold.is_placed:
            if self._until is not None and not self._hold.is_probing:
                self._ahead.find(reader, self._until)
            self._place(reader)
        return reader

    def _place(self, reader: _Reader) -> None:
        self._horizon.of_several = self._by_host and len(hosts_in(reader)) > 1
        now = Usec(self._clock()) if self._clock is not None else Usec(0)
        landing = self._stand.place(reader, errors=self._errors, now=now)
        self.visible = self.visible or landing.saw_entry
        self._hold.is_placed = True

    # ------------------------------------------------------------------------------------------------- batches

    def _batch(self, reader: _Reader) -> Reading:
        most = self._ahead.most(self._stand.order, at_once=FAST_ENTRIES) if self._is_fast() else 0
        careful, limit = most == 0, most or CAREFUL_ENTRIES
        if self._hold.is_probing:
            limit = PROBED_ENTRIES
        if not self._stand.cursor.startswith("s="):
            limit = min(limit, 1)  # a step of the clock shows between two entries, so the first one is a batch
        while True:
            stretch = self._stand.stretch(limit=limit)
            if limit == 0:
                break
            self._batches.read(reader, self._stand.order, stretch, careful=careful)
            self.finished = stretch.finished
            step = 0
            if not stretch.again:
                step = self._horizon.begin_with_step(self._stand.cursor, stretch, between=self._scanner.cursors)
            if not stretch.again:
                break
            self._pace.refused(careful=careful)
            careful, limit = True, stretch.limit
            self._forget_batch()
            if step:
                self._scanner.set_clock(step)
            self._place(reader)
        if self._stand.has_met_others:
            # a file that was empty before: look whose it is before anything of it is taken
            self._hold.check_fit(reader)
        self._pace.taken(stretch, careful=careful)
        self._batches.settle()
        return self._reading(stretch)

    def _is_fast(self) -> bool:
        # the first entry of all has none before it, so that only a look at each tells what belongs together
        return self._stand.order.last is not None and self._pace.is_fast and not self._hold.is_probing

    def _forget_batch(self) -> None:
        self._scanner.discard()
        self._stand.forget()
        self._hold.is_placed = False

    def _carry(self) -> dict[str, Any]:
        return {**self._scanner.carry(), **self._suspects.carry()}

    # ------------------------------------------------------------------------------------------------ readings

    def _reading(self, stretch: Stretch) -> Reading:
        seen_until = self._horizon.seen_until(stretch, end=self._until if self.finished else None)
        if self._is_idle(stretch, seen_until):
            return Reading(
                read_until=self._horizon.go_on(self._suspects.known_until(seen_until)),
                at_tail=True,
                visible=self.visible,
                heard=self._scanner.heard,
            )
        tally = self._scanner.drain()
        suspected = self._look_again(tally, stretch, seen_until)
        stepped = self._horizon.gaps_told(self._stand.cursor, stretch)
        gaps = (*self._stand.gaps_told(), *stretch.gaps, *tally.gaps, *suspected, *stepped)
        position = self._stand.take(stretch, self._carry())
        self.visible = self.visible or stretch.entries > 0
        self._hold.note_read(stretch.entries, at_tail=stretch.at_tail)
        return Reading(
            read_until=self._horizon.go_on(self._suspects.known_until(seen_until)),
            last_entry_at=stretch.last_at if stretch.entries else None,
            tallies=tally.tallies,
            found=tally.found,
            gaps=gaps,
            position=position,
            entries=stretch.entries,
            at_tail=stretch.at_tail or not stretch.entries,
            visible=self.visible,
            heard=self._scanner.heard,
        )

    def _is_idle(self, stretch: Stretch, seen_until: Usec) -> bool:
        """Whether nothing came of it: so it is a hundred times a second, without the price of a batch."""
        if stretch.entries or stretch.gaps or not stretch.at_tail or stretch.cursor != self._stand.cursor:
            return False
        if not self._stand.is_settled or self._hold.is_bloated:
            return False
        return not self._suspects.is_due(seen_until, at_end=self._clock is None)

    def _look_again(self, tally: Tally, stretch: Stretch, seen_until: Usec) -> tuple[Gap, ...]:
        """What comes of the tally, or of those before it, that only a second look can tell."""
        self._suspects.count(tally.tallies, before=self._stand.cursor, after=stretch.cursor)
        at_end = self._clock is None and not stretch.entries
        if not self._suspects.is_due(seen_until, at_end=at_end):
            return ()
        self._stand.stir()  # or the same would be looked at again after a restart
        return self._suspects.gaps(seen_until, at_end=at_end, trusts=not self._hold.is_probing)
