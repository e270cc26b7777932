"""Records of PID 1 about a unit's runs, as journald stores them; real ones lie in `tests/golden/runs/`."""

from __future__ import annotations

from tests.parts.journals import Fields

UNIT = "import.service"
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED = "39f53479d3a045ac8e11786248231fbf"
EXITED = "98e322203f7a4ed290d09fe03c09fe15"
FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
DEACTIVATED = "7ad2d189f7e94e70a38c781354912448"
STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"


def invocation(number: int) -> str:
    """An INVOCATION_ID."""
    return f"{number:032x}"


def record(what: str, run: int, *, unit: str = UNIT, text: str = "", **more: str | int) -> Fields:
    """One record of PID 1 about the run `run` of a unit."""
    return {
        "MESSAGE": text or f"{unit}: {what}",
        "MESSAGE_ID": what,
        "PRIORITY": 6,
        "SYSLOG_IDENTIFIER": "systemd",
        "UNIT": unit,
        "INVOCATION_ID": invocation(run),
        "_SYSTEMD_UNIT": "init.scope",
        "_PID": 1,
        "_UID": 0,
        "_TRANSPORT": "journal",
        **more,
    }


def service_starts(run: int, *, unit: str = UNIT, **more: str | int) -> list[Fields]:
    """A service of Type=simple."""
    return [record(STARTED, run, unit=unit, text=f"Started {unit}.", **more)]


def succeeds(run: int, *, unit: str = UNIT, **more: str | int) -> list[Fields]:
    """A oneshot from its begin to its good end."""
    return [
        record(STARTING, run, unit=unit, text=f"Starting {unit}...", **more),
        record(DEACTIVATED, run, unit=unit, text=f"{unit}: Deactivated successfully.", **more),
        record(STARTED, run, unit=unit, text=f"Finished {unit}.", **more),
    ]


def fails(run: int, *, unit: str = UNIT, code: int = 1, **more: str | int) -> list[Fields]:
    """A oneshot from its begin to its bad end."""
    return [
        record(STARTING, run, unit=unit, text=f"Starting {unit}...", **more),
        *breaks(run, unit=unit, code=code, **more),
    ]


def breaks(run: int, *, unit: str = UNIT, code: int = 1, **more: str | int) -> list[Fields]:
    """What was started ends badly."""
    return [
        record(EXITED, run, unit=unit, text="Main process exited", EXIT_CODE="exited", EXIT_STATUS=code, **more),
        record(FAILED, run, unit=unit, text="Failed with result 'exit-code'.", UNIT_RESULT="exit-code", **more),
    ]


def line(text: str, run: int, *, unit: str = UNIT, **more: str | int) -> Fields:
    """A line of a unit's own process in that run."""
    return {
        "MESSAGE": text,
        "PRIORITY": 6,
        "_SYSTEMD_UNIT": unit,
        "_SYSTEMD_INVOCATION_ID": invocation(run),
        "_PID": 700 + run,
        "_UID": 900,
        "_TRANSPORT": "stdout",
        **more,
    }
