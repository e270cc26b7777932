"""What goes through the two pipes between the daemon and its reader process: one line of JSON a message.

To the reader first a plan, then control messages; from it readings, troubles and announcements. Loads no libsystemd.
Decoding checks what it uses and fails loudly: both ends are always the same version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from watcher.core.codec import RecordError, decoder
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import MILLISECOND, Usec
from watcher.core.errors import WatcherError
from watcher.core.found import JobTally
from watcher.core.names import JobName
from watcher.core.rule import WatchedJob
from watcher.journal.finds import find_data, find_from
from watcher.journal.position import Spot
from watcher.journal.reading import Reading
from watcher.journal.source import Source

_Built = TypeVar("_Built")

LONGEST_LINE = 16 * 1024 * 1024


SELDOM, OFTEN = Usec(250 * MILLISECOND), Usec(10 * MILLISECOND)
"""How long a reader sleeps at the tail: while no window is open, and while one is."""


class WireError(WatcherError):
    """A line that the other end can't have meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a reader process is to do.

    `position` None: a first start, at the tail. `probe`: announce each spot until the journal's end. `pinned`: spots
    to pass unread. `poll` is how long to sleep at the tail at most. `heartbeat` names an entry of our own to look for.
    """

    source: Source
    jobs: tuple[WatchedJob, ...]
    position: str | None = None
    probe: bool = False
    pinned: tuple[Spot, ...] = ()
    poll: Usec = SELDOM
    heartbeat: str | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """A change of pace for a running reader."""

    poll: Usec


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing can be read now; the reader tries on."""

    text: str


@dataclass(frozen=True, slots=True)
class Announced:
    """The spot that is about to be read, None: none is."""

    spot: Spot | None


Message = Reading | Trouble | Announced


def encode_plan(plan: Plan) -> bytes:
    """The first line that a reader process gets."""
    return _line({"plan": asdict(plan)})


def encode_control(control: Control) -> bytes:
    """A later line."""
    return _line({"poll_usec": control.poll})


def encode_message(message: Message) -> bytes:
    """A line from the reader process."""
    match message:
        case Reading():
            return _line({"batch": _reading_data(message)})
        case Trouble(text):
            return _line({"trouble": text})
        case Announced(spot):
            return _line({"at": None if spot is None else [spot.cursor, spot.stepping]})


def decode_plan(line: bytes) -> Plan:
    """Raises WireError."""
    return _decoded(line, lambda data: _plan(data["plan"]))


def decode_control(line: bytes) -> Control:
    """Raises WireError."""
    return _decoded(line, lambda data: Control(poll=Usec(_whole(data["poll_usec"]))))


def decode_message(line: bytes) -> Message:
    """Raises WireError."""
    return _decoded(line, _message)


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def _decoded(line: bytes, build: Callable[[dict[str, Any]], _Built]) -> _Built:
    try:
        return build(json.loads(line))
    except (RecordError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise WireError(f"{line[:80]!r} is no message of the journal reader: {error!r}") from error


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _plan(data: dict[str, Any]) -> Plan:
    return Plan(
        source=Source(**data["source"]),
        jobs=tuple(job_from(job) for job in data["jobs"]),
        position=None if data["position"] is None else _text(data["position"]),
        probe=bool(data["probe"]),
        pinned=tuple(Spot(cursor=_text(spot["cursor"]), stepping=bool(spot["stepping"])) for spot in data["pinned"]),
        poll=Usec(_whole(data["poll"])),
        heartbeat=None if data["heartbeat"] is None else str(data["heartbeat"]),
    )


def job_from(data: Mapping[str, Any]) -> WatchedJob:
    """The job that `dataclasses.asdict` made it of. Raises RecordError."""
    job: WatchedJob = decoder(WatchedJob)(data, "job")
    return job


def _reading_data(reading: Reading) -> dict[str, Any]:
    return {
        "until": reading.read_until,
        "last": reading.last_entry_at,
        "jobs": [[tally.job, tally.entries, tally.first_at, tally.last_at] for tally in reading.tallies],
        "found": [find_data(item) for item in reading.found],
        "gaps": [[gap.reason, gap.since, gap.until, gap.entries, gap.job, gap.step] for gap in reading.gaps],
        "position": reading.position,
        "entries": reading.entries,
        "tail": reading.at_tail,
        "visible": reading.visible,
        "heard": reading.heard,
        "trouble": reading.trouble,
    }


def _message(data: dict[str, Any]) -> Message:
    if "trouble" in data:
        return Trouble(_text(data["trouble"]))
    if "at" in data:
        spot = data["at"]
        return Announced(None if spot is None else Spot(cursor=_text(spot[0]), stepping=bool(spot[1])))
    batch = data["batch"]
    return Reading(
        read_until=Usec(_whole(batch["until"])),
        last_entry_at=None if batch["last"] is None else Usec(_whole(batch["last"])),
        tallies=tuple(_tally(*item) for item in batch["jobs"]),
        found=tuple(find_from(item) for item in batch["found"]),
        gaps=tuple(_gap(*item) for item in batch["gaps"]),
        position=None if batch["position"] is None else _text(batch["position"]),
        entries=_whole(batch["entries"]),
        at_tail=bool(batch["tail"]),
        visible=bool(batch["visible"]),
        heard=bool(batch["heard"]),
        trouble=_text(batch["trouble"]),
    )


def _tally(job: object, entries: object, first: object, last: object) -> JobTally:
    first_at, last_at = Usec(_whole(first)), Usec(_whole(last))
    return JobTally(job=JobName(_text(job)), entries=_whole(entries), first_at=first_at, last_at=last_at)


def _gap(reason: str, since: object, until: object, entries: object, job: object, step: object) -> Gap:  # noqa: PLR0917 - as they lie in the line
    return Gap(
        reason=GapReason(reason),
        since=Usec(_whole(since)),
        until=Usec(_whole(until)),
        entries=None if entries is None else _whole(entries),
        job=None if job is None else JobName(_text(job)),
        step=_whole(step),
    )
