"""What is wrong with the file of a database, found before anything relies on it.

SQLite knows its own pages (`quick_check`); of the texts in them it knows nothing, so those are looked at as well: a
record with one flipped bit would else end each start anew, and so would a name that is no text any more. Changes
nothing, and sets nothing aside.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from watcher.adapters.schema import APPLICATION_ID

_JSON = (
    ("releases", "record"),
    ("transitions", "record"),
    ("pauses", "records"),
    ("rollbacks", "instants"),
    ("troubles", "record"),
    ("counters", "labels"),
)
"""The columns that hold JSON; what it says is for `core/record.py` to judge."""
_TEXT = (
    ("position", "reader"),
    ("counters", "metric"),
    ("releases", "id"),
    ("releases", "job"),
    ("transitions", "release"),
    ("notes_due", "release"),
    ("troubles", "job"),
)
"""The columns of other texts, which can't be read where they are no UTF-8."""
_FOUND = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def damage(path: Path, *, known: bool) -> str | None:
    """What is wrong with the file, in words; None if it is whole, or if this is the first start.

    `known`: there was a database here. An empty or a missing file opens as a valid empty database, and a first start
    that was cut off leaves one without tables: only the mark beside it tells a loss. Raises sqlite3.Error: the file
    can't be read now, which says nothing of it. Reads the whole file.
    """
    gone = "the database is gone" if known else None
    if not path.exists() or path.stat().st_size == 0:
        return gone
    connection = sqlite3.connect(path, isolation_level=None)
    connection.text_factory = bytes
    try:
        return _found(connection, gone)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return str(error)
    except UnicodeDecodeError:  # SQLite's own words, which repeat what it found in the file
        return "its schema is no text"
    finally:
        connection.close()


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says of the file itself that it is broken."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(_FOUND)


def _found(connection: sqlite3.Connection, gone: str | None) -> str | None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()  # one finding is enough, and can be read
    if verdict != b"ok":
        return str(verdict, errors="replace").splitlines()[-1]
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables and owner == 0:
        return gone
    if owner != APPLICATION_ID:
        return "this is the database of another program"
    return next(
        (
            f"{table}: a {column} is damaged"
            for table, column in (*_JSON, *_TEXT)
            if table in tables and _is_broken(connection, table, column)
        ),
        None,
    )


def _is_broken(connection: sqlite3.Connection, table: str, column: str) -> bool:
    is_valid = f"json_valid({column})" if (table, column) in _JSON else "1"
    # an index has the same texts, but it is the table's that are given out
    texts = connection.execute(f"SELECT {column}, {is_valid} FROM {table} NOT INDEXED")  # noqa: S608 - names of ours
    return any(not valid or not _is_text(text) for text, valid in texts)


def _is_text(text: bytes | None) -> bool:
    if text is None:  # an event of no release: a pause
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
