"""What journald itself drops, on a booted machine: the loss that it reports nowhere is found all the same."""

from __future__ import annotations

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import Job, configure, deploy, register, wait_for

# More at once than journald ever lets through.
TALKER = """\
#!/usr/bin/python3
import sys
sys.stdout.write("".join(f"line {number}\\n" for number in range(int(open("/opt/talker/version").read()))))
"""
FULL = range(10_000, 60_001, 2_500)
SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    configure(machine, Job(name="talker", window="3s"))
    machine.write("/usr/local/bin/talker", TALKER, mode=0o755)
    machine.unit("talker.service", "[Service]\nType=oneshot\nExecStart=/usr/local/bin/talker\n")


def test_run_that_journald_cuts_off_without_a_word(machine: Machine) -> None:
    """A oneshot logs 90,000 lines at once: a full interval is stored, nothing reported, and nothing passes."""
    deploy(machine, "talker", "90000")
    release = register(machine, "talker")
    machine.run("systemctl", "start", "talker.service")

    assert 3 == wait_for(machine, release, timeout="120s"), machine.release(release)
    found = machine.release(release)
    stored = machine.journal("--unit=talker.service", "_COMM=talker", "--output-fields=PRIORITY")
    assert len(stored) in FULL
    assert [] == machine.journal(f"MESSAGE_ID={SUPPRESSED}", "OBJECT_SYSTEMD_UNIT=talker.service")
    assert ("inconclusive", ["suspect"]) == (found["verdict"], [gap["reason"] for gap in found["coverage"]["gaps"]])
    assert 1 == machine.metric("watcher_journal_gaps_total", reason="suspect")
