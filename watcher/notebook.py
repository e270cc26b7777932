"""Writes the final notes: gathers record, history and lines of the journal, and has them rendered and kept.

A note is due from the commit of its release's change until it is written (`notes_due` in the store), so a crash in
between costs nothing: start-up writes what is still due. Writing one again gives the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from watcher.adapters.database import StoreError
from watcher.adapters.front import FrontError
from watcher.adapters.log import log
from watcher.adapters.notes import NoteError, Notes
from watcher.adapters.store import Store
from watcher.core.codec import RecordError
from watcher.core.errors import WatcherError
from watcher.core.excerpt import ReadAgain
from watcher.core.names import ReleaseId
from watcher.core.note import note_record, render_note
from watcher.core.release import Release
from watcher.dispatch.failpoint import reached
from watcher.journal.source import Source

RETRY_SECONDS = 5.0
_DEFECT = "`watcher release show {release}` has all that it would tell; please report what the daemon's log says of it"

ReadExcerpts = Callable[[Release], Awaitable[ReadAgain]]


class Notebook:
    """The notes that are due, written one after the other.

    `read_excerpts` reads the matching lines again; `source` names the journal that they are in.
    """

    def __init__(
        self, *, store: Store, notes: Notes, read_excerpts: ReadExcerpts, source: Callable[[], Source]
    ) -> None:
        self._store = store
        self._notes = notes
        self._read_excerpts = read_excerpts
        self._source = source
        self._due: asyncio.Queue[ReleaseId] = asyncio.Queue()
        self._asked: set[ReleaseId] = set()
        self._given_up: dict[ReleaseId, str] = {}
        self._written = asyncio.Condition()

    def due(self, release_id: ReleaseId) -> None:
        """The record of the release has changed in what a note tells: it is to be written (again)."""
        self._asked.add(release_id)
        self._given_up.pop(release_id, None)
        self._due.put_nowait(release_id)

    async def run(self) -> NoReturn:
        """Write what is due, until cancelled; what could not be written is tried again."""
        for release_id in self._store.notes_due():
            self.due(release_id)
        while True:
            release_id = await self._due.get()
            try:
                await self._write(release_id)
            except RecordError as error:  # of a newer program: it stays due, and is that program's to write
                log.error("note could not be written", extra={"facts": {"release": release_id, "why": error.message}})
                await self._give_up(release_id, error.message)
            except (NoteError, StoreError) as error:
                log.error("note could not be written", extra={"facts": {"release": release_id, "why": error.message}})
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self.due, release_id)
            except WatcherError:
                raise
            except Exception as error:  # noqa: BLE001 - it is due at each start: to die of it would mean for ever
                facts = {"release": release_id, "hint": _DEFECT.format(release=release_id)}
                log.error("note can't be made", exc_info=error, extra={"facts": facts})
                await self._give_up(release_id, f"a defect: {error!r:.200}")

    async def read(self, release_id: ReleaseId, *, patience: float) -> str | None:
        """The note of the release; one that is due is waited for, up to `patience` seconds.

        Raises FrontError: it can't be made; and what the store and the notes raise.
        """
        try:
            async with asyncio.timeout(patience), self._written:
                await self._written.wait_for(
                    lambda: release_id in self._given_up or release_id not in self._store.notes_due()
                )
        except TimeoutError:
            log.warning("note is late", extra={"facts": {"release": release_id}})
        if release_id in self._given_up:
            why = self._given_up[release_id]
            raise FrontError(
                f"the note of release {release_id} can't be made: {why}", hint=_DEFECT.format(release=release_id)
            )
        return self._notes.read(release_id)

    async def _give_up(self, release_id: ReleaseId, why: str) -> None:
        """It stays due: tried again when the release goes on, and at the next start, perhaps of a mended program."""
        self._given_up[release_id] = why
        async with self._written:
            self._written.notify_all()

    async def _write(self, release_id: ReleaseId) -> None:
        self._asked.discard(release_id)
        release = self._store.release(release_id)
        if release is None or release_id not in self._store.notes_due():
            return
        again = await self._read_excerpts(release)
        if release_id in self._asked:
            return  # it went on meanwhile, and is in the queue again: this note would be old before it is read
        reached("before_note")
        self._notes.write(release_id, *self._rendered(release, again))
        reached("after_note")
        self._store.note_written(release_id)
        async with self._written:
            self._written.notify_all()

    def _rendered(self, release: Release, again: ReadAgain) -> tuple[str, dict[str, Any]]:
        """The note for people and for programs, of the same facts."""
        history, source = self._store.transitions(release.id), self._source()
        where = {"journalctl_directory": source.directory, "journalctl_namespace": source.namespace}
        return (
            render_note(release, transitions=history, excerpts=again, **where),
            note_record(release, transitions=history, excerpts=again, **where),
        )
