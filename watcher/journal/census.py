"""Whose the entries of a directory are: which hosts there are, and whether a number that one lacks is another's.

Knows a raw reader of its own over all files; must not know positions or batches.
"""

from __future__ import annotations

from systemd._reader import _Reader

from watcher.journal.folders import Folders, folders_of
from watcher.journal.hold import MOST_MAPPED
from watcher.journal.opening import MACHINE_ID, open_journal, trouble_with
from watcher.journal.position import number_of
from watcher.journal.source import Source

MOST_LOOKED = 50_000
"""So many numbers are looked at in one go, which takes less than half a second; the others the next time."""
_DIGITS = frozenset(b"0123456789abcdef")
_NEVER = "7fffffffffffffff"
"""No entry is as late: by such an instant all files are left out but those of the sequence id that is asked for."""


def hosts_in(reader: _Reader) -> frozenset[str]:
    """The hosts of all entries in the files that the reader knows; costs microseconds, and does not move it."""
    return frozenset(found.decode() for found in reader.query_unique(MACHINE_ID) if _is_machine(found))


def host_of(reader: _Reader) -> str | None:
    """Whose the entry is that the reader stands on; None: it does not say."""
    try:
        found = reader._get(MACHINE_ID)
    except KeyError:
        return None
    return found.decode() if _is_machine(found) else None


def _is_machine(text: bytes) -> bool:
    """See machine-id(5): a line that says something else is nobody's."""
    return len(text) == 32 and _DIGITS.issuperset(text)  # noqa: PLR2004 - digits of 128 bits


class Census:
    """Looks into all files of a directory, whoever wrote them. One thread creates, uses and closes it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reader: _Reader | None = None
        self._folders: Folders = frozenset()
        self._looks: dict[str, _Look] = {}
        self._looked = 0

    def close(self) -> None:
        """Lets the files go; the next question opens them again."""
        reader, self._reader, self._looked = self._reader, None, 0
        if reader is not None:
            reader.close()

    def hosts(self) -> frozenset[str]:
        """The hosts that there are entries of. Raises JournalError."""
        if self._looked > MOST_MAPPED or folders_of(self._source) != self._folders:
            self.close()
        try:
            return hosts_in(self._opened())
        except OSError as error:
            self.close()
            raise trouble_with(self._source, error) from error

    def absent(self, host: str, sequence: str, first: int, end: int) -> int | None:
        """How many of the numbers from `first` to before `end` are in no file, or there and still `host`'s own.

        So are those that are nobody's, as nobody reads them. None: there are more than can be looked at in one go, ask
        again. Raises JournalError.
        """
        look = self._looks.get(host)
        if look is None or not look.is_about(sequence, first, end):
            look = self._looks[host] = _Look(host, sequence, first, end)
        before = look.at
        try:
            look.go_on(self._opened(), most=MOST_LOOKED)
        except OSError as error:
            self.close()
            raise trouble_with(self._source, error) from error
        self._looked += look.at - before
        if look.at < end:
            return None
        del self._looks[host]
        return look.absent

    def _opened(self) -> _Reader:
        if self._reader is None:
            self._folders = folders_of(self._source)
            self._reader = open_journal(self._source)
        self._reader.process()
        return self._reader


class _Look:
    """A look at one hole in what a host has, which may take several goes: `absent` up to before the number `at`."""

    def __init__(self, host: str, sequence: str, first: int, end: int) -> None:
        self._host = host
        self._sequence = sequence
        self._first = first
        self._end = end
        self.at = first
        self.absent = 0

    def is_about(self, sequence: str, first: int, end: int) -> bool:
        return (self._sequence, self._first, self._end) == (sequence, first, end)

    def go_on(self, reader: _Reader, *, most: int) -> None:
        until = min(self._end, self.at + most)
        while self.at < until:
            reader.seek_cursor(f"s={self._sequence};i={self.at:x};t={_NEVER}")
            if not self._walk(reader, until):
                self.absent += self._end - self.at
                self.at = self._end

    def _walk(self, reader: _Reader, until: int) -> bool:
        """From the seek on to `until`, or to where entries of other files come between; False: nothing is there."""
        is_first = True
        while reader._next():
            sequence, number = number_of(reader._get_cursor())
            if sequence != self._sequence:
                return not is_first
            is_first = False
            if number < self.at:
                continue
            reached = min(number, self._end)
            self.absent += reached - self.at
            self.at = reached
            if reached == self._end:
                return True
            self.absent += host_of(reader) in (None, self._host)
            self.at += 1
            if self.at >= until:
                return True
        return not is_first
