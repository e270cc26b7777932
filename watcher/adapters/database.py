"""The file of the database: opened, brought to today's tables, set aside where it is damaged, and what its errors mean.

Knows SQLite and what lies beside the file; nothing of what is stored in it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from watcher.adapters.ballast import has_no_room
from watcher.adapters.damage import damage
from watcher.adapters.mark import Mark, read_mark, write_mark
from watcher.adapters.schema import APPLICATION_ID, STEPS
from watcher.adapters.traces import has_traces
from watcher.core.duration import Usec
from watcher.core.errors import WatcherError

MAKE_ROOM = "make room on the disk of the state directory, or raise its quota; nothing is lost meanwhile"


class StoreError(WatcherError):
    """The decision was not stored, and the file is as it was: trying again later is right."""


class StoreFullError(StoreError):
    """The disk is full."""


class StoreLostError(WatcherError):
    """The file can't be trusted from this process any more: end, and start again from the disk."""


class StoreRefusedError(WatcherError):
    """The state directory or its database can't be used at all: a person must act."""


def connect(path: Path) -> sqlite3.Connection:
    """The database with today's tables; made where there is none, for its owner alone. No other thread may run yet.

    Raises StoreRefusedError for one of a newer program, and sqlite3.Error.
    """
    before = os.umask(0o077)  # whoever made the directory may have left it open; log and index take the file's mode
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=True)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        _migrate(connection, path)
    finally:
        os.umask(before)
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(STEPS):
        raise StoreRefusedError(
            f"{path}: schema version {version} is newer than this program's {len(STEPS)}",
            hint="install the newer release-watcher again, or move the state directory away",
        )
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {step} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number}; COMMIT;"
        )


def loss(path: Path, machine: str, at: Usec, known: str, traces: tuple[Path, ...]) -> str:
    """Set a damaged database aside; why this state can't be trusted to know every rollback, empty if it can.

    `known` is a damage that was found already, "" if none was.
    The reason is on the disk before the damaged file goes, and stays until somebody was told. It names what is set
    aside, if anything is left to be: of a database that was deleted there may be its log alone, or nothing.
    """
    mark = read_mark(path.parent)
    lost = "" if mark is None else mark.lost or _move(path, mark.machine, machine)
    found = known or damage(path, known=mark is not None or has_traces(traces))
    if found is None:
        return lost
    moves = [(file, f"{file.name}.corrupt-{at}") for file in _files(path) if file.exists()]
    lost = lost or f"{path}: {found}" + (f"; set aside as {moves[0][1]}" if moves else "")
    write_mark(path.parent, Mark(machine=machine, lost=lost))
    for file, aside in moves:
        file.rename(file.with_name(aside))
    return lost


def _move(path: Path, before: str, now: str) -> str:
    return f"{path}: made on another machine" if before and now and before != now else ""


def unusable(path: Path, error: sqlite3.Error | OSError) -> WatcherError:
    """What an error at the opening means: to be mended by a person, or to be tried again."""
    name = name_of(error)
    message = f"{path}: {error}" + (f" ({name})" if name else "")
    is_full = name in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "ENOSPC", "EDQUOT") or is_quota(name, path.parent)
    if is_full or name == "SQLITE_BUSY" or (name == "SQLITE_CANTOPEN" and _is_ours(path)):
        return StoreError(message, hint=MAKE_ROOM)
    if name.startswith("SQLITE_IOERR") or name == "EIO":
        return StoreLostError(message, hint="see the kernel log for disk errors")
    return StoreRefusedError(message, hint="check the owner, the mode and the disk of the state directory")


def _is_ours(path: Path) -> bool:
    """Whether nothing forbids us to open the database and to make its log, so that what hindered may pass."""
    there = [file for file in _files(path) if file.exists()]
    return os.access(path.parent, os.W_OK | os.X_OK) and all(
        file.is_file() and os.access(file, os.R_OK | os.W_OK) for file in there
    )


def is_quota(name: str, directory: Path) -> bool:
    """Whether a failed write is one for want of room: SQLite calls a used-up quota (EDQUOT) an I/O error."""
    return name == "SQLITE_IOERR_WRITE" and has_no_room(directory)


def name_of(error: sqlite3.Error | OSError) -> str:
    """What SQLite or the system calls the error, "" where it has no name."""
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "")
    return getattr(error, "sqlite_errorname", "") or ""


def _files(path: Path) -> Iterable[Path]:
    return (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
