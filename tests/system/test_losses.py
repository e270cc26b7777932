"""What journald itself drops, on a booted machine: the loss that it reports nowhere is found all the same."""

from __future__ import annotations

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import Job, assert_counts_equal, configure, deploy, register, wait_for

# More at once than journald ever lets through.
TALKER = """\
#!/usr/bin/python3
import sys
sys.stdout.write("".join(f"line {number}\\n" for number in range(int(open("/opt/talker/version").read()))))
"""
FULL = range(10_000, 60_001, 2_500)
# Four lines, the second of a quarter of a mebibyte: journald cuts it into pieces of LineMax=.
WORDY_UNIT = """\
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -c 'print("fine"); print("broken " * 40000); print("fine"); print("broken")'
"""
WORDY = """\
version: 1
jobs:
  wordy:
    units: [wordy.service]
    rules: [{name: broken, match: broken, severity: error}]
"""
SLICED = """\
version: 1
jobs:
  sliced:
    units: [losses.slice]
    release: {window: 3s}
    rules: [{name: broken, match: broken, severity: error}]
"""
# Over its own limit in the first second; journald tells of that with the first line after it.
CUT_SHORT = """\
[Service]
Type=oneshot
Slice=losses.slice
LogRateLimitIntervalSec=1s
LogRateLimitBurst=50
ExecStart=/bin/sh -c 'for i in $(seq 500); do echo "line $$i"; done; sleep 1.5; echo the last one; sleep 0.2'
"""
SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    machine.write("/etc/release-watcher/conf.d/wordy.yaml", WORDY)
    machine.write("/etc/release-watcher/conf.d/sliced.yaml", SLICED)
    configure(machine, Job(name="talker", window="3s"), Job(name="cut-short", window="3s"))
    machine.unit("wordy.service", WORDY_UNIT)
    machine.unit("cut-short.service", CUT_SHORT)
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


def test_line_that_is_longer_than_journald_stores(machine: Machine) -> None:
    """Its pieces are entries of the job, as in `journalctl -u`, and one error; the next line is another one."""
    machine.run("systemctl", "start", "wordy.service")
    assert_counts_equal(machine, "wordy", "wordy.service")
    pieces = machine.journal("--unit=wordy.service", "_LINE_BREAK=line-max", "--output-fields=PRIORITY")
    assert 5 <= len(pieces)
    assert 2 == machine.metric("watcher_rule_matches_total", job_name="wordy", rule="broken", severity="error")


def test_run_that_journald_suppresses_and_tells_of(machine: Machine) -> None:
    """What was suppressed is a gap of the jobs that count the unit, by its name or its slice: no window passes."""
    release, by_slice = register(machine, "cut-short"), register(machine, "sliced")
    machine.run("systemctl", "start", "cut-short.service")

    assert 3 == wait_for(machine, release), machine.release(release)
    assert machine.journal(f"MESSAGE_ID={SUPPRESSED}", "OBJECT_SYSTEMD_UNIT=cut-short.service", "_TRANSPORT=driver")
    assert 3 == wait_for(machine, by_slice), machine.release(by_slice)
    for job, of_job in (("cut-short", release), ("sliced", by_slice)):
        gaps = machine.release(of_job)["coverage"]["gaps"]
        assert {("dropped", job)} == {(gap["reason"], gap["job"]) for gap in gaps}
    assert 1 <= machine.metric("watcher_journal_gaps_total", reason="dropped")
