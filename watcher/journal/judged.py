"""All that an entry says, found out before any of it takes effect: what asks the reader or a pattern can fail.

Knows entries and whose they are; must not know the tally, or what is carried from one entry to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.rule import Rule
from watcher.journal.counting import CountedJob
from watcher.journal.entry import Entry
from watcher.journal.invocations import Record
from watcher.journal.joins import reach_of
from watcher.journal.matcher import CORE_DUMPED, KERNEL_MISSED, LONGEST_TEXT, SUPPRESSED, number_of
from watcher.journal.patterns import readable
from watcher.journal.places import Place, Places
from watcher.journal.records import command_record, unit_record

_BAD: Final = frozenset({b"0", b"1", b"2", b"3"})
_CUT: Final = b"line-max"
"""What journald puts into _LINE_BREAK of each piece of a line over its LineMax= but the last."""
_LATE: Final = Usec(30 * SECOND)
"""How long before its report a message may have been dropped: journald's rate limit interval as it is shipped."""


class Judged(NamedTuple):
    """What an entry says.

    `run` is the unit and the invocation that it is about, and `runners` are the jobs whose unit that is; `dump` is a
    core dump, which names no invocation. `records` are what it says of a run, with the jobs whose run it is. `broken`:
    its line goes on in the next entry of its stream. `host` is whose `run` it is, where several are told apart.
    """

    verdicts: tuple[tuple[CountedJob, tuple[Rule, ...]], ...] = ()
    text: bytes = b""
    cursor: str = ""
    run: tuple[str, str] = ("", "")
    runners: tuple[CountedJob, ...] = ()
    dump: bool = False
    records: tuple[tuple[tuple[CountedJob, ...], Record], ...] = ()
    stream: tuple[bytes | None, bytes | None, bytes | None] | None = None
    gaps: tuple[Gap, ...] = ()
    severe: bool = False
    broken: bool = False
    host: str = ""


class Judge:
    """Asks entries by `places`; `by_host` as in `Scanner`."""

    def __init__(self, places: Places, *, by_host: bool) -> None:
        self._places = places
        self._by_host = by_host

    def judge(self, entry: Entry, place: Place, at: Usec, *, joins: bool) -> Judged:
        """What the entry says; `joins`: lines of its unit may go on one that came before.

        Raises OSError of the library.
        """
        gaps = self._gaps_told(entry, at) if entry.is_journald() else ()
        owners = self._places.owners(entry)
        if not owners:
            return Judged(gaps=gaps)
        message = entry.field("MESSAGE")
        verdicts = tuple((job, job.matcher.hits(message, entry.field, own_unit=job in place.jobs)) for job in owners)
        fired = [rule for _, rules in verdicts for rule in rules]
        joining = joins or any(reach_of(rule) is not None for rule in fired)
        broken = (joining or bool(fired)) and entry.field("_LINE_BREAK") == _CUT
        kinds = any(job.kinds for job in owners)
        severe = kinds and _is_bad(entry.field("PRIORITY"))
        records = self._records(entry, owners, at)
        told = bool(fired) or severe or (kinds and joining)
        run = entry.run() if told else ("", "")
        return Judged(
            verdicts=verdicts,
            text=readable((message or b"")[:LONGEST_TEXT]),
            cursor=entry.cursor() if told or records else "",
            run=run,
            runners=self._places.of(run[0].encode("latin-1")) if told else (),
            dump=told and entry.field("MESSAGE_ID") == CORE_DUMPED,
            records=records,
            stream=self._stream(entry) if joining or broken else None,
            gaps=gaps,
            severe=severe,
            broken=broken,
            host=entry.host() if told and self._by_host else "",
        )

    def _stream(self, entry: Entry) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Who writes this. On two hosts a unit's process may have the same number, and channels are called the same."""
        unit, pid, channel = entry.stream()
        if not self._by_host:
            return unit, pid, channel
        return unit, pid, entry.host().encode("latin-1") + b"/" + (channel or b"")

    def _records(
        self, entry: Entry, owners: tuple[CountedJob, ...], at: Usec
    ) -> tuple[tuple[tuple[CountedJob, ...], Record], ...]:
        """What the entry says of runs, each with the jobs whose run it is."""
        if entry.field("MESSAGE_ID") is None:
            return ()
        told = unit_record(entry, at, by_host=self._by_host)
        if told is not None:
            runners = self._places.of(told.unit.encode("latin-1"))
            return ((runners, told),) if runners else ()
        commands = ((job, command_record(entry, at, job=job.name, run_as=job.run_as)) for job in owners)
        return tuple(((job,), record) for job, record in commands if record is not None)

    def _gaps_told(self, entry: Entry, at: Usec) -> tuple[Gap, ...]:
        """The messages that journald says were lost before it could store them."""
        what, since = entry.field("MESSAGE_ID"), Usec(at - _LATE)
        if what == KERNEL_MISSED:
            return (Gap(reason=GapReason.KERNEL, since=since, until=at),)
        if what != SUPPRESSED:
            return ()
        dropped = number_of(entry.field("N_DROPPED"), digits=12)
        jobs = {job.name: None for job in self._places.dropped(entry)}
        return tuple(Gap(reason=GapReason.DROPPED, since=since, until=at, entries=dropped, job=job) for job in jobs)


def is_severe(get: Callable[[str], bytes]) -> bool:
    """Whether the entry whose fields `get` gives is an error by its priority."""
    try:
        return _is_bad(get("PRIORITY"))
    except KeyError:
        return False


def _is_bad(priority: bytes | None) -> bool:
    """Whether it is that of an error or worse. One digit: anything else is no priority that journald would store."""
    return priority is not None and priority in _BAD
