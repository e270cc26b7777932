"""The wall clock of a machine is set while a window is open: the window stays as long as it is, and still acts.

A container has the host's clock, which must not be set; so every program of the machine is given one that can be
(`clock.c`): journald stamps with it, the daemon and its reader judge by it, the rollback is claimed by it.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import (
    Job,
    assert_counts_equal,
    assert_rolled_back_once,
    configure,
    fail,
    ready,
    register,
    wait_for,
)

OFFSET = "/etc/clock-offset"
HOUR, YEAR = 3600, 365 * 86400
STEPS = {"forward": HOUR, "back": -HOUR, "years": YEAR, "past": -YEAR}
WINDOW = 6
JOBS = (
    *[Job(name=f"bad-{name}", fail_when="matches: {severity: critical, count: 2}") for name in STEPS],
    *[Job(name=f"good-{name}", window=f"{WINDOW}s") for name in STEPS],
    Job(name="new-back", window="15m"),
)


@pytest.fixture(scope="module", autouse=True)
def _clock(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> None:
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).parent / "clock.c"
    flags = ["-shared", "-fPIC", "-O1", f'-DOFFSET_FILE="{OFFSET}"']
    subprocess.run(["gcc", *flags, "-o", library, source, "-ldl"], check=True)
    machine.path("/usr/local/lib/clock.so").write_bytes(library.read_bytes())
    machine.path(OFFSET).write_bytes(bytes(8))
    machine.write("/etc/ld.so.preload", "/usr/local/lib/clock.so\n")
    # The dispatcher looks how old an order is, by the time of its file.
    kernels = "[Service]\nEnvironment=KERNEL_CLOCK=yes\n"
    machine.write("/etc/systemd/system/release-watcher-rollback.service.d/clock.conf", kernels)
    machine.run("systemctl", "daemon-reexec")
    machine.run("systemctl", "restart", "systemd-journald.service", "release-watcher.service")
    ready(machine)
    configure(machine, *JOBS)
    for job in JOBS:
        ends = "false" if job.name.startswith("bad") else "true"
        machine.unit(f"{job.name}.service", f"[Service]\nType=oneshot\nExecStart=/bin/{ends}\n")


def step(machine: Machine, seconds: int) -> None:
    """Set the machine's clock by so many seconds, at once."""
    with machine.path(OFFSET).open("r+b", buffering=0) as file:
        offset = int.from_bytes(file.read(8), "little", signed=True) + seconds * 1_000_000
        file.seek(0)
        file.write(offset.to_bytes(8, "little", signed=True))
    host = time.time()
    assert abs(float(machine.out("date", "+%s")) - host - offset / 1e6) < 60


@pytest.mark.parametrize("name", STEPS)
def test_clock_that_is_set_inside_a_window(machine: Machine, name: str) -> None:
    """A window of seconds ends neither early nor late nor as passed; another one still sees what crosses its limit."""
    bad, good = register(machine, f"bad-{name}"), register(machine, f"good-{name}")
    opened = time.monotonic()
    fail(machine, f"bad-{name}")
    machine.run("systemctl", "start", f"good-{name}.service")

    step(machine, STEPS[name])
    assert 3 == wait_for(machine, good, timeout="40s"), machine.release(good)
    assert WINDOW <= time.monotonic() - opened < WINDOW + 10
    found = machine.release(good)
    assert {"clock"} == {gap["reason"] for gap in found["coverage"]["gaps"]}
    assert "watching" == machine.release(bad)["phase"]
    fail(machine, f"bad-{name}")
    assert_rolled_back_once(machine, bad)
    for job in ("bad", "good"):
        assert_counts_equal(machine, f"{job}-{name}", f"{job}-{name}.service")


def test_release_that_is_registered_after_the_clock_was_set_back(machine: Machine) -> None:
    """Its window is the new clock's: it does not end because the daemon has read up to a later hour before."""
    step(machine, -HOUR)
    release = register(machine, "new-back")
    machine.run("systemctl", "start", "new-back.service")
    assert_counts_equal(machine, "new-back", "new-back.service")
    assert "watching" == machine.release(release)["phase"]
