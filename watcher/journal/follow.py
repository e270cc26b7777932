"""Following one journal: whole batches one after the other, from a position that is found again.

Knows the raw reader, positions and the scanner; must not know pipes or processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from systemd._reader import _Reader

from watcher.core.coverage import Gap
from watcher.core.duration import SECOND, Usec
from watcher.core.errors import WatcherError
from watcher.core.rule import WatchedJob
from watcher.journal.ahead import Ahead
from watcher.journal.batch import CAREFUL_ENTRIES, FAST_ENTRIES, Absent, BatchReader, Stretch
from watcher.journal.clocks import Now, Steps, step_between
from watcher.journal.elsewhere import UNKNOWN, Elsewhere
from watcher.journal.folders import Folders, folders_of
from watcher.journal.landing import Landing, land_at, land_at_tail, land_from_head, land_past
from watcher.journal.opening import JournalError, MakeReader, open_journal, trouble_with
from watcher.journal.position import Position, PositionError, since_cursor
from watcher.journal.probe import ProbingReader
from watcher.journal.reading import Reading
from watcher.journal.scan import Scanner, Tally
from watcher.journal.sequence import Order
from watcher.journal.source import Source
from watcher.journal.suspects import Suspects

ERRORS = 3
STAMP_SLACK = SECOND
"""journald stamps an entry before it stores it; what is stamped older than this has arrived."""
MOST_WARY = 64
MOST_MAPPED = 50_000
"""After so many entries the library has mapped tens of megabytes of journal files, which only closing gives back."""
LOOK_EVERY = Usec(2 * SECOND)
"""How often it is checked whether files came or went without a word from inotify."""
MOST_STEPS = 1000
"""A journal whose two clocks never agree is read without a look at each entry."""
PROBED_ENTRIES = 50
"""What a reader that dies again takes with it."""


class OutgrownError(WatcherError):
    """What is there is not for this follower to read: others have to go on where it `left` off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Where a follower leaves off, with the gaps that it has not told yet; a lost place is a `position` of None."""

    position: Position | None
    gaps: tuple[Gap, ...]
    is_lost: bool


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
        self._clock_steps = Steps(now)
        self.step_since_entry = 0
        self._steps = 0
        self._stepped = False
        self._until = until
        self._make = make
        self._fits = fits
        self._began = began
        self._scanner = Scanner(jobs, heartbeat=heartbeat, elsewhere=elsewhere)
        self._suspects = Suspects(source, jobs)
        self._batches = BatchReader(self._scanner, clock=clock, until=until, absent=absent)
        self._ahead = Ahead()
        self._reader: _Reader | None = None
        self._placed = False
        self._lost = False
        self._moved = False
        self._position = None if since is None else Position(cursor=since_cursor(since))
        self._gaps: list[Gap] = []
        self._read_until = Usec(0)
        self._behind = clock is None
        self._wary = 0
        self._distrust = 0
        self._errors = 0
        self._mapped = 0
        self._folders: Folders = frozenset()
        self._looked_at = 0
        if position is not None:
            self._take_up(position)
        known = self._position or Position(cursor="")
        self._order = Order(shared=source.is_machine, last=known.last, lasts=known.lasts)
        self._base = self._order.copy()

    def _take_up(self, text: str) -> None:
        try:
            self._position = Position.from_text(text)
        except PositionError:
            self._lost = True
            return
        self._scanner.resume(dict(self._position.carry))
        self._suspects.resume(dict(self._position.carry))

    # ------------------------------------------------------------------------------------------------- outside

    @property
    def cursor(self) -> str:
        """The last entry that was read, or what stands for it."""
        return "" if self._position is None else self._position.cursor

    def fileno(self) -> int:
        """The descriptor that becomes readable when the journal changes, -1 while there is none to be had."""
        if self._reader is None:
            return -1
        try:
            return self._reader.fileno()
        except OSError:
            # inotify is used up; asked again at each turn, so that it is taken once there is some
            return -1

    def descriptors(self) -> tuple[int, ...]:
        """What becomes readable when the journal changes."""
        descriptor = self.fileno()
        return () if descriptor < 0 else (descriptor,)

    @property
    def breadth(self) -> int:
        """How many read side by side."""
        return 1

    def left(self) -> Left:
        """Where another one has to go on, after the last reading that was given."""
        self._forget_batch()
        self.close()
        position, (gaps, self._gaps) = self._position, (tuple(self._gaps), [])
        if position is not None:
            carry = {**self._scanner.carry(), **self._suspects.carry()}
            position = replace(position, last=self._base.last, lasts=self._base.lasts, carry=carry, began=self._began)
        return Left(position=position, gaps=gaps, is_lost=self._lost)

    def close(self) -> None:
        """Lets the journal go; the next step opens it again where it was."""
        reader, self._reader, self._placed, self._mapped = self._reader, None, False, 0
        if reader is not None:
            reader.close()

    def reopen(self, make: MakeReader) -> None:
        """Go on at the same place with readers of another make."""
        self.close()
        self._make = make

    def go_on(self, until: Usec) -> None:
        """It ends farther on."""
        self._until, self.finished, self._placed = until, False, False
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
        """An error is sticky: take in what changed, then open again, then (in `_land`) go past it."""
        self._errors += 1
        if self._errors == 1 and self._reader is not None:
            try:
                self._reader.process()
            except OSError:
                self.close()
            return
        self.close()
        raise trouble_with(self._source, error) from error

    # ------------------------------------------------------------------------------------------------- placing

    def _ready(self) -> _Reader:
        self._look_around()
        if self._reader is None:
            try:
                self._folders, self._looked_at = folders_of(self._source), self._clock() if self._clock else 0
                self._reader = open_journal(self._source, self._make)
            except JournalError:
                if self._position is None and not self._lost and self._clock is not None:
                    # what comes into a journal that is still missing is new, what it may bring along is not
                    self._position, self._moved = Position(cursor=since_cursor(Usec(self._clock()))), True
                raise
            self._check_fit(self._reader)
        if not self._placed:
            if self._until is not None and not isinstance(self._reader, ProbingReader):
                self._ahead.find(self._reader, self._until)
            self._place(self._reader)
        return self._reader

    def _look_around(self) -> None:
        """A reader that hears of no new file would stay silent for ever: open anew whenever files came or went."""
        if self._clock is None or self._reader is None or 0 <= (now := self._clock()) - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        if folders_of(self._source) != self._folders:
            self.close()
        else:
            self._check_fit(self._reader)

    def _check_fit(self, reader: _Reader) -> None:
        if self._fits is not None and not self._fits(reader):
            raise OutgrownError(f"{self._source}: the hosts in it are others")

    def _place(self, reader: _Reader) -> Position:
        landing = self._land(reader)
        position = self._position
        if position is None or landing.gap is not None or landing.cursor != position.cursor:
            self._moved = True
        self._position = Position(
            cursor=landing.cursor,
            consumed=landing.consumed,
            last=self._order.last,
            lasts=self._order.lasts,
            began=self._began,
        )
        self._base = self._order.copy()
        if landing.gap is not None:
            self._gaps.append(landing.gap)
        self.visible = self.visible or landing.saw_entry
        self._lost, self._placed = False, True
        return self._position

    def _land(self, reader: _Reader) -> Landing:
        position = self._position
        now = Usec(self._clock()) if self._clock is not None else Usec(0)
        if self._lost:
            return land_from_head(reader, self._order, since=Usec(0), now=now)
        if position is None:
            return land_at_tail(reader, self._order)
        if self._errors >= ERRORS:
            past = land_past(reader, position, self._order, attempt=self._errors - ERRORS)
            if past is not None:
                return past
        try:
            return land_at(reader, position, self._order, now=now)
        except ValueError:
            return land_from_head(reader, self._order, since=position.at, now=now)

    # ------------------------------------------------------------------------------------------------- batches

    def _batch(self, reader: _Reader) -> Reading:
        assert self._position is not None  # noqa: S101 - the reader was placed
        position = self._position
        most = self._ahead.most(self._order, at_once=FAST_ENTRIES) if self._is_fast(reader) else 0
        careful, limit = most == 0, most or CAREFUL_ENTRIES
        if isinstance(reader, ProbingReader):
            limit = PROBED_ENTRIES
        while True:
            stretch = Stretch(cursor=position.cursor, consumed=position.consumed, limit=limit)
            if limit == 0:
                break
            self._batches.read(reader, self._order, stretch, careful=careful)
            self.finished = stretch.finished
            if not stretch.again and not self._begins_with_step(position, stretch):
                break
            self._distrust += not careful
            careful, limit = True, stretch.limit
            self._forget_batch()
            position = self._place(reader)
        if self._fits is not None and not self._order.knows_no_more_than(self._base):
            # a file that was empty before: look whose it is before anything of it is taken
            self._check_fit(reader)
        self._note_pace(stretch, careful=careful)
        self._batches.settle()
        return self._reading(stretch)

    def _begins_with_step(self, position: Position, stretch: Stretch) -> bool:
        """Whether the stretch has to be read again, so that a step of the clock lies right before its first entry.

        What the scanner remembers is then by the new clock, before it sees that entry.
        """
        gap = step_between(position.cursor, stretch.cursor)
        if gap is None or self._steps > MOST_STEPS or not self._keeps_our_time(stretch.cursor):
            return False
        if stretch.entries > 1:
            stretch.refuse(keep=stretch.entries // 2)
            return True
        if self._stepped:
            return False
        self._forget_batch()
        self._scanner.set_clock(gap.step)
        self._steps, self._stepped = self._steps + 1, True
        stretch.refuse(keep=1)
        return True

    def _keeps_our_time(self, cursor: str) -> bool:
        """Whether a step of the clock that stamped the entry is one of the clock by which windows are opened."""
        if self._source.host:
            return False
        return self._clock is None or self._source.is_machine or self._clock_steps.is_own(cursor)

    def _is_fast(self, reader: _Reader) -> bool:
        # the first entry of all has none before it, so that only a look at each tells what belongs together
        known = self._order.last is not None
        return known and self._behind and not self._wary and not isinstance(reader, ProbingReader)

    def _note_pace(self, stretch: Stretch, *, careful: bool) -> None:
        self._behind = stretch.entries >= CAREFUL_ENTRIES or (self._clock is None and not stretch.at_tail)
        if not careful:
            self._distrust = 0
        elif self._wary:
            self._wary -= 1
        elif self._distrust > 1:
            # writers that take turns: look at each entry for a while, longer each time
            self._wary = min(2**self._distrust, MOST_WARY)

    def _forget_batch(self) -> None:
        self._scanner.discard()
        self._order = self._base.copy()
        self._placed = False

    def _idle(self, stretch: Stretch) -> Reading | None:
        """What an idle reader says a hundred times a second, without the price of a batch."""
        if stretch.entries or stretch.gaps or self._moved or self._gaps or not stretch.at_tail:
            return None
        if self._position is None or stretch.cursor != self._position.cursor:
            return None
        seen_until = self._seen_until(stretch)
        if self._suspects.is_due(seen_until, at_end=self._clock is None):
            return None
        self._read_until = self._known_until(seen_until)
        return Reading(read_until=self._read_until, at_tail=True, visible=self.visible, heard=self._scanner.heard)

    def _reading(self, stretch: Stretch) -> Reading:
        idle = self._idle(stretch)
        if idle is not None and self._mapped <= MOST_MAPPED:
            return idle
        tally = self._scanner.drain()
        suspected = self._look_again(tally, stretch)
        gaps, self._gaps = (*self._gaps, *stretch.gaps, *tally.gaps, *suspected), []
        moved = self._moved or self._position is None or stretch.cursor != self._position.cursor
        stepped = None if self._position is None else step_between(self._position.cursor, stretch.cursor)
        gaps += () if stepped is None else (stepped if self._stepped else replace(stepped, step=0),)
        if stepped is not None:
            self._stepped = False
            self._read_until = Usec(0) if stepped.step < 0 else self._read_until
        self._position = Position(
            cursor=stretch.cursor,
            consumed=stretch.consumed,
            last=self._order.last,
            lasts=self._order.lasts,
            carry={**self._scanner.carry(), **self._suspects.carry()},
            began=self._began,
        )
        self._moved, self._base = False, self._order.copy()
        self.visible = self.visible or stretch.entries > 0
        self._mapped += stretch.entries
        if self._clock is not None and stretch.at_tail and self._mapped > MOST_MAPPED:
            self.close()
        self._read_until = self._known_until(self._seen_until(stretch))
        return Reading(
            read_until=self._read_until,
            last_entry_at=stretch.last_at if stretch.entries else None,
            tallies=tally.tallies,
            found=tally.found,
            gaps=gaps,
            position=self._position.to_text() if moved else None,
            entries=stretch.entries,
            at_tail=stretch.at_tail or not stretch.entries,
            visible=self.visible,
            heard=self._scanner.heard,
        )

    def _look_again(self, tally: Tally, stretch: Stretch) -> tuple[Gap, ...]:
        """What comes of the tally, or of those before it, that only a second look can tell."""
        self._suspects.count(tally.tallies)
        seen_until, at_end = self._seen_until(stretch), self._clock is None and not stretch.entries
        if not self._suspects.is_due(seen_until, at_end=at_end):
            return ()
        self._moved = True  # or the same would be looked at again after a restart
        return self._suspects.gaps(seen_until, at_end=at_end, trusts=not isinstance(self._reader, ProbingReader))

    def _known_until(self, seen_until: Usec) -> Usec:
        return max(self._read_until, self._suspects.known_until(seen_until))

    def _seen_until(self, stretch: Stretch) -> Usec:
        if self.finished and self._until is not None:
            return self._until
        last = stretch.last_at or Usec(0)
        if not stretch.at_tail:
            return last if stretch.entries else self._read_until
        if stretch.asked_at is None:
            return last
        # By the clock of the last entry, until an entry shows the new one.
        self.step_since_entry = self._clock_steps.since(stretch.cursor)
        return Usec(max(stretch.asked_at - self.step_since_entry - STAMP_SLACK, last))
