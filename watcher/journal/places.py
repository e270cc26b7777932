"""Whose an entry is: the jobs remembered for each unit's name, and what else may make an entry a job's.

Knows units, identifiers and jobs by number; must not know rules. "Elsewhere" is every reason but `_SYSTEMD_UNIT`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from watcher.core.rule import WatchedJob
from watcher.journal.counting import CountedJob
from watcher.journal.entry import Entry
from watcher.journal.units import JobUnits

MOST_KNOWN: Final = 8192
"""So many units are remembered: more than run at a time, while names of instances come without end."""

_PRIVILEGED: Final = (b"init.scope", b"systemd-journald", b"systemd-coredump")
"""How units begin whose processes speak about other units."""


class Place:
    """What the name of a unit says about the entries of its processes.

    `jobs` own them. `job` is the one that does, where ordinary processes write them. `foreign`: ordinary ones do, and
    for the name's sake no job owns what they write. `ours`: release-watcher does, and it is nobody's. `heard`: so it
    is while an entry of our own is waited for.
    """

    __slots__ = ("foreign", "heard", "job", "jobs", "ours")

    def __init__(self, jobs: tuple[CountedJob, ...], *, ordinary: bool, ours: bool, heard: bool = False) -> None:
        self.jobs = jobs
        self.job = jobs[0] if ordinary and len(jobs) == 1 else None
        self.heard = ours and heard
        self.foreign = ordinary and not jobs and not self.heard
        self.ours = ours and not heard


class Places:
    """Finds the jobs that own an entry. `known` remembers at most MOST_KNOWN units, for the hot loop."""

    def __init__(self, jobs: Sequence[WatchedJob], counted: Sequence[CountedJob], *, listens: bool = False) -> None:
        """`counted` are the same jobs in the same order; `listens`: an entry of our own is waited for.

        Raises PatternError: a name or a glob that can't be used.
        """
        self._jobs = tuple(counted)
        self._listens = listens
        self._units = JobUnits([job.units for job in jobs])
        self._identified: dict[bytes, list[CountedJob]] = {}
        for job, of_job in zip(jobs, counted, strict=True):
            for identifier in job.identifiers:
                self._identified.setdefault(identifier.encode(), []).append(of_job)
        self.known: dict[bytes | None, Place] = {}

    def learn(self, unit: bytes | None) -> Place:
        """The place of a unit that is not known yet; None is the place of entries without a unit."""
        if unit is None:
            place = Place((), ordinary=False, ours=False)
        else:
            jobs = tuple(self._jobs[number] for number in self._units.owners(unit))
            ordinary, ours = not unit.startswith(_PRIVILEGED), self._units.is_own(unit)
            place = Place(jobs, ordinary=ordinary, ours=ours, heard=self._listens)
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        self.known[unit] = place
        return place

    def owned_twice(self, get: Callable[[str], bytes]) -> bool:
        """Whether an entry that a job owns for its unit may belong to another one too; no is sure, yes is not.

        What may speak about other units runs as root, PID 1 with it, so one fetch does for everybody else.
        """
        try:
            if get("_UID") != b"0":
                return self._marked(get)
        except KeyError:
            return True
        return self.owned_elsewhere(get)

    def owned_elsewhere(self, get: Callable[[str], bytes]) -> bool:
        """Whether an ordinary process's entry may belong to a job for another reason than its unit.

        As `owned_twice`, but it holds also for files of other origin, in which PID 1 may have any uid.
        """
        try:
            if get("_PID") == b"1":
                return True
            if get("_UID") == b"0" and (_has(get, "OBJECT_SYSTEMD_UNIT") or _has(get, "COREDUMP_UNIT")):
                return True
        except KeyError:
            return True
        return self._marked(get)

    def _marked(self, get: Callable[[str], bytes]) -> bool:
        if self._identified and _has(get, "SYSLOG_IDENTIFIER") and get("SYSLOG_IDENTIFIER") in self._identified:
            return True
        return self._units.own_slices

    def owners(self, entry: Entry) -> tuple[CountedJob, ...]:
        """The jobs that own the entry, each once, in no order that means anything."""
        owners: dict[CountedJob, None] = {}
        for unit in entry.units(slices=self._units.own_slices):
            owners.update(dict.fromkeys(self.of(unit)))
        if self._identified:
            owners.update(dict.fromkeys(self._identified.get(entry.field("SYSLOG_IDENTIFIER") or b"", ())))
        return tuple(owners)

    def own_slice_of(self, entry: Entry) -> bool:
        """Whether some job owns the slice of the process that wrote the entry."""
        return self._units.own_slices and (found := entry.slice()) is not None and bool(self.of(found))

    def dropped(self, entry: Entry) -> Iterator[CountedJob]:
        """The jobs of whose units journald tells in the entry that it dropped messages, some more than once."""
        return (job for unit in entry.dropped(slices=self._units.own_slices) for job in self.of(unit))

    def of(self, unit: bytes) -> tuple[CountedJob, ...]:
        """The jobs that own a unit called so."""
        return (self.known.get(unit) or self.learn(unit)).jobs


def _has(get: Callable[[str], bytes], field: str) -> bool:
    try:
        get(field)
    except KeyError:
        return False
    return True
