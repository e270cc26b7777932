"""What the running daemon costs: time from a failing line to the rollback, a registration, memory.

    python -m benchmarks.daemon [--rounds N] [--messages DIR]

Times are those of this machine, taken with the real daemon on real journal files; memory is PSS, in which shared pages
count in parts (proc(5), smaps_rollup).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.corpus import ENTRIES, corpus
from tests.journal.written import Line, LiveWriter
from tests.parts.daemons import DaemonProcess

JOB = """\
    units: ["{unit}"]
    packs: [systemd, python, generic, kernel]
    rules:
      - {{name: broken, match: '^broken', severity: error}}
    release:
      mode: rollback
      window: 30m
      settle: 0s
      fail_when:
        - matches: {{rule: broken, count: 1}}
      rollback: {{command: [/bin/true], timeout: 20s}}
rollbacks_per_hour: 1000000
"""


def latencies(rounds: int) -> list[float]:
    """Seconds from writing a failing line to the start of the rollback command, for each of `rounds` releases."""
    with tempfile.TemporaryDirectory() as name:
        daemon = DaemonProcess(Path(name), JOB.format(unit="import@*.service"))
        with LiveWriter(daemon.journal / "live.journal") as journal, daemon:
            return [_latency(daemon, journal) for _ in range(rounds)]


def _latency(daemon: DaemonProcess, journal: LiveWriter) -> float:
    release = daemon.start_release("--version", str(time.time_ns()))
    written = time.time_ns() // 1000
    journal.say(Line(at=written, message="broken", unit="import@1.service"))
    daemon.cli("release", "wait", release, "--timeout", "20s")
    started = daemon.state / "rollback" / f"{release}.result"
    daemon.wait_for(started.exists, "the result")
    return (int(started.read_text().partition('"started_at":')[2].split(",")[0].strip(" }")) - written) / 1e6


def registrations(rounds: int) -> list[float]:
    """Seconds that `watcher release start` takes as a whole command."""
    with tempfile.TemporaryDirectory() as name, DaemonProcess(Path(name), JOB.format(unit="x.service")) as daemon:
        return [_registration(daemon, number) for number in range(rounds)]


def _registration(daemon: DaemonProcess, number: int) -> float:
    watcher = str(Path(sys.executable).parent / "watcher")
    argv = [watcher, "--state-dir", str(daemon.state), "release", "start", "import", "--version", str(number)]
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def memory(messages: Path | None) -> dict[str, tuple[float, float]]:
    """PSS in MB of daemon and reader: idle, and after they have read the whole corpus."""
    recorded = corpus(messages=messages, entries=ENTRIES)
    with tempfile.TemporaryDirectory() as name:
        daemon = DaemonProcess(Path(name), JOB.format(unit="job-*.service"))
        with daemon:
            idle = _pss(daemon)
            for part in sorted(recorded.glob("*.journal")):
                (daemon.journal / part.name).symlink_to(part)
            daemon.wait_for(lambda: daemon.entries() >= ENTRIES, "the corpus to be read", patience=120.0)
            return {"idle": idle, f"after {ENTRIES:,} entries": _pss(daemon)}


def _pss(daemon: DaemonProcess) -> tuple[float, float]:
    found = subprocess.run(["pgrep", "-P", str(daemon.pid)], capture_output=True, text=True, check=True)
    return _pss_of(daemon.pid), _pss_of(int(found.stdout.split()[0]))


def _pss_of(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _told(what: str, seconds: list[float]) -> None:
    ranked = sorted(seconds)
    p99 = ranked[max(0, round(0.99 * len(ranked)) - 1)]
    median = statistics.median(ranked)
    print(f"{what:45} median {median * 1000:6.1f} ms   p99 {p99 * 1000:6.1f} ms   of {len(ranked)}")


def main() -> None:
    """Measure all three and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--messages", type=Path, help="a directory of Loghub-form CSV files; default: made-up messages")
    options = parser.parse_args()
    _told("a failing line to the started rollback", latencies(options.rounds))
    _told("`watcher release start`, the whole command", registrations(min(options.rounds, 30)))
    for when, (daemon, reader) in memory(options.messages).items():
        print(f"PSS {when:30} daemon {daemon:5.1f} MB   reader {reader:5.1f} MB   both {daemon + reader:5.1f} MB")


if __name__ == "__main__":
    main()
