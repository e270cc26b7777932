"""Damage in the middle of the database and beside it, found at the start or by a running daemon."""

from __future__ import annotations

import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.events import configured, policy, release, request
from tests.faults.invariants import command_started_at_most_once
from tests.faults.store_child import NOW, STORY, kept, states, tell_on
from tests.faults.story import ID, LIMIT, Story
from watcher.adapters.store import Store
from watcher.core.engine import decide
from watcher.core.names import ReleaseId
from watcher.core.state import State

PAGE = 4096
OLD = 40
MORE_THAN_SQLITE_KEEPS = 100_000
"""Bytes of a release, so that all of them are more than SQLite's cache of 2 MB."""
OLD_PAGES = range(200, 600)
KNOWN = [kept(one) for one in states()]


def fill(directory: Path, *, size: int = 0) -> None:
    """Forty releases, all but the last of them old; nothing is left in the log of the database."""
    store = Store.open(directory, NOW)
    state = configured(policy())
    for number in range(OLD):
        asked = replace(request(version=f"old-{number}"), reason="x" * size)
        decision = decide(state, release(asked, fresh_id=ReleaseId(f"old-{number}"), at="-365d"))
        store.commit(decision)
        state = decision.state
    store.close()


def read_all(store: Store) -> int:
    """Everything that a daemon ever reads; how many releases there are."""
    store.load()
    found = store.releases(None, 1000)
    for one in found:
        assert one == store.release(one.id)
        store.transitions(one.id)
    return len(found)


@pytest.mark.parametrize("damage", ["zeroed", "garbage", "torn"])
def test_each_page_is_damaged(tmp_path: Path, damage: str) -> None:
    """Set aside at the start, whichever page it is; else the page held nothing, and everything is there."""
    chance = random.Random(20261125)
    sound = tmp_path / "sound"
    sound.mkdir()
    fill(sound)
    whole = (sound / "state.db").read_bytes()
    found = 0
    for page in range(len(whole) // PAGE):
        start = page * PAGE
        broken = bytearray(whole)
        match damage:
            case "zeroed":
                broken[start : start + PAGE] = bytes(PAGE)
            case "garbage":
                broken[start : start + PAGE] = chance.randbytes(PAGE)
            case "torn":  # a cell's text, of which SQLite knows nothing
                broken[start + PAGE // 2 : start + PAGE * 3 // 4] = bytes(PAGE // 4)
        (sound / "state.db").write_bytes(broken)
        store = Store.open(sound, NOW)
        if store.lost:
            found += 1
            assert 0 == read_all(store)
            assert broken == next(sound.glob("state.db.corrupt-*")).read_bytes()
            next(sound.glob("state.db.corrupt-*")).unlink()
            store.loss_recorded()
        else:
            assert OLD == read_all(store)
        store.close()
    assert found > OLD


@pytest.mark.parametrize("damage", ["missing", "cut", "one bit", "zeroed"])
def test_log_of_the_database_is_damaged(tmp_path: Path, damage: str) -> None:
    """SQLite leaves out what it can't trust: the state is an older one, but one that there was, and is gone on from."""
    store = Store.open(tmp_path, NOW)
    state = State()
    for number, event in enumerate(STORY):
        if number == len(STORY) // 2:
            store.close()
            store = Store.open(tmp_path, NOW)
        decision = decide(state, event)
        store.commit(decision)
        state = decision.state
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("state.db", "state.db-wal", "state.id"):
        shutil.copy(tmp_path / name, crashed)
    store.close()
    log = crashed / "state.db-wal"
    written = bytearray(log.read_bytes())
    match damage:
        case "missing":
            log.unlink()
        case "cut":
            log.write_bytes(written[: len(written) // 2])
        case "one bit":
            written[len(written) // 2] ^= 1
            log.write_bytes(written)
        case "zeroed":
            log.write_bytes(bytes(len(written)))
    store = Store.open(crashed, NOW)
    held = store.load()
    place = KNOWN.index(kept(held))
    assert len(STORY) // 2 <= place < len(STORY)
    tell_on(store, held, place)
    assert KNOWN[-1] == kept(store.load())
    store.close()


@pytest.mark.timeout(120)
def test_page_is_damaged_under_a_running_daemon(tmp_path: Path) -> None:
    """It ends before it commits anything more; the next one starts anew, paused, and repeats no rollback."""
    with Story(tmp_path) as story:
        story.state.mkdir(mode=0o700)
        fill(story.state, size=MORE_THAN_SQLITE_KEEPS)
        assert 0 == story.play(), story.log
        story.start()
        story.wait_ready()
        database = story.state / "state.db"
        with database.open("r+b") as file:
            for page in OLD_PAGES:
                file.seek(page * PAGE)
                file.write(bytes(PAGE))
        assert 0 != story.cli("release", "list").returncode
        story.tell("fine")
        assert 75 == story.wait_exit()
        assert "SQLITE_CORRUPT" in story.log

        story.start()
        story.wait_ready()
        assert "state was lost" in story.log
        assert 1 == story.metrics()["watcher_paused", "import"]
        assert story.register()
        for _ in range(LIMIT):
            story.tell("giving up")
        story.wait_for(lambda: story.show(ID)["rollback"]["state"] == "held", "the rollback is held")
        assert 0 == story.cli("resume").returncode
        assert 0 == story.cli("release", "rollback", ID, "--reason", "I know").returncode
        story.wait_for(lambda: story.show(ID)["rollback"]["state"] == "succeeded", "the old result")
        assert 1 == command_started_at_most_once(story.ran, story.claims, ID)
        assert 0 == story.stop()
    with sqlite3.connect(story.state / "state.db") as database_now:
        assert ("ok",) == database_now.execute("PRAGMA integrity_check").fetchone()
