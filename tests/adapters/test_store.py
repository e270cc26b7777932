"""The store on a real SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from watcher.adapters.database import StoreError, StoreLostError, StoreRefusedError
from watcher.adapters.schema import APPLICATION_ID, STEPS
from watcher.adapters.store import Store
from watcher.core import counters
from watcher.core.codec import NewerRecordError
from watcher.core.duration import MINUTE, SECOND, Usec
from watcher.core.engine import decide
from watcher.core.found import JobTally, Match
from watcher.core.messages import BatchRead, Event, PauseRequested, ReleaseRequested, SettingsLoaded
from watcher.core.names import JobName, ReleaseId, RuleName
from watcher.core.policy import JobPolicy, MatchThreshold, Mode, ReleasePolicy, RollbackPlan
from watcher.core.release import Phase, ReleaseRequest, RollbackState
from watcher.core.severity import Severity
from watcher.core.state import State

JOB = JobName("import")
RULE = RuleName("broken")
FIRST = ReleaseId("import-1")
POLICY = JobPolicy(
    name=JOB,
    owner="data-team",
    rules={RULE: Severity.ERROR},
    rules_hash="0",
    journalctl=("-u", "import.service"),
    release=ReleasePolicy(
        mode=Mode.ROLLBACK,
        window=Usec(15 * MINUTE),
        settle=Usec(0),
        thresholds=(MatchThreshold(count=2, severity=Severity.ERROR),),
        rollback=RollbackPlan(command=("/bin/true",), timeout=MINUTE),
    ),
)


def at(seconds: int) -> Usec:
    return Usec(seconds * SECOND)


def error(seconds: int) -> Match:
    return Match(job=JOB, rules=(RULE,), severity=Severity.ERROR, at=at(seconds), cursor=f"c{seconds}")


def batch(*matches: Match, seconds: int, entries: int = 1) -> BatchRead:
    tally = JobTally(job=JOB, entries=entries, first_at=at(seconds), last_at=at(seconds))
    return BatchRead(
        at=at(seconds), read_until=at(seconds), tallies=(tally,), found=matches, position=f"position {seconds}"
    )


def request(release: str, seconds: int) -> ReleaseRequested:
    wanted = ReleaseRequest(job=JOB, version=f"v-{release}", author="root", id=ReleaseId(release))
    return ReleaseRequested(at=at(seconds), request=wanted, fresh_id=ReleaseId("unused"))


LOADED = SettingsLoaded(at=Usec(0), policies={JOB: POLICY})


def play(store: Store, *events: Event, state: State | None = None) -> State:
    """Decide and commit each event, as the daemon does."""
    state = decide(store.load() if state is None else state, LOADED).state
    for event in events:
        decision = decide(state, event)
        store.commit(decision)
        state = decision.state
    return state


def reload(store: Store) -> State:
    return decide(store.load(), LOADED).state


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path, Usec(1))
    yield opened
    opened.close()


def test_what_was_committed_is_what_is_loaded(store: Store) -> None:
    """Releases, counters, pauses and the position come back as they were adopted."""
    pause = PauseRequested(at=at(3), job=JOB, reason="a holiday", author="root", until=at(900))
    state = play(store, request(FIRST, 1), batch(error(2), seconds=2, entries=7), pause)
    loaded = reload(store)
    assert state.releases == loaded.releases
    assert state.counters == loaded.counters
    assert (state.pauses, state.last, state.position) == (loaded.pauses, loaded.last, loaded.position)


def test_troubles_and_rollbacks_come_back(store: Store) -> None:
    """What went wrong lately, and when rollbacks were handed over: a restart forgets neither."""
    state = play(store, request(FIRST, 1), batch(error(2), error(3), seconds=3))
    loaded = reload(store)
    assert (2, at(2), (at(3),)) == (loaded.troubles[JOB].errors, loaded.troubles[JOB].since, loaded.rollbacks)
    assert (state.troubles, state.rollbacks) == (loaded.troubles, loaded.rollbacks)
    gone = decide(loaded, SettingsLoaded(at=at(4), policies={}))
    store.commit(gone)
    assert {} == store.load().troubles


def test_a_failed_release_keeps_its_queued_rollback(store: Store) -> None:
    """A decision to roll back is a row before anything is done about it."""
    play(store, request(FIRST, 1), batch(error(2), error(3), seconds=3))
    release = store.release(FIRST)
    assert release is not None
    assert (Phase.FAILED, RollbackState.QUEUED) == (release.phase, release.rollback.state)
    assert (FIRST,) == store.notes_due()
    assert ["watching", "failed", "queued"] == [one.after for one in store.transitions(FIRST)]


def test_only_what_still_matters_is_loaded_and_the_rest_is_found(store: Store) -> None:
    """Of ended releases each job's last one is loaded; older ones are read when somebody asks."""
    play(store, *(request(f"r{number}", number) for number in range(1, 6)))
    assert {"r5"} == set(store.load().releases)
    assert ["r5", "r4", "r3"] == [one.id for one in store.releases(JOB, 3)]
    assert ["r2", "r1"] == [one.id for one in store.releases(JOB, 3, before=ReleaseId("r3"))]
    assert ["r2"] == [one.id for one in store.releases(None, 1, before=ReleaseId("r3"))]
    assert [] == store.releases(JobName("other"), 3)
    old = store.release(ReleaseId("r1"))
    assert old is not None
    assert Phase.SUPERSEDED is old.phase


def test_a_written_note_is_no_longer_due(store: Store) -> None:
    """What is due survives until somebody says that it is done."""
    play(store, request(FIRST, 1), request("import-2", 2))
    assert (FIRST,) == store.notes_due()
    store.note_written(FIRST)
    assert () == store.notes_due()


def test_a_full_disk_stores_nothing_and_the_same_decision_fits_later(tmp_path: Path, store: Store) -> None:
    """After SQLITE_FULL the file holds what it held, and the decision can be committed again."""
    state = play(store, request(FIRST, 1))
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    big = batch(*(replace(error(2), rules=(RuleName(f"r{n}" + "x" * 2000),)) for n in range(50)), seconds=2)
    decision = decide(state, big)
    with pytest.raises(StoreError, match="SQLITE_FULL"):
        store.commit(decision)
    assert state.releases == store.load().releases
    assert state.position == store.load().position
    store._db.execute("PRAGMA max_page_count=100000")
    store.commit(decision)
    assert decision.state.counters == reload(store).counters
    assert "ok" == sqlite3.connect(tmp_path / "state.db").execute("PRAGMA integrity_check").fetchone()[0]


def test_an_io_error_ends_the_trust_in_the_process(store: Store) -> None:
    """Whatever is neither full nor busy must not be retried by this process."""
    store._db.execute("DROP TABLE position")
    with pytest.raises(StoreLostError):
        play(store, batch(seconds=1), state=State())


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"not a database at all, but some text" * 10])
def test_a_damaged_database_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """A lost state is told from a first start, kept for a person, and said."""
    Store.open(tmp_path, Usec(1)).close()
    path = tmp_path / "state.db"
    path.write_bytes(damage + path.read_bytes()[len(damage) :] if damage.startswith(b"\0") else damage)
    for extra in ("state.db-wal", "state.db-shm"):
        (tmp_path / extra).unlink(missing_ok=True)
    store = Store.open(tmp_path, Usec(77))
    assert store.lost
    assert State() == store.load()
    assert damage[:100] == (tmp_path / "state.db.corrupt-77").read_bytes()[: min(len(damage), 100)]
    store.close()


def test_a_missing_database_is_a_loss_once_there_was_one(tmp_path: Path) -> None:
    """The mark beside the database tells a deleted one from a first start."""
    first = Store.open(tmp_path, Usec(1))
    assert not first.lost
    first.close()
    (tmp_path / "state.db").unlink()
    again = Store.open(tmp_path, Usec(2))
    assert f"{tmp_path / 'state.db'}: the database is gone" == again.lost
    assert [] == list(tmp_path.glob("*corrupt*"))
    again.close()


def test_a_log_without_its_database_is_set_aside(tmp_path: Path) -> None:
    """What is said to be set aside is what a person finds."""
    Store.open(tmp_path, Usec(1)).close()
    (tmp_path / "state.db").rename(tmp_path / "state.db-wal")
    again = Store.open(tmp_path, Usec(2))
    assert again.lost.endswith("the database is gone; set aside as state.db-wal.corrupt-2")
    assert (tmp_path / "state.db-wal.corrupt-2").exists()
    again.close()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_database_that_was_taken_away_takes_nothing_in(tmp_path: Path, *, is_replaced: bool) -> None:
    """What would be stored in a file without a name is refused, at the commit and at any look."""
    store = Store.open(tmp_path, Usec(1))
    store.check_place()
    path = tmp_path / "state.db"
    copy = path.read_bytes()
    path.rename(tmp_path / "elsewhere")
    if is_replaced:
        path.write_bytes(copy)
    with pytest.raises(StoreLostError, match=r"state\.db was (taken away|replaced) under the daemon"):
        play(store, batch(seconds=1), state=State())
    with pytest.raises(StoreLostError):
        store.check_place()
    store.close()


@pytest.mark.parametrize("trace", ["import-1.claim", "import-1.started", "import-1.result", "import-1.md"])
def test_a_missing_database_without_its_mark_is_a_loss_beside_a_claim_or_a_note(tmp_path: Path, trace: str) -> None:
    """A daemon that has judged or rolled back had a database; an empty directory beside it is that of a first start."""
    beside, state = tmp_path / "beside", tmp_path / "state"
    beside.mkdir()
    state.mkdir()
    first = Store.open(state, Usec(1), traces=(tmp_path / "nowhere", beside))
    assert not first.lost
    first.close()
    (beside / trace).touch()
    known = Store.open(state, Usec(2), traces=(beside,))
    assert not known.lost
    known.close()
    for path in state.glob("state.*"):
        path.unlink()
    again = Store.open(state, Usec(3), traces=(tmp_path / "nowhere", beside))
    assert "the database is gone" in again.lost
    again.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An old program does not touch the state of a newer one."""
    Store.open(tmp_path, Usec(1)).close()
    connection = sqlite3.connect(tmp_path / "state.db")
    connection.execute(f"PRAGMA user_version={len(STEPS) + 1}")
    connection.close()
    with pytest.raises(StoreRefusedError, match="newer"):
        Store.open(tmp_path, Usec(2))


def test_counters_are_exact_over_many_restarts(tmp_path: Path) -> None:
    """Opening and closing between batches changes no counter."""
    for number in range(1, 8):
        store = Store.open(tmp_path, Usec(number))
        play(store, batch(error(number), seconds=number, entries=number))
        store.close()
    last = Store.open(tmp_path, Usec(9))
    counted = last.load().counters
    assert 28 == counted[counters.ENTRIES, JOB]
    assert 7 == counted[counters.MATCHES, JOB, RULE, Severity.ERROR]
    last.close()


def test_newest_release_of_a_version_is_found_however_old(store: Store) -> None:
    """Also when the state has let go of it; of another version or job there is none."""
    state = play(store, request("one", 1), request("two", 2))
    assert ReleaseId("one") not in state.releases
    found = store.newest(JOB, "v-one")
    assert found is not None
    assert ("one", Phase.SUPERSEDED) == (found.id, found.phase)
    assert store.newest(JOB, "v-three") is None
    assert store.newest(JobName("export"), "v-one") is None


def test_the_newest_of_a_version_is_looked_up_not_searched(store: Store) -> None:
    """A registration asks for it, and must not get slower with the years."""
    query = (
        "EXPLAIN QUERY PLAN SELECT record FROM releases WHERE job = ? AND"
        " json_extract(record, '$.request.version') = ? ORDER BY seq DESC LIMIT 1"
    )
    plan = [row[3] for row in store._db.execute(query, ("import", "2"))]
    assert ["SEARCH releases USING INDEX releases_by_version (job=? AND <expr>=?)"] == plan


def test_a_loss_is_said_again_until_it_is_recorded(tmp_path: Path) -> None:
    """A crash between the new database and the stored pause must not let rollbacks run."""
    Store.open(tmp_path, Usec(1)).close()
    (tmp_path / "state.db").write_bytes(b"\0" * 5000)
    for number in (2, 3):
        crashed = Store.open(tmp_path, Usec(number))
        assert "set aside as state.db.corrupt-2" in crashed.lost
        crashed.close()
    told = Store.open(tmp_path, Usec(4))
    told.loss_recorded()
    told.close()
    again = Store.open(tmp_path, Usec(5))
    assert not again.lost
    again.close()


def test_a_state_that_was_copied_from_another_machine_is_lost_too(tmp_path: Path) -> None:
    """It may lack what the original did meanwhile; its releases are there, and once told it is this machine's."""
    store = Store.open(tmp_path, Usec(1), machine="here")
    play(store, request(FIRST, 1))
    store.close()
    copied = Store.open(tmp_path, Usec(2), machine="there")
    assert "made on another machine" in copied.lost
    assert {FIRST} == set(copied.load().releases)
    copied.loss_recorded()
    copied.close()
    again = Store.open(tmp_path, Usec(3), machine="there")
    assert not again.lost
    again.close()


def test_a_mark_of_an_older_program_takes_this_machine(tmp_path: Path) -> None:
    """It named no machine, so nothing speaks against this one."""
    (tmp_path / "state.id").write_text("this directory has held a release-watcher state\n")
    damaged = Store.open(tmp_path, Usec(1), machine="here")
    assert damaged.lost
    damaged.loss_recorded()
    damaged.close()
    assert "machine: here" in (tmp_path / "state.id").read_text()


@pytest.mark.parametrize("taken", range(len(STEPS)))
def test_an_older_schema_is_brought_to_ours(tmp_path: Path, taken: int) -> None:
    """Step by step, each with its number in one transaction; what was counted and registered stays."""
    Store.open(tmp_path, Usec(1)).close()
    (tmp_path / "state.db").unlink()
    older = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    for step in STEPS[:taken]:
        older.executescript(step)
    older.execute(f"PRAGMA application_id={APPLICATION_ID}")
    older.execute(f"PRAGMA user_version={taken}")
    if taken:
        older.execute("INSERT INTO counters VALUES (?, ?, 7)", (counters.ENTRIES, '["import"]'))
    older.close()
    store = Store.open(tmp_path, Usec(2))
    state = play(store, batch(seconds=1, entries=2), request(FIRST, 1))
    assert (9 if taken else 2) == state.counters[counters.ENTRIES, JOB]
    assert counters.zeroes([POLICY]).keys() <= state.counters.keys()
    assert len(STEPS) == store._db.execute("PRAGMA user_version").fetchone()[0]
    store.close()


def test_a_migration_that_fails_half_way_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables and number of a step go together: the program of before still finds its own."""
    Store.open(tmp_path, Usec(1)).close()
    broken = "CREATE TABLE more (a TEXT) STRICT; CREATE TABLE more (a TEXT) STRICT;"
    monkeypatch.setattr("watcher.adapters.database.STEPS", (*STEPS, broken))
    with pytest.raises(StoreRefusedError, match="already exists"):
        Store.open(tmp_path, Usec(2))
    monkeypatch.undo()
    store = Store.open(tmp_path, Usec(3))
    assert (len(STEPS), 0) == (
        store._db.execute("PRAGMA user_version").fetchone()[0],
        store._db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'more'").fetchone()[0],
    )
    store.close()


def flip(directory: Path, before: bytes, after: bytes) -> None:
    """Change the one place in the closed database that holds those bytes; its size stays."""
    path = directory / "state.db"
    contents = path.read_bytes()
    assert (1, len(before)) == (contents.count(before), len(after))
    path.write_bytes(contents.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b'"phase": "watching"', b'"phase"; "watching"', id="no JSON"),
        pytest.param(b'"phase": "watching"', b'"phase": "watch\xe9ng"', id="no UTF-8"),
        pytest.param(b'"phase": "watching"', b'"phase": "watchhng"', id="a word"),
        pytest.param(b'"phase": "watching"', b'"phare": "watching"', id="a key"),
        pytest.param(b'"must_run": false', b'"Must_run": false', id="a key that may be missing"),
        pytest.param(b'"registered_at": 1000000', b'"registered_at": 10000.0', id="no whole number"),
        pytest.param(b'["import"]', b'["import"}', id="labels of a counter"),
    ],
)
def test_a_bit_that_flipped_within_a_record(tmp_path: Path, before: bytes, after: bytes) -> None:
    """SQLite's check does not see it; it is a damaged database all the same."""
    first = Store.open(tmp_path, Usec(1))
    play(first, request(FIRST, 1), batch(seconds=2))
    first._db.execute("DELETE FROM counters WHERE metric <> 'watcher_journal_entries_total'")
    first.close()
    flip(tmp_path, before, after)
    store = Store.open(tmp_path, Usec(77))
    assert store.lost.endswith("set aside as state.db.corrupt-77")
    assert State() == store.load()
    store.loss_recorded()
    store.close()
    again = Store.open(tmp_path, Usec(78))
    assert not again.lost
    again.close()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"the place of the reader", id="position"),
        pytest.param(b"watcher_journal_entries_total", id="name of a counter"),
        pytest.param(b"note-due-1", id="note that is due"),
    ],
)
def test_a_bit_that_flipped_in_a_name(tmp_path: Path, text: bytes) -> None:
    """What is no UTF-8 any more can't be read at any start, so it is damage as well."""
    first = Store.open(tmp_path, Usec(1))
    play(first, request(FIRST, 1), batch(seconds=2))
    first._db.execute("DELETE FROM counters WHERE metric <> 'watcher_journal_entries_total'")
    first._db.execute("INSERT OR REPLACE INTO position VALUES (1, 'the place of the reader')")
    first._db.execute("INSERT INTO notes_due VALUES ('note-due-1')")
    first.close()
    flip(tmp_path, text, text[:-1] + bytes([text[-1] ^ 0x80]))
    store = Store.open(tmp_path, Usec(77))
    assert store.lost.endswith("set aside as state.db.corrupt-77")
    assert State() == store.load()
    store.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b'"phase": "watching"', b'"phase": "sleeping"', id="a word"),
        pytest.param(b'"v": 2', b'"v": 4', id="a version"),
    ],
)
def test_a_record_of_a_later_program(tmp_path: Path, before: bytes, after: bytes) -> None:
    """It is no damage: nothing is set aside, and a person is told what to do."""
    first = Store.open(tmp_path, Usec(1))
    play(first, request(FIRST, 1))
    first._db.execute("DELETE FROM transitions")
    first._db.execute("VACUUM")
    first.close()
    flip(tmp_path, before, after)
    with pytest.raises(NewerRecordError) as caught:
        Store.open(tmp_path, Usec(2))
    assert "install the later release-watcher again" in caught.value.hint
    assert [] == list(tmp_path.glob("*.corrupt-*"))
