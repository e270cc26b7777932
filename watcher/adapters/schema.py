"""The tables of `state.db`, and the steps from each version to the next.

`PRAGMA user_version` is the number of steps taken; a step and its number are one transaction. Steps are only ever
appended: one that was released is never changed.
"""

from __future__ import annotations

APPLICATION_ID = 0x72777463  # "rwtc": tells our database from any other file, and a lost one from a first start

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), reader TEXT NOT NULL) STRICT;
    CREATE TABLE counters (metric TEXT NOT NULL, labels TEXT NOT NULL, value INTEGER NOT NULL,
                           PRIMARY KEY (metric, labels)) STRICT, WITHOUT ROWID;
    CREATE TABLE releases (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job TEXT NOT NULL,
                           busy INTEGER NOT NULL, record TEXT NOT NULL) STRICT;
    CREATE INDEX releases_by_job ON releases (job, seq);
    CREATE INDEX releases_busy ON releases (busy) WHERE busy;
    CREATE TABLE transitions (seq INTEGER PRIMARY KEY, release TEXT, record TEXT NOT NULL) STRICT;
    CREATE INDEX transitions_by_release ON transitions (release, seq);
    CREATE TABLE pauses (id INTEGER PRIMARY KEY CHECK (id = 1), records TEXT NOT NULL) STRICT;
    CREATE TABLE notes_due (release TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE troubles (job TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE rollbacks (id INTEGER PRIMARY KEY CHECK (id = 1), instants TEXT NOT NULL) STRICT;
    """,
    """
    CREATE INDEX releases_by_version ON releases (job, json_extract(record, '$.request.version'), seq);
    """,
)
