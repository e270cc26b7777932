"""What happens to the journal while it is read: restarts, rotation, vacuum, many users, a move from /run to /var."""

from __future__ import annotations

import os
from functools import partial

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    Job,
    assert_counts_equal,
    assert_rolled_back_once,
    configure,
    ready,
    register,
    wait_for,
)

SERVICE = ("release-watcher.socket", "release-watcher-metrics.socket", "release-watcher.service")
WRITERS = ("anna", "ben", "cleo")
LINES = 3000
ROTATIONS = 100
KEPT_FILES = 80
"""By a vacuum after each tenth rotation: those of the last twenty, as the system and each writer have one each."""
STILL_SECONDS = float(os.environ.get("WATCHER_TEST_STILL_SECONDS", "5"))
JOURNALD = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
STARTING = "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5"
JOBS = (
    Job(name="noted"),
    Job(name="rotated"),
    Job(name="vacuumed", window="4s"),
    Job(name="crowd", units=("crowd@*.service",)),
    Job(name="moved"),
    Job(name="chatty"),
    Job(name="flushed"),
    Job(name="turning", units=("turning@*.service",), window="6s"),
)
CROWD = f"""\
[Service]
Type=oneshot
User=%i
LogRateLimitIntervalSec=0
ExecStart=/bin/sh -c 'i=0; while [ $$i -lt {LINES} ]; do echo "%i $$i"; i=$$((i+1)); done'
"""

# Writes numbered lines until it is told to end, then says how many they were. Together they stay below the number at
# which a job may have been cut off by journald: that is looked for by a second look, and what it needs is deleted here.
TURNING = f"""\
#!/usr/bin/python3
import os, sys, time
count = 0
while not os.path.exists("/run/turned"):
    for _ in range(5 if count < {LINES} else 0):
        print("line", count)
        count += 1
    sys.stdout.flush()
    time.sleep(0.01)
open("/tmp/turned-" + sys.argv[1], "w").write(str(count))
"""
TURNING_UNIT = """\
[Service]
Type=exec
User=%i
LogRateLimitIntervalSec=0
ExecStart=/usr/local/bin/turning %i
"""


@pytest.fixture(scope="module", autouse=True)
def _jobs(machine: Machine) -> None:
    configure(machine, *JOBS)
    for job in ("noted", "rotated", "moved"):
        machine.unit(f"{job}.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    machine.unit("chatty.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo one; echo two; echo three'\n")
    machine.unit("flushed.service", "[Service]\nType=oneshot\nExecStart=/bin/echo once\n")
    machine.unit("vacuumed.service", "[Service]\nType=oneshot\nExecStart=/bin/echo fine\n")
    machine.unit("crowd@.service", CROWD)
    machine.write("/usr/local/bin/turning", TURNING, mode=0o755)
    machine.unit("turning@.service", TURNING_UNIT)
    for writer in WRITERS:
        machine.run("useradd", writer)


def gaps(machine: Machine) -> float:
    """All gaps that were counted."""
    return sum(value for name, value in machine.metrics().items() if name.startswith("watcher_journal_gaps_total{"))


def test_several_users_that_log_at_once(machine: Machine) -> None:
    """Three users write at once, each into a file of its own: every line is counted, and no gap is invented."""
    before = gaps(machine)
    running = [machine.start("systemctl", "start", f"crowd@{writer}.service") for writer in WRITERS]
    for process in running:
        with process:
            assert 0 == process.wait(timeout=60)

    counted = assert_counts_equal(machine, "crowd", *(f"crowd@{writer}.service" for writer in WRITERS))
    assert counted >= LINES * len(WRITERS)
    files = machine.out("sh", "-c", "ls /var/log/journal/*/user-*.journal | wc -l")
    assert int(files) >= len(WRITERS)
    assert before == gaps(machine)


def test_hundred_rotations_while_three_users_log(machine: Machine) -> None:
    """Each line is counted once, though the oldest files are deleted meanwhile; none of those is held open for long."""
    before, units = gaps(machine), [f"turning@{writer}.service" for writer in WRITERS]
    records = [*[f"--unit={unit}" for unit in units], "_PID=1"]
    release = register(machine, "turning")
    machine.run("systemctl", "start", *units)
    begun = machine.journal(*records)
    deleted = 0
    for number in range(1, ROTATIONS + 1):
        vacuum = [f"--vacuum-files={KEPT_FILES}"] if number % 10 == 0 else []
        deleted += machine.run("journalctl", "--rotate", *vacuum).stderr.count("Deleted archived journal")
    assert deleted > ROTATIONS
    machine.write("/run/turned", "")
    for unit in units:
        machine.until(f"{unit} has ended", partial(_has_ended, machine, unit))

    said = sum(int(machine.path(f"/tmp/turned-{writer}").read_text(encoding="ascii")) for writer in WRITERS)

    def expected() -> int:
        # By their time: where an entry is gone, --after-cursor passes one more.
        ended = [
            one for one in machine.journal(*records) if one["__REALTIME_TIMESTAMP"] > begun[-1]["__REALTIME_TIMESTAMP"]
        ]
        return len(begun) + said + len(ended)

    counted = partial(machine.metric, "watcher_journal_entries_total", job_name="turning")
    # PID 1's last record may be stored a moment after the unit is seen as ended.
    machine.until("all is counted", lambda: counted() >= expected() == expected())
    assert expected() == counted()
    assert before == gaps(machine)
    assert 0 == wait_for(machine, release), machine.release(release)
    machine.until("no deleted file is held open", lambda: not _held_open(machine), patience=60)


def _has_ended(machine: Machine, unit: str) -> bool:
    return machine.state_of(unit) == "inactive"


def _held_open(machine: Machine) -> str:
    """The descriptors of daemon and reader that point to journal files which are deleted."""
    pid = machine.show("release-watcher.service", "MainPID")
    listing = f"for each in {pid} $(cat /proc/{pid}/task/{pid}/children); do ls -l /proc/$each/fd; done"
    lines = machine.out("sh", "-c", listing).splitlines()
    return "\n".join(line for line in lines if line.endswith(".journal (deleted)"))


def test_journald_restarted_inside_a_window(machine: Machine) -> None:
    """The reader goes on by itself; nothing is counted twice, and the failure afterwards is seen."""
    before = gaps(machine)
    release = register(machine, "noted")
    for _ in range(3):
        machine.run("systemctl", "restart", "systemd-journald.service")
        machine.run("systemctl", "start", "chatty.service")
    machine.run("systemctl", "kill", "--signal=KILL", "systemd-journald.service")
    machine.until("journald is back", lambda: machine.state_of("systemd-journald.service") == "active")
    machine.until("PID 1 logs to it again", lambda: _starts_are_recorded(machine))
    machine.run("systemctl", "start", "noted.service", check=False)

    assert_rolled_back_once(machine, release)
    assert_counts_equal(machine, "noted", "noted.service")
    assert_counts_equal(machine, "chatty", "chatty.service")
    assert before == gaps(machine)


def _starts_are_recorded(machine: Machine) -> bool:
    """Start a job, and look whether the record of that is in the journal: PID 1 needs a moment after a kill."""
    before = len(machine.journal("--unit=chatty.service", STARTING))
    machine.run("systemctl", "start", "chatty.service")
    return len(machine.journal("--unit=chatty.service", STARTING)) > before


def test_journald_that_stands_still(machine: Machine) -> None:
    """While it is stopped the daemon answers; what it stored afterwards is counted, once, without a gap."""
    before = gaps(machine)
    machine.run("systemctl", "kill", "--signal=STOP", "systemd-journald.service")
    try:
        machine.run("systemctl", "start", "chatty.service")
        machine.run("sleep", str(STILL_SECONDS))
        assert 200 == machine.tcp("/-/healthy")[0]
        machine.watcher("status")
    finally:
        machine.run("systemctl", "kill", "--signal=CONT", "systemd-journald.service")
    machine.run("systemctl", "start", "chatty.service")

    assert_counts_equal(machine, "chatty", "chatty.service")
    assert before == gaps(machine)


def test_journald_that_is_away(machine: Machine) -> None:
    """Stopped with its sockets, so that nobody can log: once it is back the daemon goes on by itself."""
    before, daemon = gaps(machine), machine.show("release-watcher.service", "MainPID")
    machine.run("systemctl", "stop", *JOURNALD)
    machine.run("systemctl", "start", "chatty.service")
    machine.run("sleep", str(STILL_SECONDS))
    assert 200 == machine.tcp("/-/healthy")[0]
    machine.run("systemctl", "start", *JOURNALD)
    machine.until("PID 1 logs to it again", lambda: _starts_are_recorded(machine))

    assert_counts_equal(machine, "chatty", "chatty.service")
    assert before == gaps(machine)
    assert daemon == machine.show("release-watcher.service", "MainPID")


def test_rotation_and_vacuum_inside_a_window(machine: Machine) -> None:
    """What was read may be vacuumed: no gap, and the failure that follows is rolled back."""
    machine.run("systemctl", "start", "chatty.service")
    counted = assert_counts_equal(machine, "chatty", "chatty.service")
    before = gaps(machine)
    release = register(machine, "rotated")
    machine.run("journalctl", "--rotate", "--vacuum-size=1K")
    assert not machine.journal("--unit=chatty.service")
    machine.run("systemctl", "start", "chatty.service")
    machine.run("systemctl", "start", "rotated.service", check=False)

    assert_rolled_back_once(machine, release)
    later = len(machine.journal("--unit=chatty.service"))
    assert counted + later == machine.metric("watcher_journal_entries_total", job_name="chatty")
    assert before == gaps(machine)


def test_entries_vacuumed_before_they_were_read(machine: Machine) -> None:
    """They are gone while nobody read: a gap is counted, and a window over it ends inconclusive, never passed."""
    release = register(machine, "vacuumed")
    machine.run("systemctl", "stop", *SERVICE)
    machine.run("systemctl", "start", "vacuumed.service")
    machine.run("journalctl", "--rotate", "--vacuum-size=1K")
    machine.run("systemctl", "start", *SERVICE)
    ready(machine)

    assert 3 == wait_for(machine, release)
    assert 1 <= gaps(machine)
    assert "inconclusive" == machine.release(release)["verdict"]


@pytest.mark.parametrize("while_it_runs", [True, False])
def test_journal_that_moves_from_memory_to_disk(machine: Machine, *, while_it_runs: bool) -> None:
    """Flushed while it is read, or while the daemon is down: the entries are renumbered, and none is counted twice."""
    machine.run("journalctl", "--relinquish-var")
    machine.run("systemctl", "start", "flushed.service")
    assert_counts_equal(machine, "flushed", "flushed.service")
    if not while_it_runs:
        machine.run("systemctl", "stop", *SERVICE)
        machine.run("systemctl", "start", "flushed.service")
    machine.run("journalctl", "--flush")
    machine.run("systemctl", "start", "flushed.service")
    machine.run("systemctl", "start", *SERVICE)
    ready(machine)
    machine.run("systemctl", "start", "flushed.service")

    assert assert_counts_equal(machine, "flushed", "flushed.service") >= 9


def test_release_after_all_that(machine: Machine) -> None:
    """The reader still sees a failure."""
    release = register(machine, "moved")
    machine.run("systemctl", "start", "moved.service", check=False)
    assert_rolled_back_once(machine, release)
