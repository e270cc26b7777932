"""The notebook over a real store and real files; only the journal's lines take as long as the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.events import HELLO, RELEASE, START, batch, match, observed, policy, release, settings
from watcher.adapters.front import FrontError
from watcher.adapters.notes import Notes
from watcher.adapters.store import Store
from watcher.clock import wall_clock
from watcher.core.excerpt import ReadAgain
from watcher.core.messages import WriteNote
from watcher.core.release import Release, RollbackState
from watcher.core.state import Decision
from watcher.desk import Desk
from watcher.journal.source import Source
from watcher.notebook import Notebook


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path, START)
    yield opened
    opened.close()


def trips(*_: object, **__: object) -> str:
    """A defect in what renders a note."""
    raise IndexError("tuple index out of range")


class Writer:
    """A desk whose decisions make notes due. While lines are read again, `meanwhile` happens."""

    def __init__(self, store: Store, notes: Path) -> None:
        self.notes = Notes(notes)
        self.reads = 0
        self.meanwhile: Callable[[int], object] = lambda _: None
        self.notebook = Notebook(store=store, notes=self.notes, read_excerpts=self._lines, source=Source)
        self.desk = Desk(store, store.load(), self._perform, clock=wall_clock)

    def _perform(self, decision: Decision) -> None:
        for command in decision.commands:
            if isinstance(command, WriteNote):
                self.notebook.due(command.release)

    async def _lines(self, _: Release) -> ReadAgain:
        await asyncio.sleep(0)
        self.reads += 1
        self.meanwhile(self.reads)
        return ReadAgain()

    async def written(self) -> str:
        """The note, once it is written; for a second at most."""
        task = asyncio.get_running_loop().create_task(self.notebook.run())
        try:
            return await self.notebook.read(RELEASE, patience=1) or ""
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def writer(store: Store, tmp_path: Path) -> Writer:
    writer = Writer(store, tmp_path / "notes")
    for event in (settings(policy(limit=1, verify="10m")), release(), batch(errors=1, at="1m")):
        writer.desk.take(event)
    return writer


async def test_a_busy_job_keeps_no_note_from_being_written(writer: Writer) -> None:
    """After a rollback each match of the watched job changes the record, faster than lines are read again."""
    writer.desk.take(observed(RollbackState.SUCCEEDED, at="2m"))
    writer.meanwhile = lambda times: writer.desk.take(batch(match(f"{120 + times}s", HELLO), at=f"{120 + times}s"))
    assert "rolled back" in await writer.written()
    assert 1 == writer.reads


async def test_a_release_that_goes_on_meanwhile(writer: Writer) -> None:
    """Its note is not written until what it would have said is true."""

    def goes_on(times: int) -> None:
        if times == 1:
            writer.desk.take(observed(RollbackState.SUCCEEDED, at="2m"))

    writer.meanwhile = goes_on
    assert "rolled back" in await writer.written()
    assert 2 == writer.reads


async def test_a_defect_in_a_note(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told loudly and to whoever asks; others are written, and this one once it can be."""
    with monkeypatch.context() as broken:
        broken.setattr("watcher.notebook.render_note", trips)
        writer.desk.take(observed(RollbackState.SUCCEEDED, at="2m"))
        with pytest.raises(FrontError, match=r"can't be made: a defect: IndexError\('tuple index out of range'\)"):
            await writer.written()
    assert ["note can't be made"] == [one.message for one in caplog.records if one.levelname == "ERROR"]
    assert "IndexError" in caplog.text
    writer.notebook.due(RELEASE)
    assert "rolled back" in await writer.written()


async def test_a_defect_in_one_note_keeps_the_next_from_nothing(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook goes on, and with it the daemon."""

    def trips_once(*_: object, **__: object) -> str:
        monkeypatch.undo()
        return trips()

    monkeypatch.setattr("watcher.notebook.render_note", trips_once)
    writer.desk.take(observed(RollbackState.SUCCEEDED, at="2m"))
    task = asyncio.get_running_loop().create_task(writer.notebook.run())
    with pytest.raises(FrontError):
        await writer.notebook.read(RELEASE, patience=1)
    writer.desk.take(observed(RollbackState.SUCCEEDED, at="3m"))
    writer.notebook.due(RELEASE)
    assert "rolled back" in (await writer.notebook.read(RELEASE, patience=1) or "")
    assert not task.done()
    task.cancel()
