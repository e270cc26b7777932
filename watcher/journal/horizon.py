"""How far a journal was read, by the clock that stamps its entries, and what becomes of a step of that clock.

Knows stretches and the clocks in their cursors; must not know readers or rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from watcher.core.coverage import Gap
from watcher.core.duration import SECOND, Usec
from watcher.journal.batch import Stretch
from watcher.journal.clocks import Now, Steps, is_step_hidden, step_between
from watcher.journal.source import Source

STAMP_SLACK = SECOND
"""journald stamps an entry before it stores it; what is stamped older than this has arrived."""
MOST_STEPS = 1000
"""A journal whose two clocks never agree is read without a look at each entry."""


class Horizon:
    """The instant `read_until`, which only a clock that was set back takes back.

    `live`: the journal may still grow. With `now` a step of the wall clock is known before an entry shows it:
    `step_since_entry` is what it was set by since the last one. `of_several`: the entries are those of several hosts,
    each with its clocks.
    """

    def __init__(self, source: Source, *, live: bool, now: Callable[[], Now] | None) -> None:
        self.read_until = Usec(0)
        self.step_since_entry = 0
        self.of_several = False
        self._source = source
        self._live = live
        self._now = now
        self._own_steps = Steps(now)
        self._begun = 0
        self._parted = 0
        self._begins = False

    def seen_until(self, stretch: Stretch, *, end: Usec | None) -> Usec:
        """Up to when everything has been seen with this stretch; `end` is the end of all reading, if that is there."""
        if end is not None:
            return end
        last = stretch.last_at or Usec(0)
        if not stretch.at_tail:
            return self._at_most_now(last, stretch) if stretch.entries else self.read_until
        if stretch.asked_at is None:
            return last
        # By the clock of the last entry, until an entry shows the new one.
        self.step_since_entry = self._own_steps.since(stretch.cursor)
        asked_at = stretch.asked_at - self.step_since_entry
        return Usec(max(asked_at - STAMP_SLACK, min(last, asked_at)))

    def _at_most_now(self, last: Usec, stretch: Stretch) -> Usec:
        """What a host stamps ahead of our clock says nothing of what is still to come until then."""
        if self._now is None or last <= (wall := self._now().realtime):
            return last
        return Usec(min(last, wall - self._own_steps.since(stretch.cursor)))

    def go_on(self, known_until: Usec) -> Usec:
        """All before `known_until` is known; answers up to when all is."""
        self.read_until = max(self.read_until, known_until)
        return self.read_until

    def begin_with_step(self, before: str, stretch: Stretch, *, between: Iterable[str]) -> int:
        """Has a stretch read again that goes over a step of the clock, until the step lies before its first entry.

        `before` is the cursor that it was read from; those `between` may show two steps, of which its ends tell
        nothing. Answers by how many microseconds the clock was set, once the stretch is one entry right after that:
        then what is remembered has to be set before it is read again. 0: it is not that far, or there is no step of
        the clock by which windows are opened.
        """
        gap = step_between(before, stretch.cursor)
        if gap is None:
            self._part_at_hidden_step(before, stretch, between)
            return 0
        if self._begun > MOST_STEPS or not self._keeps_our_time(stretch.cursor):
            return 0
        if stretch.entries > 1:
            stretch.refuse(keep=stretch.entries // 2)
            return 0
        if self._begins:
            return 0
        self._begun, self._begins = self._begun + 1, True
        stretch.refuse(keep=1)
        return gap.step

    def _part_at_hidden_step(self, before: str, stretch: Stretch, between: Iterable[str]) -> None:
        if stretch.entries > 1 and self._parted <= MOST_STEPS and is_step_hidden(before, stretch.cursor, between):
            self._parted += 1
            stretch.refuse(keep=stretch.entries // 2)

    def gaps_told(self, before: str, stretch: Stretch) -> tuple[Gap, ...]:
        """The step that this stretch, now taken, goes over or begins with; only in that case it says by how much."""
        gap = step_between(before, stretch.cursor)
        if gap is None:
            return ()
        begins, self._begins = self._begins, False
        if gap.step < 0:
            self.read_until = Usec(0)
        return (gap if begins else replace(gap, step=0),)

    def _keeps_our_time(self, cursor: str) -> bool:
        """Whether a step of the clock that stamped the entry is one of the clock by which windows are opened."""
        if self._source.host or self.of_several:
            return False
        return not self._live or self._source.is_machine or self._own_steps.is_own(cursor)
