"""A release against its job's past, from end to end: real daemon, real journal, real command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journal.written import T0, Line, LiveWriter, write
from tests.parts.daemons import DaemonProcess
from tests.parts.journals import write_journal
from watcher.core.duration import HOUR, MINUTE, SECOND

UNIT = "import.service"


def job(condition: str, *, window: str = "5m") -> str:
    """The configuration of a job with one condition."""
    return f"""\
    units: [{UNIT}]
    rules:
      - {{name: lost, match: 'row .* lost', severity: error}}
    release:
      window: {window}
      settle: 0s
      blame: all
      fail_when:
        - {condition}
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[LiveWriter]:
    """A journal with two hours of the job's past, in which a row was lost each half hour."""
    (tmp_path / "journal").mkdir()
    with LiveWriter(tmp_path / "journal" / "live.journal") as live:
        begin = time.time_ns() // 1000 - 2 * HOUR
        for minute in range(120):
            at = begin + minute * MINUTE
            lost = minute % 30 == 0
            live.say(Line(at=at, message=f"row {minute} lost" if lost else "imported", unit=UNIT, priority=6))
        yield live


def say(journal: LiveWriter, *messages: str, priority: int = 6) -> None:
    for message in messages:
        journal.say(Line(at=time.time_ns() // 1000, message=message, unit=UNIT, priority=priority))


def test_a_new_kind_of_error_three_times(tmp_path: Path, journal: LiveWriter) -> None:
    """What the job always had is known; what it never had fails the release, and the note shows both."""
    with DaemonProcess(tmp_path, job("new_errors: {count: 3}")) as daemon:
        release = daemon.start_release()
        say(journal, "row 7 lost", "row 8 lost")
        say(journal, *(f"segment {number} is corrupt" for number in (1, 2, 3)), priority=3)
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        shown = daemon.show(release)
        assert ["3 error entries of kinds not seen before the release (1 new), limit 3"] == shown["reasons"]
        assert (120, 1) == (shown["baseline"]["entries"], shown["baseline"]["kinds"])
        note = daemon.cli("release", "note", release).stdout
        for words in ("1 new, 1 known x2", "`segment <num> is corrupt`", "`row 7 lost`", "## Baseline"):
            assert words in note
        assert "3 entries of priority 3 or worse" in note


def test_known_errors_pass(tmp_path: Path, journal: LiveWriter) -> None:
    """The window ends once the past is read; the record has it."""
    with DaemonProcess(tmp_path, job("new_errors: {count: 1}", window="2s")) as daemon:
        release = daemon.start_release()
        say(journal, "row 7 lost", "row 8 lost")
        done = daemon.cli("release", "wait", release, "--timeout", "20s")
        assert 0 == done.returncode, done.stdout + done.stderr
        assert "0 new, 1 known x2" == daemon.show(release)["thresholds"][0]["detail"]


def test_a_past_that_is_read_after_a_kill(tmp_path: Path, journal: LiveWriter) -> None:
    """A daemon that is killed right after the registration reads it at its next start: the same verdict."""
    with DaemonProcess(tmp_path, job("new_errors: {count: 3}")) as daemon:
        release = daemon.start_release()
        daemon.kill()
        say(journal, *(f"segment {number} is corrupt" for number in (1, 2, 3)), priority=3)
        daemon.start()
        daemon.wait_ready()
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert "failed" == daemon.show(release)["verdict"]


def replayed(tmp_path: Path, condition: str, entries: list[Line] | None, *, window: str = "1h") -> dict[str, Any]:
    """What `watcher replay` says of a release two days after T0."""
    if entries is not None:
        write(tmp_path / "journal", "system", entries)
    config = tmp_path / "watcher.yaml"
    head = f"version: 1\njournal: {{directory: {tmp_path / 'journal'}}}\njobs:\n  import:\n"
    config.write_text(head + job(condition, window=window))
    argv = [sys.executable, "-m", "watcher", "replay", "--config", str(config), "--job", "import", "-o", "json"]
    argv += ["--since", f"@{RELEASE / SECOND:.6f}", "--until", f"@{(RELEASE + 2 * HOUR) / SECOND:.6f}"]
    argv += ["--release-at", f"@{RELEASE / SECOND:.6f}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


RELEASE = T0 + 48 * HOUR


def two_days(*, lost_every: int) -> list[Line]:
    """An entry in every minute of the two days before the release, an error in some."""
    return [
        Line(at=T0 + minute * MINUTE, message=f"row {minute} lost" if minute % lost_every == 0 else "imported")
        for minute in range(48 * 60)
    ]


def since(*minutes: int) -> list[Line]:
    """An hour and a half after it, with errors in these minutes."""
    return [
        Line(at=RELEASE + minute * MINUTE + SECOND, message=f"row {minute} lost" if minute in minutes else "imported")
        for minute in range(90)
    ]


def test_above_the_baseline(tmp_path: Path) -> None:
    """Crossed: a job that lost a row a day loses one each minute."""
    report = replayed(
        tmp_path, "above_baseline: {factor: 3, lookback: 2d}", [*two_days(lost_every=1440), *since(1, 2, 3, 4, 5)]
    )
    assert "failed" == report["verdict"]
    (reason,) = report["reasons"]
    assert reason.startswith("3 of 4 minutes had a match of severity error or worse, 2 of 2879 before: more than 3")


def test_nearly_above_the_baseline(tmp_path: Path) -> None:
    """Not crossed: two minutes are no evidence."""
    report = replayed(tmp_path, "above_baseline: {lookback: 2d}", [*two_days(lost_every=1440), *since(1, 2)])
    assert "passed" == report["verdict"]


def test_the_baseline_says_too_little(tmp_path: Path) -> None:
    """Not applicable: a job that was hardly there before."""
    report = replayed(tmp_path, "above_baseline: {lookback: 2d}", [*two_days(lost_every=1440)[-5:], *since(*range(60))])
    assert "inconclusive" == report["verdict"]
    assert "not applicable" in report["reasons"][1]


def of_runs(first: int, *failed: bool, start: int) -> list[dict[str, Any]]:
    """PID 1's records of a oneshot job, a run each hour before the release, each minute after it."""
    entries = []
    for number, is_failed in enumerate(failed):
        at = start + number * (HOUR if first == 0 else MINUTE)
        run = f"{first + number:032x}"
        records = [("7d4958e842da4a758f6c1cdc7b36dcc5", at)]
        if is_failed:
            records.append(("d9b373ed55a64feb8242e02dbe79a49c", at + SECOND))
        else:
            records.append(("7ad2d189f7e94e70a38c781354912448", at + SECOND))
            records.append(("39f53479d3a045ac8e11786248231fbf", at + SECOND + 1))
        entries += [
            {
                "__REALTIME_TIMESTAMP": when,
                "__MONOTONIC_TIMESTAMP": when - T0 + 10_000_000_000_000,
                "_PID": 1,
                "_UID": 0,
                "_SYSTEMD_UNIT": "init.scope",
                "UNIT": UNIT,
                "INVOCATION_ID": run,
                "MESSAGE_ID": record,
                "MESSAGE": "a record of systemd",
                "PRIORITY": 6,
                "JOB_TYPE": "start",
                "JOB_RESULT": "done",
                "UNIT_RESULT": "exit-code",
            }
            for record, when in records
        ]
    return entries


def test_a_job_that_fails_four_runs_of_five(tmp_path: Path) -> None:
    """It failed one in five before: its runs are compared, not its lines."""
    before = of_runs(0, *(number % 5 == 0 for number in range(300)), start=RELEASE - 301 * HOUR)
    after = of_runs(1000, *(number % 5 != 0 for number in range(60)), start=RELEASE + MINUTE)
    write_journal(tmp_path / "journal", [*before, *after])
    report = replayed(tmp_path, "above_baseline: {factor: 2, confidence: 0.95, lookback: 14d}", None)
    assert "failed" == report["verdict"], report
    (reason,) = report["reasons"]
    assert reason.endswith("runs failed, 60 of 300 before: more than 2 times as often, confidence 0.95")


def test_a_backtest_of_what_the_daemon_knows(tmp_path: Path, journal: LiveWriter) -> None:
    """`--releases store` judges the stored releases anew, and takes for bad what had failed then."""
    with DaemonProcess(tmp_path, job("matches: {severity: error, count: 3, within: 1m}", window="2s")) as daemon:
        versions = {}
        for version, messages in (("1.9", ["imported"]), ("2.0", ["row 1 lost", "row 2 lost", "row 3 lost"])):
            release = daemon.start_release("--version", version)
            say(journal, *messages)
            daemon.cli("release", "wait", release, "--timeout", "20s")
            versions[version] = daemon.show(release)["verdict"]
        options = ["--job", "import", "--since", "-1h", "--releases", "store", "--sweep", "-o", "json"]
        done = daemon.cli("replay", *options)
        assert 0 == done.returncode, done.stderr
        report = json.loads(done.stdout)
    assert {"1.9": "passed", "2.0": "failed"} == versions
    judged = [(one["version"], one["was_bad"], one["verdict"]) for one in report["releases"]]
    assert [("1.9", False, "passed"), ("2.0", True, "failed")] == judged
    assert {1} == {one["bad_releases"] for one in report["sweep"]}
