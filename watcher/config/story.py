"""The entries of a scenario, one by one, with the fields that journald and PID 1 would give them.

Knows what a process of the job and systemd write; must not know rules, releases or what is expected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from watcher.config.nodes import Node, SequenceNode
from watcher.config.problem import Place, Problem
from watcher.config.scenario_sections import EntrySection, RunWord
from watcher.core.duration import Usec
from watcher.core.rule import WatchedJob
from watcher.journal.invocations import DEACTIVATED, FAILED, STARTING
from watcher.journal.units import JobUnits

_PID1 = {"_SYSTEMD_UNIT": "init.scope", "_UID": "0", "_GID": "0", "_TRANSPORT": "journal", "_COMM": "systemd"}
_OWN = {"_PID": "4711", "_UID": "998", "_GID": "998", "_TRANSPORT": "stdout", "PRIORITY": "6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of the story: its place in the file, when it comes since the beginning, what shall count it."""

    place: Place
    path: str
    at: Usec
    fields: Mapping[str, str]
    expected: tuple[str, ...] | None


def told(
    entries: Sequence[EntrySection], node: Node | None, job: WatchedJob
) -> tuple[tuple[Step, ...], tuple[Problem, ...]]:
    """Each entry in its order, those that are repeated one by one; and what is wrong with them."""
    places = [item.place for item in node.items] if isinstance(node, SequenceNode) else []
    teller = _Teller(job)
    for index, (section, place) in enumerate(zip(entries, places, strict=True)):
        teller.tell(section, place, f"entries[{index}]")
    return tuple(teller.steps), tuple(teller.problems)


class _Teller:
    """Where the story stands: the instant, and the run that goes on."""

    def __init__(self, job: WatchedJob) -> None:
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self._job, self._unit = job, example_unit(job)
        self._now = Usec(0)
        self._runs = 0

    def tell(self, section: EntrySection, place: Place, path: str) -> None:
        """One entry, as often as it says."""
        if section.at is not None and section.at < self._now:
            self._complain(place, f"{path}.at", "is earlier than the entry before", "put them in their order")
        if section.run is not None and self._unit is None:
            self._complain(place, f"{path}.run", "the job has no unit whose run this could be", "write fields instead")
        elif self._unit is None and self._job.units and "_SYSTEMD_UNIT" not in section.fields:
            message = f"_SYSTEMD_UNIT is missing: no unit's name can be made of {self._job.units[0]}"
            self._complain(place, f"{path}.fields", message, "write it under fields")
        self._now = self._now if section.at is None else Usec(max(section.at, self._now))
        expected = None if section.expect is None else tuple(section.expect)
        for count in range(section.repeat):
            self._now = Usec(self._now + (section.every or 0) * bool(count))
            self._runs += section.run is RunWord.BEGINS
            fields = self._fields(section)
            self.steps.append(Step(place=place, path=path, at=self._now, fields=fields, expected=expected))

    def _complain(self, place: Place, path: str, message: str, hint: str) -> None:
        self.problems.append(Problem(place=place, path=path, message=message, hint=hint))

    def _fields(self, section: EntrySection) -> dict[str, str]:
        """The fields that are given, and what journald would add: of the job's own process, or of PID 1."""
        given = dict(section.fields)
        if section.message is not None:
            given["MESSAGE"] = section.message
        run = f"{self._runs:032x}"
        if section.run is not None:
            given = {"_PID": "1", "INVOCATION_ID": run, **_record(section.run, self._unit or ""), **given}
        if given.get("_PID") == "1":
            about = {} if self._unit is None else {"UNIT": self._unit}
            return {**_PID1, "PRIORITY": "6", **about, **self._of_run("INVOCATION_ID", run), **given}
        sender = {} if self._unit is None else {"_SYSTEMD_UNIT": self._unit}
        if self._job.identifiers and self._unit is None:
            sender["SYSLOG_IDENTIFIER"] = self._job.identifiers[0]
        return {**_OWN, **sender, **self._of_run("_SYSTEMD_INVOCATION_ID", run), **given}

    def _of_run(self, field: str, run: str) -> dict[str, str]:
        return {field: run} if self._runs else {}


def _record(run: RunWord, unit: str) -> dict[str, str]:
    """What systemd writes about the run."""
    match run:
        case RunWord.BEGINS:
            return {"MESSAGE_ID": STARTING.decode(), "MESSAGE": f"Starting {unit}...", "JOB_TYPE": "start"}
        case RunWord.SUCCEEDS:
            return {"MESSAGE_ID": DEACTIVATED.decode(), "MESSAGE": f"{unit}: Deactivated successfully."}
        case RunWord.FAILS:
            said = {"MESSAGE": f"{unit}: Failed with result 'exit-code'.", "UNIT_RESULT": "exit-code"}
            return {"MESSAGE_ID": FAILED.decode(), "PRIORITY": "4", **said}


def example_unit(job: WatchedJob) -> str | None:
    """The name of a unit of the job, made of its first pattern; None if it has none, or none can be made."""
    if not job.units:
        return None
    named = "".join(_literals(job.units[0]))
    takes = JobUnits([job.units[:1]]).owners
    names = (named,) if "." in named else (f"{named}.service", named)
    return next((name for name in names if takes(name.encode())), None)


def _literals(pattern: str) -> Iterator[str]:
    rest = pattern
    while rest:
        char, rest = rest[0], rest[1:]
        if char == "[" and "]" in rest[1:]:
            yield rest[0]
            rest = rest[rest.index("]", 1) + 1 :]
        else:
            yield "1" if char in "*?" else char
