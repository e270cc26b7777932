"""What other units' entries are a job's, found in advance. journalctl is the oracle."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.journal.test_scan import ANY, cursors_shown, job, line, matches, random_entries, read_all, record
from tests.parts.journals import START, STEP, Fields, LiveJournal, open_reader, shown, write_journal
from watcher.core.duration import HOUR, Usec
from watcher.core.rule import WatchedJob
from watcher.journal import elsewhere
from watcher.journal.elsewhere import SETTLED, UNKNOWN, find_elsewhere
from watcher.journal.scan import Scanner
from watcher.journal.source import Source

FAR = Usec(START + 10**6 * HOUR)
LATER: Fields = {"MESSAGE": "later", "__REALTIME_TIMESTAMP": START + 2 * HOUR}
NAMED = {
    "one": job("one", "a", rules=[ANY]),
    "some": job("some", "a.service", "cron", "b@1", rules=[ANY]),
    "helper": job("helper", "init.scope", "systemd-coredump@3", rules=[ANY]),
    "no unit": job("no unit", rules=[ANY], identifiers=["load"]),
    "both": job("both", "b@22", rules=[ANY], identifiers=["load", "nobody"]),
}


def source(directory: Path) -> Source:
    return Source(directory=str(directory))


@pytest.mark.parametrize("seed", range(4))
def test_the_same_entries_as_without(tmp_path: Path, seed: int) -> None:
    """With whatever fields somebody forges, a job has what it has when each entry is asked."""
    write_journal(tmp_path, [*random_entries(seed, 400), LATER])
    for one in (*NAMED.values(), job("all", "a", "cron", "b@1", "b@22", rules=[ANY], identifiers=["load"])):
        known = find_elsewhere(source(tmp_path), [one], until=FAR)
        assert START + 2 * HOUR - SETTLED == known.before
        asked, found = read_all(Scanner([one]), tmp_path), read_all(Scanner([one], elsewhere=known), tmp_path)
        assert (asked.entries, asked.tallies, asked.found) == (found.entries, found.tallies, found.found)


@pytest.mark.parametrize("seed", range(4))
def test_the_entries_that_journalctl_shows(tmp_path: Path, seed: int) -> None:
    """Exactly those, also where they were looked for together with another job's."""
    write_journal(tmp_path, [*random_entries(10 + seed, 400), LATER])
    jobs = [NAMED["one"], job("other", "b@22.service", "cron.service", rules=[ANY])]
    known = find_elsewhere(source(tmp_path), jobs, until=FAR)
    for one in jobs:
        seen = matches(read_all(Scanner([one], elsewhere=known), tmp_path))
        assert cursors_shown(tmp_path, one.units) == [match.cursor for match in seen]


class _Counting:
    """Counts the fields that are fetched."""

    def __init__(self, directory: Path) -> None:
        self._reader = open_reader(directory)
        self.fetched: Counter[str] = Counter()
        self._next, self._get_all = self._reader._next, self._reader._get_all
        self._get_cursor, self._get_realtime = self._reader._get_cursor, self._reader._get_realtime

    def _get(self, field: str, /) -> bytes:
        self.fetched[field] += 1
        return self._reader._get(field)


def test_other_units_are_asked_for_their_name_only(tmp_path: Path) -> None:
    """Which is what makes a long past cheap; the one that speaks of the job is asked on."""
    speaks = line("row lost", "other.service", _UID="0", OBJECT_SYSTEMD_UNIT="import.service")
    write_journal(tmp_path, [*(line(f"fine {number}", "other.service") for number in range(50)), speaks, LATER])
    watched = job("import", "import", rules=[ANY])
    known = find_elsewhere(source(tmp_path), [watched], until=FAR)
    assert {START + 50 * STEP} == set(known.instants)
    reader = _Counting(tmp_path)
    scanner = Scanner([watched], elsewhere=known)
    assert 52 == scanner.scan(reader, entries=100, matches=100)
    assert (1, 52) == (len(matches(scanner.drain())), reader.fetched["_SYSTEMD_UNIT"])
    assert 3 == reader.fetched["_PID"]  # twice of the one that speaks of the job, once of the one without a unit


def test_what_comes_later_is_asked(tmp_path: Path) -> None:
    """An entry that was not there when it was looked for is a job's all the same, unless it is stamped long ago."""
    watched = job("import", "import", rules=[ANY])
    with LiveJournal(tmp_path) as journal:
        journal.append(line("fine", "other.service"), LATER)
        known = find_elsewhere(source(tmp_path), [watched], until=FAR)
        new = line("row lost", "other.service", _UID="0", OBJECT_SYSTEMD_UNIT="import.service")
        journal.append({**new, "__REALTIME_TIMESTAMP": START + 2 * HOUR + 1})
        assert frozenset() == known.instants
        tally = read_all(Scanner([watched], elsewhere=known), tmp_path)
    assert [shown(tmp_path)[-1]["__CURSOR"]] == [match.cursor for match in matches(tally)]


def test_up_to_the_end_of_the_range(tmp_path: Path) -> None:
    """What lies past it is neither looked for nor taken as known."""
    write_journal(tmp_path, [*(record(f"fine {number}", "1" * 32) for number in range(10)), LATER])
    known = find_elsewhere(source(tmp_path), [job("import", "import")], until=Usec(START + 5 * STEP))
    assert (START + 5 * STEP, {START + number * STEP for number in range(5)}) == (known.before, set(known.instants))


@pytest.mark.parametrize(
    "watched",
    [
        pytest.param(job("glob", "import", "b@*.service"), id="a glob"),
        pytest.param(job("slice", "c.slice"), id="a slice"),
        pytest.param(job("nothing"), id="nothing to look for"),
    ],
)
def test_what_cannot_be_known_in_advance(tmp_path: Path, watched: WatchedJob) -> None:
    """There each entry is asked."""
    write_journal(tmp_path, [line("fine"), LATER])
    assert UNKNOWN == find_elsewhere(source(tmp_path), [watched], until=FAR)


def test_a_journal_without_an_entry_and_none_at_all(tmp_path: Path) -> None:
    """Nothing is known; the one who reads it says what is wrong with it."""
    watched = [job("import", "import")]
    assert UNKNOWN == find_elsewhere(source(tmp_path), watched, until=FAR)
    assert UNKNOWN == find_elsewhere(source(tmp_path / "none"), watched, until=FAR)


def test_more_of_them_than_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has its limit; each entry is asked then."""
    monkeypatch.setattr(elsewhere, "MOST", 9)
    write_journal(tmp_path, [*(record(f"fine {number}", "1" * 32) for number in range(10)), LATER])
    assert UNKNOWN == find_elsewhere(source(tmp_path), [job("import", "import")], until=FAR)
