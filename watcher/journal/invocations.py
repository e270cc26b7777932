"""Runs as PID 1 tells them: which invocation of each unit is there, and how it ended.

Pure data and logic over records (message id, unit, invocation, instant, a few fields), in the journal's order; must not
know entries, jobs or who may be believed. The sequences are those of systemd 252 to 257, recorded in
`tests/golden/runs/`; ids are from systemd's sd-messages.h.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from watcher.core.duration import Usec
from watcher.core.found import RunOutcome

STARTING: Final = b"7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED: Final = b"39f53479d3a045ac8e11786248231fbf"
EXITED: Final = b"98e322203f7a4ed290d09fe03c09fe15"
FAILED: Final = b"d9b373ed55a64feb8242e02dbe79a49c"
DEACTIVATED: Final = b"7ad2d189f7e94e70a38c781354912448"
STOPPING: Final = b"de5b426a63be47a7b6ac3eaac82e2f6f"
STOPPED: Final = b"9d1aaa27d60140bd96365438aad20286"
SKIPPED: Final = b"0e4284a0caca4bfc81c0bb6786972673"
RECORDS: Final = frozenset({STARTING, STARTED, EXITED, FAILED, DEACTIVATED, STOPPING, STOPPED, SKIPPED})
"""What says something of a run. Left out are the companions of a failure (start job failed, restart scheduled, exec
failed, out of memory, core dumped): the unit's own FAILED decides, once an invocation."""

_GOES_ON: Final = frozenset({EXITED, FAILED, DEACTIVATED, STOPPING})
"""What PID 1 says only of an invocation that it has begun before."""

MOST_KEPT: Final = 256
"""Units remembered: those with a run that goes on before those without, and of each those that spoke last."""

_STARTED: Final = "Started "
_FINISHED: Final = "Finished "
"""How STARTED begins for a oneshot that is over: with RemainAfterExit= nothing else says that it succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of PID 1 about a unit; texts that it does not have are "", as `host` is where there is only one."""

    what: bytes
    unit: str
    invocation: str
    at: Usec
    text: str = ""
    result: str = ""
    status: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Began:
    """An invocation began with this record."""

    at: Usec


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An invocation ended with this record."""

    outcome: RunOutcome
    began: Usec | None
    result: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class BeginLost:
    """An invocation goes on or ends that never began, though the unit's one before it was seen.

    A unit has one invocation at a time, so this one began after `since`, the last that was told of the one before, and
    the record of that is missing: journald was killed, or something else swallowed it.
    """

    since: Usec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The last invocation of a unit. `began` None: it was there before anybody looked. `at`: the last record of it."""

    invocation: str
    at: Usec
    began: Usec | None = None
    status: str = ""
    stopping: bool = False
    ended: bool = False


Change = Began | Ended | BeginLost


def at_host(host: str, unit: str) -> str:
    """What tells the unit from those of other hosts that are called the same; no name of a unit has a slash."""
    return f"{host}/{unit}" if host else unit


class Invocations:
    """The last invocation of each unit, of at most MOST_KEPT units; `unit` is what `at_host` gives."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def copy(self) -> Invocations:
        """The same, on its own from now on."""
        twin = Invocations()
        twin._known = dict(self._known)
        return twin

    def last(self, unit: str) -> str:
        """The last invocation of the unit, "" if none was seen."""
        known = self._known.get(unit)
        return "" if known is None else known.invocation

    def began(self, unit: str, invocation: str) -> Usec | None:
        """When this invocation began, None if that was not seen or is forgotten."""
        known = self._known.get(unit)
        return known.began if known is not None and known.invocation == invocation else None

    def take(self, record: Record) -> tuple[Change, ...]:
        """What the record says of a run: nothing, that one began, that one ended, or both; or that a begin is lost."""
        unit = at_host(record.host, record.unit)
        before = self._known.pop(unit, None)
        known = before
        if known is None or known.invocation != record.invocation:
            known = _Known(invocation=record.invocation, at=record.at)
        begins = known.began is None and not known.ended and _begins(record)
        known = replace(known, began=record.at if begins else known.began, at=record.at)
        known, ended = _after(known, record)
        if len(self._known) >= MOST_KEPT:
            # a service must not be forgotten, and its errors taken for old, for all the instances that came and went
            over = (name for name, one in self._known.items() if one.ended)
            del self._known[next(over, next(iter(self._known)))]
        self._known[unit] = known
        changes: list[Change] = [Began(record.at)] if begins else []
        if before is not None and before.invocation != record.invocation and record.what in _GOES_ON:
            changes.append(BeginLost(before.at))
        return (*changes,) if ended is None else (*changes, ended)

    def set_clock(self, step: int) -> None:
        """The wall clock was set by so many microseconds: what is remembered is by the new one from now on."""
        for unit, one in self._known.items():
            began = None if one.began is None else Usec(one.began + step)
            self._known[unit] = replace(one, at=Usec(one.at + step), began=began)

    def dump(self) -> list[list[Any]]:
        """As JSON-able data."""
        return [
            [unit, one.invocation, one.at, one.began, one.status, one.stopping, one.ended]
            for unit, one in self._known.items()
        ]

    def load(self, dumped: object) -> None:
        """Goes on with what `dump` gave; what is malformed is left out."""
        self._known.clear()
        for item in dumped if isinstance(dumped, list) else []:
            if isinstance(item, list) and len(self._known) < MOST_KEPT and _is_sound(item):
                unit, invocation, at, began, status, stopping, ended = item
                self._known[unit] = _Known(
                    invocation=invocation,
                    at=Usec(at),
                    began=None if began is None else Usec(began),
                    status=status,
                    stopping=stopping,
                    ended=ended,
                )


def _is_sound(item: list[object]) -> bool:
    kinds = [type(one) for one in item]
    return kinds in ([str, str, int, int, str, bool, bool], [str, str, int, type(None), str, bool, bool])


def _begins(record: Record) -> bool:
    """A oneshot is STARTED only when it is over, and "Condition check …" is told so as well."""
    return record.what == STARTING or (record.what == STARTED and record.text.startswith(_STARTED))


def _after(known: _Known, record: Record) -> tuple[_Known, Ended | None]:
    """The invocation after the record, and how it ended if this is the record that says so."""
    if known.ended:
        return known, None  # what follows says it again: the start limit repeats FAILED, a finished oneshot is STOPPED
    if record.what == EXITED:
        return replace(known, status=record.status), None
    if record.what == STOPPING:
        return replace(known, stopping=True), None
    outcome = _outcome(known, record)
    if outcome is None:
        return known, None
    result = record.result if outcome is RunOutcome.FAILED else ""
    ended = Ended(outcome=outcome, began=known.began, result=result, status=record.status or known.status)
    return replace(known, ended=True), ended


def _outcome(known: _Known, record: Record) -> RunOutcome | None:
    if record.what == FAILED:
        return RunOutcome.FAILED
    if record.what == SKIPPED:
        return RunOutcome.SKIPPED
    if record.what in (DEACTIVATED, STOPPED) and known.stopping:
        return RunOutcome.STOPPED
    if record.what == DEACTIVATED or (record.what == STARTED and record.text.startswith(_FINISHED)):
        return RunOutcome.SUCCEEDED
    return None
