"""A job that logs in bursts, in real journal files, read as in replay or live: to test what journald cuts off."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tests.parts.journals import BOOT, START, Fields, write_journal
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.names import JobName
from watcher.core.rule import WatchedJob
from watcher.journal.extent import read_extent
from watcher.journal.follow import Follower
from watcher.journal.matcher import SUPPRESSED
from watcher.journal.reading import Reading
from watcher.journal.source import Source

JOB = WatchedJob(name=JobName("import"), units=("import@*.service", "import.service"), identifiers=(), rules=())
NAMED = WatchedJob(name=JobName("import"), units=("import",), identifiers=(), rules=())
BEGIN = START + 100 * SECOND
"""When the burst begins."""


BY_SLICE = replace(NAMED, units=("import.slice",))
BY_SLICE_GLOB = replace(NAMED, units=("import*",))
BY_IDENTIFIER = replace(NAMED, identifiers=("importer",))
IN_SLICE: Fields = {"_SYSTEMD_UNIT": "worker.service", "_SYSTEMD_SLICE": "import.slice"}
BY_PID_1: Fields = {"_SYSTEMD_UNIT": "init.scope", "_UID": 0, "_PID": 1, "UNIT": "import.service"}
BY_ROOT: Fields = {"_SYSTEMD_UNIT": "helper.service", "_UID": 0, "OBJECT_SYSTEMD_UNIT": "import.service"}
BY_CRON: Fields = {"_SYSTEMD_UNIT": "cron.service", "SYSLOG_IDENTIFIER": "importer"}


def at(seconds: float, **fields: str | int) -> Fields:
    """An entry, counted from the begin of the burst; info of the job's unit unless told otherwise."""
    after = 100 * SECOND + int(seconds * SECOND)
    return {
        "__REALTIME_TIMESTAMP": START + after,
        "__MONOTONIC_TIMESTAMP": 1_000_000_000 + after,
        "_BOOT_ID": BOOT,
        "MESSAGE": "fine",
        "_SYSTEMD_UNIT": "import.service",
        "_UID": 7,
        "_PID": 9,
        "PRIORITY": 6,
        **fields,
    }


def burst(count: int, *, begin: float = 0, lasts: float = 5, **fields: str | int) -> list[Fields]:
    """So many entries, evenly."""
    return [at(begin + lasts * place / count, **fields) for place in range(count)]


def with_fields(entries: Iterable[Fields], fields: Fields) -> list[Fields]:
    """The same entries, with these fields."""
    return [{**one, **fields} for one in entries]


def report(seconds: float, unit: str = "import.service") -> Fields:
    """Journald tells what it dropped."""
    return {
        **at(seconds, _SYSTEMD_UNIT="systemd-journald.service", _UID=0, _TRANSPORT="driver", OBJECT_SYSTEMD_UNIT=unit),
        "MESSAGE_ID": SUPPRESSED.decode(),
        "N_DROPPED": 430,
    }


def around(*pieces: Iterable[Fields], until: int = 90) -> list[Fields]:
    """The pieces in the order of their time; somebody else speaks each second, so that the journal goes on."""
    others = (at(second, _SYSTEMD_UNIT="other.service") for second in range(-60, until))
    return sorted(itertools.chain(others, *pieces), key=lambda entry: int(str(entry["__REALTIME_TIMESTAMP"])))


def told(readings: Iterable[Reading]) -> list[Gap]:
    """The gaps, in the order in which they were told."""
    return [gap for reading in readings for gap in reading.gaps]


def replayed(directory: Path, *entries: Fields, job: WatchedJob = JOB) -> list[Gap]:
    source = Source(directory=str(write_journal(directory / "journal", entries)))
    return told(read_extent(source, [job], since=Usec(START)))


def suspect(begin: float = 0) -> Gap:
    """From the first message of the interval to its end."""
    since = Usec(BEGIN + int(begin * SECOND))
    return Gap(reason=GapReason.SUSPECT, since=since, until=Usec(since + 30 * SECOND), job=JOB.name)


def when(entry: Fields) -> int:
    """What its wall clock showed."""
    return int(str(entry["__REALTIME_TIMESTAMP"]))


def moved(entry: Fields, *, by: float) -> Fields:
    """The same entry, stamped by a wall clock that was set by so many seconds."""
    return {**entry, "__REALTIME_TIMESTAMP": when(entry) + int(by * SECOND)}


class Live:
    """A reader at a journal's tail whose clock the test sets; it can be replaced by its successor at any batch."""

    def __init__(self, source: Source, job: WatchedJob = JOB) -> None:
        self.source = source
        self.job = job
        self.now = BEGIN + 6 * SECOND
        self.readings: list[Reading] = []
        self.follower = self._start(None)

    def _start(self, position: str | None) -> Follower:
        since = Usec(START) if position is None else None
        return Follower(self.source, [self.job], position=position, since=since, clock=lambda: self.now)

    def restart(self) -> None:
        """As after a kill: all that the successor knows is the last position."""
        self.follower.close()
        self.follower = self._start(next(one.position for one in reversed(self.readings) if one.position is not None))

    def read(self, *, restart: bool = False) -> list[Gap]:
        """Reads to the tail; the gaps told on the way."""
        before = len(self.readings)
        while True:
            self.readings.append(self.follower.step())
            if self.readings[-1].at_tail:
                return told(self.readings[before:])
            if restart:
                self.restart()
