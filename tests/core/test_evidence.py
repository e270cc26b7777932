"""The commands in a note, run as a person would paste them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from tests.events import seen
from tests.journal.test_excerpt import line, release, write
from tests.journal.written import T0
from watcher.core.duration import Usec
from watcher.core.evidence import instant, journalctl_commands


def _shown(command: str) -> list[str]:
    done = subprocess.run(["bash", "-c", f"{command} --no-pager --quiet -o cat"], capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def test_pasted_command_shows_the_window_to_the_microsecond(tmp_path: Path) -> None:
    """From the first instant of the window up to the line that ended it, of the job's units only."""
    directory = tmp_path / "it's a $(journal)"
    write(
        directory,
        *(line(f"line {number}", "import@1.service" if number % 2 else "other.service") for number in range(10)),
    )
    named = release(journalctl=("-u", "import@*.service"))
    watched = replace(seen(named, start=Usec(T0 + 3)), ended_at=Usec(T0 + 7))
    commands = journalctl_commands(watched, directory=str(directory), namespace=None)
    (window,), (after,) = commands["window"], commands["after"]
    assert ["line 3", "line 5", "line 7"] == _shown(window)
    assert ["line 7", "line 9"] == _shown(after)


def test_open_window_goes_on_to_its_planned_end() -> None:
    """Before the release has ended, the planned end stands in the command; before the start there is none."""
    watched = seen(release(), start=T0, end=Usec(T0 + 60_000_000))
    (window,) = journalctl_commands(watched, directory=None, namespace=None)["window"]
    assert window.endswith("'--since=2023-11-14 22:13:20.000000 UTC' '--until=2023-11-14 22:14:20.000000 UTC'")
    assert {} == journalctl_commands(release(), directory=None, namespace=None)


def test_instants_for_people_are_cut_to_the_millisecond() -> None:
    """Cut, not rounded: an instant never shows as later than it was."""
    assert "2023-11-14 22:13:20.000 UTC" == instant(Usec(T0 + 999))
    assert "2023-11-14 22:13:20.999 UTC" == instant(Usec(T0 + 999_999))
