"""Files whose entries do not say whose they are, in a directory of several hosts: nobody reads those.

journald writes no such entry; programs that make up journals may. Knows a raw reader; must not know positions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from systemd._reader import _Reader

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import Usec
from watcher.journal.census import host_of
from watcher.journal.folders import folders_of
from watcher.journal.source import Source

_log = logging.getLogger(__name__)


class Hostless:
    """Looks at the last entry of each file; a file that was found to be somebody's is not looked at again."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._owned: set[tuple[int, int]] = set()
        self._told: dict[tuple[int, int], Usec] = {}
        self.files: tuple[str, ...] = ()
        """The paths of those that were found by the last look."""

    def look(self, *, since: Usec) -> Gap | None:
        """A gap over what came into such files after `since` and after the look before; None if nothing did."""
        found: dict[str, Usec] = {}
        present = {}
        gaps = []
        for path, key in self._files():
            present[key] = path
            if key in self._owned:
                continue
            at = self._last_of_nobody(path, key)
            if at is None:
                continue
            found[path] = at
            before = max(self._told.get(key, since), since)
            if at > before:
                gaps.append((before, at))
            self._told[key] = at
        self._owned &= present.keys()
        self.files = tuple(sorted(found))
        if not gaps:
            return None
        return Gap(reason=GapReason.MISSING, since=min(gap[0] for gap in gaps), until=max(gap[1] for gap in gaps))

    def _files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for folder, *_ in folders_of(self._source):
            for path in sorted(Path(folder).glob("*.journal*")):
                try:
                    status = path.stat()
                except OSError as error:
                    _log.debug("%s: is gone again: %s", path, error)
                    continue
                yield str(path), (status.st_dev, status.st_ino)

    def _last_of_nobody(self, path: str, key: tuple[int, int]) -> Usec | None:
        """The instant of the file's last entry if that is nobody's; None also where it can't be read."""
        try:
            reader = _Reader(0, None, [path])
        except OSError as error:
            _log.debug("%s: can't be looked at: %s", path, error)
            return None
        try:
            reader.seek_tail()
            if not reader._previous():
                return None
            if host_of(reader) is None:
                return Usec(reader._get_realtime())
            self._owned.add(key)
        except OSError as error:
            _log.debug("%s: can't be looked at: %s", path, error)
        finally:
            reader.close()
        return None
