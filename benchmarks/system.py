"""What the installed service costs on a booted Debian: a failing line to the rollback's unit, idling, memory, a flood.

    python -m benchmarks.system [--rounds N] [--idle SECONDS] [--lines N]

Needs root. Makes the root and the package if they are not there, boots a machine on this disk, and measures with what
the machine itself keeps: the journal's own instants, PID 1's CPU accounting, smaps_rollup (PSS), journalctl.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from pathlib import Path

from tests.parts.machine import REPOSITORY, Machine
from tests.parts.stage import DEBIAN, Job, configure, install, ready, register, wait_for

FAILED = "MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c"
STARTING = "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5"
FLOOD_PATIENCE = 120.0
SERVICE = "release-watcher.service"
# print, not a loop of the shell: the writer must be faster than journald.
FLOOD = """\
#!/usr/bin/python3
import sys
for number in range({lines}):
    sys.stdout.write(f"request {{number}} took {{number % 97}} ms, all is well\\n")
"""


def latencies(machine: Machine, rounds: int) -> list[float]:
    """Seconds from PID 1's record of the failed run to its record that the rollback's unit starts."""
    return [_latency(machine, number) for number in range(rounds)]


def _latency(machine: Machine, number: int) -> float:
    release = register(machine, "failing", version=f"2.{number}")
    machine.run("systemctl", "start", "failing.service", check=False)
    assert wait_for(machine, release) == 1, machine.release(release)
    unit = f"release-watcher-rollback@{release}.service"
    failed = _instants(machine, "_PID=1", FAILED, "UNIT=failing.service")[-1]
    return (_instants(machine, "_PID=1", STARTING, f"UNIT={unit}")[0] - failed) / 1e6


def _instants(machine: Machine, *matches: str) -> list[int]:
    return [int(entry["__REALTIME_TIMESTAMP"]) for entry in machine.journal(*matches)]


def idle_share(machine: Machine, seconds: float) -> float:
    """The part of one core that daemon and reader use while nothing happens, by PID 1's accounting of the service."""
    before = int(machine.show(SERVICE, "CPUUsageNSec"))
    time.sleep(seconds)
    return (int(machine.show(SERVICE, "CPUUsageNSec")) - before) / 1e9 / seconds


def memory(machine: Machine) -> float:
    """PSS of all processes of the service, in MB."""
    group = machine.show(SERVICE, "ControlGroup")
    total = 0
    for pid in machine.out("cat", f"/sys/fs/cgroup{group}/cgroup.procs").split():
        lines = machine.out("cat", f"/proc/{pid}/smaps_rollup").splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


def flood(machine: Machine, lines: int) -> tuple[float, float, bool]:
    """One writer as fast as it can: its lines a second, the longest lag in seconds, whether the counts are equal."""
    machine.write("/usr/local/bin/flood", FLOOD.format(lines=lines), mode=0o755)
    machine.unit(
        "flood.service",
        "[Service]\nType=oneshot\nLogRateLimitIntervalSec=1s\nLogRateLimitBurst=100000000\nExecStart=/usr/local/bin/flood\n",
    )
    begun, longest = time.monotonic(), 0.0
    machine.run("systemctl", "start", "flood.service")
    # The writer ends before journald has taken its last megabytes in.
    while _counted(machine) < lines and time.monotonic() < begun + FLOOD_PATIENCE:
        longest = max(longest, machine.metric("watcher_journal_lag_seconds"))
        time.sleep(0.1)
    pace = lines / (time.monotonic() - begun)
    shown = int(machine.out("sh", "-c", "journalctl -u flood.service -o cat --output-fields=MESSAGE | wc -l"))
    return pace, longest, lines <= shown == _counted(machine)


def _counted(machine: Machine) -> float:
    return machine.metric("watcher_journal_entries_total", job_name="flood")


def main() -> None:
    """Print each figure with what it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--idle", type=float, default=300.0, help="seconds")
    parser.add_argument("--lines", type=int, default=500_000)
    options = parser.parse_args()
    plain, package = _made("tools/root", DEBIAN, "system"), _made("deploy/debian/build", DEBIAN)
    with Machine([plain], name=f"{DEBIAN}-bench", durable=True) as machine:
        install(machine, package)
        configure(machine, Job(name="failing"), Job(name="flood"))
        machine.unit(
            "failing.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/false\n"
        )
        machine.run("systemctl", "restart", SERVICE)
        ready(machine)
        print(f"memory at the start: {memory(machine):.0f} MB (below 80)")
        print(
            f"idle for {options.idle:.0f} s: {idle_share(machine, options.idle):.2%} of a core (below 0.20%)",
            flush=True,
        )
        found = sorted(latencies(machine, options.rounds))
        median, worst = statistics.median(found), found[max(0, int(len(found) * 0.99) - 1)]
        print(f"failed run to the rollback's unit, of {len(found)}: median {median * 1000:.0f} ms (150),", end=" ")
        print(f"p99 {worst * 1000:.0f} ms (500), longest {found[-1] * 1000:.0f} ms", flush=True)
        pace, longest, is_equal = flood(machine, options.lines)
        print(f"flood of {options.lines} lines, {pace:.0f}/s: longest lag {longest:.2f} s (2),", end=" ")
        print(f"counts {'equal' if is_equal else 'DIFFER from'} journalctl's")
        print(f"memory afterwards: {memory(machine):.0f} MB (below 80)")


def _made(*argv: str) -> Path:
    return Path(subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    main()
