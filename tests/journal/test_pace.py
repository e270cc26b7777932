"""When batches are read fast."""

from __future__ import annotations

from watcher.journal.batch import CAREFUL_ENTRIES, Stretch
from watcher.journal.pace import MOST_WARY, Pace


def stretch(entries: int, *, at_tail: bool = False) -> Stretch:
    return Stretch(cursor="", consumed=0, limit=CAREFUL_ENTRIES, entries=entries, at_tail=at_tail)


def test_a_journal_that_grows_is_read_fast_once_much_lies_ahead() -> None:
    """A full careful batch tells that there is more; one that is not full tells that the end is near."""
    pace = Pace(live=True)
    told = [pace.is_fast]
    for entries in (CAREFUL_ENTRIES, CAREFUL_ENTRIES - 1):
        pace.taken(stretch(entries), careful=True)
        told.append(pace.is_fast)
    assert [False, True, False] == told


def test_a_recorded_journal_is_read_fast_to_its_end() -> None:
    """However little came of a batch, until there is nothing more."""
    pace = Pace(live=False)
    told = [pace.is_fast]
    for at_tail in (False, True):
        pace.taken(stretch(1, at_tail=at_tail), careful=False)
        told.append(pace.is_fast)
    assert [True, True, False] == told


def careful_batches(pace: Pace) -> int:
    """How many there are until the next fast one, which is not whole."""
    count = 0
    while not pace.is_fast:
        pace.taken(stretch(CAREFUL_ENTRIES), careful=True)
        count += 1
    return count


def test_writers_that_take_turns_make_it_wary() -> None:
    """One fast batch in vain costs nothing more; with each further one it stays careful for longer, within a bound."""
    pace = Pace(live=False)
    waits = []
    for _ in range(9):
        pace.refused(careful=False)
        pace.taken(stretch(CAREFUL_ENTRIES), careful=True)
        waits.append(careful_batches(pace))
    assert [0, 4, 8, 16, 32, 64, 64, 64, 64] == waits
    assert MOST_WARY == max(waits)


def test_a_fast_batch_that_is_whole_is_trusted_again() -> None:
    """And careful ones that had to be read again say nothing against fast ones."""
    pace = Pace(live=False)
    pace.refused(careful=False)
    pace.taken(stretch(CAREFUL_ENTRIES), careful=False)
    pace.refused(careful=False)
    for _ in range(3):
        pace.refused(careful=True)
    pace.taken(stretch(CAREFUL_ENTRIES), careful=True)
    assert pace.is_fast
