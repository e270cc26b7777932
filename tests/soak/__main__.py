"""`make soak`: a real daemon under load for an hour, with rotations, releases and kills; then everything must add up.

2,000 entries a second, a rotation each minute, a release every two minutes (each third one is bad and must be rolled
back once), the daemon or its reader killed with SIGKILL every half a minute on average. Prints what it saw as a table
for docs/soak.md; exits 1 and names what did not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.parts.daemons import DaemonProcess
from tests.soak.gauges import Sample, drift, look, percentile
from tests.soak.load import Load

JOB = """\
    units: ["import@*.service"]
    rules:
      - {{name: broken, match: '^broken', severity: error}}
    release:
      mode: rollback
      window: {window}s
      settle: 1s
      fail_when:
        - matches: {{rule: broken, count: 50}}
      rollback: {{command: [{directory}/roll-back], timeout: 20s}}
rollbacks_per_hour: 1000000
"""
SCRIPT = '#!/bin/sh\necho "$WATCHER_VERSION" >> {directory}/rolled-back\n'
EACH_BAD = 3
LOOK_SECONDS = 1.0
MOST_LAG = 2.0
"""Seconds that reading may be behind in all but one of a hundred looks."""
GROWTH_MIB = 8.0
"""A leak of what one release or one rotation leaves would be more than this in an hour."""
CATCH_UP = 60.0


class Soak:
    """One run; `broken` names what did not hold."""

    def __init__(self, directory: Path, options: argparse.Namespace) -> None:
        script = directory / "roll-back"
        script.write_text(SCRIPT.format(directory=directory))
        script.chmod(0o755)
        self._directory = directory
        self._options = options
        self._chance = random.Random(options.seed)
        self._window = max(int(options.release_every * 0.75), 5)
        self.daemon = DaemonProcess(directory, JOB.format(directory=directory, window=self._window))
        self.load = Load(self.daemon.journal, rate=options.rate, rotate_seconds=options.rotate_every, keep=10)
        self.samples: list[Sample] = []
        self.kills: Counter[str] = Counter()
        self.releases: dict[str, bool] = {}
        self.broken: list[str] = []

    def run(self) -> None:
        """All of it: load, releases and kills until the time is over; then the accounts."""
        self.daemon.start()
        self.daemon.wait_ready()
        self.load.start()  # not before: what was logged before the first start is not counted
        begun = time.monotonic()
        due = {"kill": begun + self._pause(), "release": begun, "look": begun}
        while (now := time.monotonic()) < begun + self._options.seconds:
            if now >= due["look"]:
                due["look"] = now + LOOK_SECONDS
                self._look(now - begun)
            if now >= due["release"] and now + self._window < begun + self._options.seconds:
                due["release"] = now + self._options.release_every
                self._release()
            if now >= due["kill"]:
                self._kill()
                due["kill"] = time.monotonic() + self._pause()
            time.sleep(0.2)
        self.load.stop()
        self._settle()
        self._account()
        self.daemon.stop()

    def _pause(self) -> float:
        return self._chance.uniform(0.2, 1.8) * float(self._options.kill_every)

    def _look(self, second: float) -> None:
        try:
            lag = self.daemon.metrics()["watcher_journal_lag_seconds",]
        except (AssertionError, KeyError):  # it is starting: the next look sees it
            return
        sample = look(second, self.daemon.pid, lag)
        if sample is not None:
            self.samples.append(sample)

    def _release(self) -> None:
        number = len(self.releases) + 1
        bad = number % EACH_BAD == 0
        done = self.daemon.cli("release", "start", "import", "--version", f"1.{number}", "--id", f"soak-{number}")
        if done.returncode != 0:
            self.broken.append(f"release soak-{number} was not registered: {done.stderr.strip()}")
            return
        self.releases[f"soak-{number}"] = bad
        self.load.deploy(bad=bad)

    def _kill(self) -> None:
        reader = [] if self._chance.random() < 0.5 else self._readers()
        if reader:
            self.kills["reader"] += 1
            with suppress(ProcessLookupError):
                os.kill(reader[0], signal.SIGKILL)
            return
        self.kills["daemon"] += 1
        self.daemon.kill()
        self.daemon.start()
        self.daemon.wait_ready()

    def _readers(self) -> list[int]:
        path = Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children")
        return [int(child) for child in path.read_text(encoding="ascii").split()]

    def _settle(self) -> None:
        self.daemon.wait_ready()
        self.daemon.wait_for(
            lambda: self.daemon.entries() >= self.load.written["entries"], "the rest of the journal", patience=CATCH_UP
        )
        for release in self.releases:
            self.daemon.cli("release", "wait", release, "--timeout", f"{self._window + 30}s")

    # ------------------------------------------------------------------------------------------------- the accounts

    def _account(self) -> None:
        metrics = self.daemon.metrics()
        self._hold("entries", self.load.written["entries"], int(metrics["watcher_journal_entries_total", "import"]))
        errors = int(metrics["watcher_rule_matches_total", "import", "broken", "error"])
        self._hold("errors", self.load.written["errors"], errors)
        gaps = {name[1]: int(value) for name, value in metrics.items() if name[0] == "watcher_journal_gaps_total"}
        self._hold("gaps", {}, {reason: count for reason, count in gaps.items() if count})
        rolled_back = Counter(self._rolled_back())
        versions = {f"1.{release.removeprefix('soak-')}": bad for release, bad in self.releases.items()}
        self._hold("rolled back", Counter(version for version, bad in versions.items() if bad), rolled_back)
        for release, bad in self.releases.items():
            self._hold(f"verdict of {release}", "failed" if bad else "passed", self.daemon.show(release)["verdict"])
        with sqlite3.connect(f"file:{self.daemon.state}/state.db?mode=ro", uri=True) as database:
            self._hold("integrity", "ok", database.execute("PRAGMA integrity_check").fetchone()[0])
        worst = percentile([sample.lag for sample in self.samples], 0.99)
        if worst >= MOST_LAG:
            self.broken.append(f"lag: the 99th percentile is {worst:.1f} s")
        early, late = drift(self.samples)
        if late - early > GROWTH_MIB:
            self.broken.append(f"memory grew from {early:.1f} to {late:.1f} MiB")

    def _hold(self, what: str, expected: object, seen: object) -> None:
        if expected != seen:
            self.broken.append(f"{what}: expected {expected}, saw {seen}")

    def _rolled_back(self) -> list[str]:
        path = self._directory / "rolled-back"
        return path.read_text().split() if path.exists() else []

    def table(self) -> str:
        """What was seen, as Markdown."""
        early, late = drift(self.samples)
        bad = sum(self.releases.values())
        lags = [sample.lag for sample in self.samples]
        typical, worst, highest = percentile(lags, 0.5), percentile(lags, 0.99), max(lags, default=0.0)
        descriptors = [sample.descriptors for sample in self.samples]
        rows = {
            "length, rate": f"{self._options.seconds} s, {self._options.rate} entries a second",
            "entries written = counted": f"{self.load.written['entries']:,} ({self.load.written['errors']:,} errors)",
            "rotations": str(self.load.rotations),
            "`kill -9` of daemon / reader": f"{self.kills['daemon']} / {self.kills['reader']}",
            "releases: passed / rolled back once": f"{len(self.releases) - bad} / {bad}",
            "memory of both (PSS, median), second quarter / last": f"{early:.1f} / {late:.1f} MiB",
            "descriptors of both, lowest / highest": f"{min(descriptors, default=0)} / {max(descriptors, default=0)}",
            "lag, median / p99 / highest": f"{typical:.1f} / {worst:.1f} / {highest:.1f} s",
            "Python, machine": f"{platform.python_version()}, {os.cpu_count()} cores",
            "what did not hold": "; ".join(self.broken) or "nothing",
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        return "\n".join(["| what | seen |", "|---|---|", *lines])


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--rate", type=int, default=2000, help="entries a second")
    parser.add_argument("--rotate-every", type=float, default=60.0)
    parser.add_argument("--release-every", type=float, default=120.0)
    parser.add_argument("--kill-every", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=20261124)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="release-watcher-soak-") as directory:
        soak = Soak(Path(directory), options)
        try:
            soak.run()
        finally:
            soak.load.stop()
            soak.daemon.kill()
        print(soak.table())
        print(json.dumps({"samples": len(soak.samples), "broken": soak.broken}), file=sys.stderr)
        if soak.broken:
            print(soak.daemon.log[-4000:], file=sys.stderr)
    return 1 if soak.broken else 0


if __name__ == "__main__":
    sys.exit(main())
