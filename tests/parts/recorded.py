"""A machine with systemd, as its programs tell of it: systemctl, journalctl and systemd-analyze that answer from files.

The answers about units in `tests/doctor/machine` were recorded on Debian 12 (systemd 252) from units so set up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from watcher.adapters import systemd, unit_question

RECORDED = Path(__file__).parents[1] / "doctor" / "machine"

_SYSTEMCTL = """#!/bin/sh
# systemctl show --property P -- UNIT… | list-units …
here=HERE
case "$1" in
    list-units) cat "$here/services" ;;
    show)
        while [ "$1" != -- ]; do shift; done; shift
        for unit in "$@"; do
            case "$unit" in *'*'*) continue ;; esac
            if [ -e "$here/units/$unit" ]; then cat "$here/units/$unit"; else
                sed "s/^Id=.*/Id=$unit/" RECORDED/nosuch.service; fi
            echo
        done ;;
    *) echo "Unknown command verb $1." >&2; exit 1 ;;
esac
"""
_JOURNALCTL = """#!/bin/sh
# the first line of HERE/journal whose left half is among the arguments tells the answer
for argument in "$@"; do
    if [ -e "HERE/journal/$argument" ]; then cat "HERE/journal/$argument"; exit 0; fi
done
exit 1
"""
_ANALYZE = """#!/bin/sh
cat HERE/journald.conf
"""


@dataclass(frozen=True)
class RecordedMachine:
    """The files that the programs answer from."""

    directory: Path

    def unit(self, name: str, recorded: str = "import@watcher-check.service", **changed: str) -> None:
        """There is such a unit, as the recorded one but for its name and the given properties."""
        lines = dict(line.split("=", 1) for line in (RECORDED / recorded).read_text().splitlines())
        facts = {**lines, "Id": name, **changed}
        text = "".join(f"{key}={value}\n" for key, value in facts.items())
        (self.directory / "units" / name).write_text(text)
        with (self.directory / "services").open("a") as services:
            services.write(f"{name} loaded active running\n")

    def journal(self, option: str, *entries: Mapping[str, str]) -> None:
        """What journalctl shows when that option is given."""
        text = "".join(json.dumps({"__CURSOR": "s=1;i=1", **entry}) + "\n" for entry in entries)
        (self.directory / "journal" / option).write_text(text)

    def journald(self, text: str) -> None:
        """The configuration of journald."""
        (self.directory / "journald.conf").write_text(text)


def make_machine(directory: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedMachine:
    """Put the programs first on the PATH, and let it look as if systemd were PID 1."""
    for folder in ("bin", "units", "journal", "booted"):
        (directory / folder).mkdir(parents=True)
    (directory / "services").write_text("")
    (directory / "journald.conf").write_text("[Journal]\n#Storage=auto\nStorage=persistent\n")
    programs = {"systemctl": _SYSTEMCTL, "journalctl": _JOURNALCTL, "systemd-analyze": _ANALYZE}
    for name, text in programs.items():
        program = directory / "bin" / name
        program.write_text(text.replace("HERE", str(directory)).replace("RECORDED", str(RECORDED)))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory / 'bin'}:{os.environ['PATH']}")
    for module in (systemd, unit_question):
        monkeypatch.setattr(module, "_BOOTED", directory / "booted")
    return RecordedMachine(directory)
