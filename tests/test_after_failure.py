"""What follows a failure, end to end: several jobs on one host, and what a restart must not forget."""

from __future__ import annotations

from pathlib import Path

from tests.journal.written import LiveWriter
from tests.parts.daemons import DaemonProcess
from tests.test_end_to_end import here, job, journal, say

__all__ = ["here", "journal"]

EXPORT = """\
  export:
    units: [export.service]
    rules: [{name: broken, match: 'No space left', severity: error}]
"""


def test_a_full_disk_that_fails_two_jobs_holds_the_rollback(here: Path, journal: LiveWriter) -> None:
    """Verdict, record, note, log and exit code say so; a kill in between forgets nothing; a person runs it."""
    daemon = DaemonProcess(here, job(here) + EXPORT)
    with daemon:
        say(journal, "exported 7 files", unit="export.service")
        say(journal, "imported 12 of 12 rows")
        daemon.wait_for(lambda: daemon.entries() == 1, "the healthy entry")
        release = daemon.start_release()
        say(journal, *["write: No space left on device"] * 2, unit="export.service")
        counted = ("watcher_rule_matches_total", "export", "broken", "error")
        daemon.wait_for(lambda: daemon.metrics()[counted] == 2, "the other job's trouble")
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        shown = daemon.show(release)
        why = "1 other job without a release (export) began to fail"
        assert ("failed", "held") == (shown["verdict"], shown["rollback"]["state"])
        assert ("shared-cause", True) == (shown["rollback"]["reason_code"], why in shown["reasons"][1])
        assert why in daemon.cli("release", "note", release).stdout
        assert why in daemon.log
        assert not (here / "rolled-back").exists()
        assert 0 == daemon.cli("release", "rollback", release, "--reason", "it is the release").returncode
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert 1 == len((here / "rolled-back").read_text().splitlines())


def test_the_rollbacks_of_an_hour_are_remembered_over_a_restart(here: Path, journal: LiveWriter) -> None:
    """One is allowed: the second release is held, also by a daemon that has just started."""
    with DaemonProcess(here, job(here) + "rollbacks_per_hour: 1\n") as daemon:
        first = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        assert 1 == daemon.cli("release", "wait", first, "--timeout", "20s").returncode
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        second = daemon.cli("release", "start", "import", "--version", "3").stdout.strip()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", second, "--timeout", "20s").returncode
        assert "limit 1: a person decides" in daemon.show(second)["rollback"]["reason"]
        assert 1 == len((here / "rolled-back").read_text().splitlines())
