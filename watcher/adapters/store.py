"""The one durable truth: releases, counters, decisions and the reader's position, in SQLite.

One decision is one transaction. After a commit that failed nothing was stored and nothing may be adopted; after an
fsync that failed the process must end (`StoreLostError`): the kernel calls the pages clean then, and a retry would lie
(Rebello et al., USENIX ATC 2020).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from watcher.adapters.ballast import Ballast
from watcher.adapters.database import (
    MAKE_ROOM,
    StoreError,
    StoreFullError,
    StoreLostError,
    connect,
    is_quota,
    loss,
    name_of,
    unusable,
)
from watcher.adapters.mark import Mark, read_mark, write_mark
from watcher.adapters.place import Place
from watcher.core.codec import NewerRecordError, RecordError
from watcher.core.draft import is_busy
from watcher.core.duration import Usec
from watcher.core.errors import WatcherError
from watcher.core.messages import Transition, WriteNote
from watcher.core.names import JobName, ReleaseId
from watcher.core.record import (
    from_record,
    instants_from_record,
    labels_from_record,
    pause_record,
    pauses_from_record,
    to_record,
    transition_from_record,
    transition_record,
    trouble_from_record,
    trouble_record,
)
from watcher.core.release import Release
from watcher.core.state import Decision, Pause, State
from watcher.core.trouble import Trouble

T = TypeVar("T")


class Store:
    """The open database of one state directory; the caller holds the directory's lock."""

    def __init__(self, connection: sqlite3.Connection, directory: Path, *, machine: str, lost: str) -> None:
        self._db = connection
        self._directory = directory
        self._machine = machine
        self._place = Place(directory / "state.db")
        self._ballast = Ballast(directory)
        self._distrusted: StoreLostError | None = None
        self.lost = lost
        """Why this state can't be trusted to know every rollback, in words; empty if it can."""

    @classmethod
    def open(cls, directory: Path, at: Usec, *, machine: str = "", traces: Iterable[Path] = ()) -> Self:
        """Open or make `state.db` in `directory`; a damaged one is set aside under a name with the instant `at`.

        `machine` names this machine; a state that was made on another one is said to be `lost`. So is one that is not
        there although something in the directories `traces` tells of rollbacks or notes that there were.
        Raises StoreRefusedError: no access, or a database newer than this program; StoreError: the disk is full or the
        database in use, so trying again later is right; StoreLostError: the disk fails; NewerRecordError: a later
        program has written what has to be loaded.
        """
        traces = tuple(traces)
        store = cls._opened(directory, at, machine, traces, damage="")
        try:
            store.load()
        except NewerRecordError:
            store.close()
            raise
        except RecordError as error:  # whole as a file and as JSON, and still nothing that was ever written
            store.close()
            store = cls._opened(directory, at, machine, traces, damage=f"a record is damaged: {error}")
        return store

    @classmethod
    def _opened(cls, directory: Path, at: Usec, machine: str, traces: tuple[Path, ...], *, damage: str) -> Self:
        path = directory / "state.db"
        try:
            lost = loss(path, machine, at, damage, traces)
            connection = connect(path)
            store = cls(connection, directory, machine=machine, lost=lost)
            if not lost and read_mark(directory) != Mark(machine=machine):
                write_mark(directory, Mark(machine=machine))
            store._ballast.lay()
        except (sqlite3.Error, OSError) as error:
            raise unusable(path, error) from error
        return store

    def loss_recorded(self) -> None:
        """What was lost is told by a stored pause from now on. Raises as `commit` does.

        Until then each start says again that it was lost: a crash in between must not let rollbacks run.
        """
        try:
            write_mark(self._directory, Mark(machine=self._machine))
        except OSError as error:
            raise unusable(self._directory, error) from error
        self.lost = ""

    def check_place(self) -> None:
        """Whether what is committed goes where the next start finds it. Raises StoreLostError: it does not."""
        if self._distrusted is not None:
            raise self._distrusted
        trouble = self._place.trouble()
        if trouble is not None:
            hint = "leave the state directory to the daemon; it starts again from what lies there now"
            raise self._distrust(f"state.db {trouble}", hint=hint)

    def close(self) -> None:
        """Close the database; what was committed is durable already."""
        self._db.close()

    def load(self) -> State:
        """The state as the last commit left it, without policies: those come from the configuration.

        Raises StoreLostError, as all that reads does: what is stored can't be read, so it must not be added to.
        """
        rows = self._rows(
            "SELECT record FROM releases WHERE busy OR seq IN (SELECT max(seq) FROM releases GROUP BY job)"
        )
        releases = {release.id: release for release in (self._read(row[0], from_record) for row in rows)}
        last = self._rows("SELECT job, id, max(seq) FROM releases GROUP BY job")
        counters = self._rows("SELECT metric, labels, value FROM counters")
        troubles = self._rows("SELECT job, record FROM troubles")
        return State(
            releases=releases,
            last={JobName(job): ReleaseId(release) for job, release, _ in last},
            pauses=self._pauses(),
            counters={(metric, *self._read(labels, labels_from_record)): value for metric, labels, value in counters},
            rollbacks=self._read(self._one("SELECT instants FROM rollbacks") or "[]", instants_from_record),
            troubles={JobName(job): self._read(record, trouble_from_record) for job, record in troubles},
            position=self._one("SELECT reader FROM position"),
        )

    def commit(self, decision: Decision) -> None:
        """Store everything that the decision changed, or nothing.

        On a full disk the ballast is given up for what is worth a transition: a verdict, a rollback, a person's word.
        Raises StoreError (not stored, retry later) and StoreLostError (end the process).
        """
        try:
            self._commit(decision)
        except StoreFullError:
            if not decision.transitions or not self._ballast.drop():
                raise
            self._commit(decision)
        self._ballast.lay()

    def _commit(self, decision: Decision) -> None:
        with self._transaction():
            for release in decision.changed:
                self._put_release(release)
            self._db.executemany(
                "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                [(series[0], json.dumps(series[1:]), value) for series, value in decision.counted.items()],
            )
            self._db.executemany(
                "INSERT INTO transitions (release, record) VALUES (?, ?)",
                [(one.release, json.dumps(transition_record(one))) for one in decision.transitions],
            )
            self._db.executemany(
                "INSERT INTO notes_due VALUES (?) ON CONFLICT DO NOTHING",
                [(command.release,) for command in decision.commands if isinstance(command, WriteNote)],
            )
            if decision.pauses is not None:
                records = json.dumps([pause_record(pause) for pause in decision.pauses])
                self._db.execute("INSERT OR REPLACE INTO pauses VALUES (1, ?)", (records,))
            if decision.rollbacks is not None:
                self._db.execute("INSERT OR REPLACE INTO rollbacks VALUES (1, ?)", (json.dumps(decision.rollbacks),))
            self._put_troubles(decision.troubles)
            if decision.position is not None:
                self._db.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (decision.position,))

    def release(self, release_id: ReleaseId) -> Release | None:
        """The release as the last commit left it."""
        record = self._one("SELECT record FROM releases WHERE id = ?", release_id)
        return None if record is None else self._read(record, from_record)

    def newest(self, job: JobName, version: str) -> Release | None:
        """The job's last release of this version."""
        record = self._one(
            "SELECT record FROM releases WHERE job = ? AND json_extract(record, '$.request.version') = ?"
            " ORDER BY seq DESC LIMIT 1",
            job,
            version,
        )
        return None if record is None else self._read(record, from_record)

    def releases(self, job: JobName | None, limit: int, *, before: ReleaseId | None = None) -> list[Release]:
        """The newest first, at most `limit`, of one job or of all; `before`: those registered before that one."""
        wanted = ["job = :job"] if job is not None else []
        wanted += ["seq < (SELECT seq FROM releases WHERE id = :before)"] if before is not None else []
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        rows = self._rows(
            f"SELECT record FROM releases {where} ORDER BY seq DESC LIMIT :limit",  # noqa: S608 - of the words above
            {"job": job, "before": before, "limit": limit},
        )
        return [self._read(row[0], from_record) for row in rows]

    def transitions(self, release_id: ReleaseId) -> tuple[Transition, ...]:
        """The history of a release, oldest first."""
        rows = self._rows("SELECT record FROM transitions WHERE release = ? ORDER BY seq", (release_id,))
        return tuple(self._read(row[0], transition_from_record) for row in rows)

    def notes_due(self) -> tuple[ReleaseId, ...]:
        """The releases whose note is older than their record."""
        return tuple(ReleaseId(row[0]) for row in self._rows("SELECT release FROM notes_due"))

    def note_written(self, release_id: ReleaseId) -> None:
        """The note of the release is as new as its record. Raises as `commit` does."""
        with self._transaction():
            self._db.execute("DELETE FROM notes_due WHERE release = ?", (release_id,))

    def _put_release(self, release: Release) -> None:
        self._db.execute(
            "INSERT INTO releases (id, job, busy, record) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET busy = excluded.busy, record = excluded.record",
            (release.id, release.job, is_busy(release), json.dumps(to_record(release))),
        )

    def _put_troubles(self, troubles: Mapping[JobName, Trouble | None]) -> None:
        for job, trouble in troubles.items():
            if trouble is None:
                self._db.execute("DELETE FROM troubles WHERE job = ?", (job,))
            else:
                record = json.dumps(trouble_record(trouble))
                self._db.execute("INSERT OR REPLACE INTO troubles VALUES (?, ?)", (job, record))

    def _pauses(self) -> tuple[Pause, ...]:
        records = self._one("SELECT records FROM pauses")
        return () if records is None else self._read(records, pauses_from_record)

    def _one(self, query: str, *values: str) -> str | None:
        rows = self._rows(query, values)
        return str(rows[0][0]) if rows else None

    def _rows(self, query: str, values: tuple[str, ...] | Mapping[str, object] = ()) -> list[Any]:
        """What the query gives. Raises as `commit` does: what can't be read any more must not be written on either."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _read(self, text: str, decoded: Callable[[Any], T]) -> T:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise self._distrust(f"state.db: a record is damaged: {error}") from error
        return decoded(found)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.check_place()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> WatcherError:
        name = name_of(error)
        message = f"state.db: {error} ({name})"
        is_full = name == "SQLITE_FULL" or is_quota(name, self._directory)
        if not is_full and name != "SQLITE_BUSY":
            return self._distrust(message)
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        return StoreFullError(message, hint=MAKE_ROOM) if is_full else StoreError(message, hint=MAKE_ROOM)

    def _distrust(
        self, message: str, *, hint: str = "see the kernel log for disk errors; the daemon starts again from the disk"
    ) -> StoreLostError:
        """From now on nothing is committed, whoever it was that met the trouble: a request that only reads may have."""
        self._distrusted = StoreLostError(message, hint=hint)
        return self._distrusted
