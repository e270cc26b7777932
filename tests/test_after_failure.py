"""What follows a failure, end to end: several jobs on one host, and what a restart must not forget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.journal.written import LiveWriter
from tests.parts.daemons import DaemonProcess
from tests.parts.pid1 import service_starts
from tests.test_end_to_end import UNIT, here, job, journal, say

__all__ = ["here", "journal"]

EXPORT = """\
  export:
    units: [export.service]
    rules: [{name: broken, match: 'No space left', severity: error}]
"""


def test_a_full_disk_that_fails_two_jobs_holds_the_rollback(here: Path, journal: LiveWriter) -> None:
    """Verdict, record, note, log and exit code say so; a person runs it."""
    with DaemonProcess(here, job(here) + EXPORT) as daemon:
        say(journal, "exported 7 files", unit="export.service")
        say(journal, "imported 12 of 12 rows")
        daemon.wait_for(lambda: daemon.entries() == 1, "the healthy entry")
        release = daemon.start_release()
        say(journal, *["write: No space left on device"] * 2, unit="export.service")
        counted = ("watcher_rule_matches_total", "export", "broken", "error")
        daemon.wait_for(lambda: daemon.metrics()[counted] == 2, "the other job's trouble")
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


def _undone(daemon: DaemonProcess, journal: LiveWriter) -> str:
    """A release that failed and was rolled back, exit code 1; its id."""
    release = daemon.start_release()
    say(journal, *["rows, giving up"] * 3)
    assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
    return release


def _verified(daemon: DaemonProcess, release: str) -> dict[str, Any]:
    """Its rollback, once the time after it is over."""

    def is_over() -> bool:
        after = daemon.show(release)["rollback"]["verification"]
        return after is not None and after["ended_at"] is not None

    daemon.wait_for(is_over, "the end of the verification")
    rollback: dict[str, Any] = daemon.show(release)["rollback"]
    return rollback


def test_a_job_that_works_again_says_that_the_rollback_helped(here: Path, journal: LiveWriter) -> None:
    """It was started anew; also over a kill of the daemon meanwhile. Record, metric and log say so."""
    with DaemonProcess(here, job(here).replace("timeout: 5s", "timeout: 5s, verify: 3s")) as daemon:
        release = _undone(daemon, journal)
        assert release in daemon.cli("status").stdout.partition("after a rollback")[2]
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        journal.write(*service_starts(2, unit=UNIT))
        say(journal, "imported 12 of 12 rows")
        rollback = _verified(daemon, release)
        assert (True, "succeeded") == (rollback["helped"], rollback["state"])
        assert 1 == daemon.metrics()["watcher_rollback_verifications_total", "helped", "import"]
        assert "the rollback helped" in daemon.log
        assert "; it helped" in daemon.cli("release", "show", release).stdout


def test_a_job_that_still_fails_says_that_it_may_not_have_been_the_release(here: Path, journal: LiveWriter) -> None:
    """In the note, with the numbers; the command is not run again."""
    with DaemonProcess(here, job(here)) as daemon:
        release = _undone(daemon, journal)
        say(journal, *["rows, giving up"] * 4)
        assert False is _verified(daemon, release)["helped"]
        note = daemon.cli("release", "note", release).stdout
        assert "rolled back, which did NOT help" in note
        assert "it may not have been the release" in note
        assert 1 == len((here / "rolled-back").read_text().splitlines())
        assert 1 == daemon.metrics()["watcher_rollback_verifications_total", "did-not-help", "import"]


def test_a_silent_job_leaves_open_whether_the_rollback_helped(here: Path, journal: LiveWriter) -> None:
    """Nothing can be said, and the note asks a person to look."""
    with DaemonProcess(here, job(here).replace("timeout: 5s", "timeout: 5s, verify: 1s")) as daemon:
        release = _undone(daemon, journal)
        assert None is _verified(daemon, release)["helped"]
        assert "nothing can be said about whether the rollback helped" in daemon.cli("release", "note", release).stdout


def test_observing_tells_what_would_have_been_done_and_how_often_people_agree(here: Path, journal: LiveWriter) -> None:
    """Nothing runs; the record has the proposal and the answer, status and metric count it, also after a kill."""
    with DaemonProcess(here, job(here, mode="observe")) as daemon:
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        shown = daemon.show(release)
        assert ("queued", "none") == (shown["proposal"]["state"], shown["rollback"]["state"])
        note = daemon.cli("release", "note", release).stdout
        assert "In mode rollback the daemon would have run the rollback at once" in note
        assert f"`watcher release fail {release} --reason TEXT` says yes" in note
        assert 0 == daemon.cli("release", "fail", release, "--reason", "it lost rows").returncode
        assert (True, "fail") == tuple(daemon.show(release)["opinion"][key] for key in ("agrees", "judgement"))
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        assert "1 of 1" in daemon.cli("status").stdout
        assert 1 == daemon.metrics()["watcher_release_opinions_total", "agreed", "import"]
        assert "it lost rows" in daemon.cli("release", "note", release).stdout
        assert not (here / "rolled-back").exists()


def test_a_newer_release_drops_a_queued_rollback_at_once(here: Path, journal: LiveWriter) -> None:
    """Nobody has claimed it yet (root's dispatcher is not there): its order is taken back, and never run."""
    (here / "claims").mkdir()
    daemon = DaemonProcess(here, job(here))
    daemon.start("--rollback-dir", here / "claims")
    daemon.wait_ready()
    try:
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        orders = daemon.state / "rollback-queue"
        daemon.wait_for(lambda: [*orders.glob(f"{release}*")] != [], "the order")
        assert "queued" == daemon.show(release)["rollback"]["state"]
        assert 0 == daemon.cli("release", "start", "import", "--version", "3").returncode
        daemon.wait_for(lambda: daemon.show(release)["rollback"]["state"] == "none", "the drop", patience=10)
        assert "newer-release" == daemon.show(release)["rollback"]["reason_code"]
        daemon.wait_for(lambda: [*orders.glob(f"{release}*")] == [], "the order taken back")
    finally:
        daemon.stop()


def test_a_deployment_that_failed_does_not_block_the_rollback_before_it(here: Path, journal: LiveWriter) -> None:
    """`exec` gives the command's own code and cancels its release; what runs is the failed one, and can be undone."""
    with DaemonProcess(here, job(here, mode="ask")) as daemon:
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        done = daemon.cli("release", "exec", "import", "--version", "3", "--", "sh", "-c", "exit 7")
        assert 7 == done.returncode
        assert "none" == daemon.show(release)["rollback"]["state"]
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        assert 0 == daemon.cli("release", "rollback", release, "--reason", "3 never went out").returncode
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert 1 == len((here / "rolled-back").read_text().splitlines())


def test_a_prepared_release_is_judged_from_deployed_on(here: Path, journal: LiveWriter) -> None:
    """What the job logs before is not held against it."""
    with DaemonProcess(here, job(here)) as daemon:
        release = daemon.start_release("--prepare")
        say(journal, *["rows, giving up"] * 3)
        daemon.wait_for(lambda: daemon.entries() == 3, "the old version's errors")
        assert "preparing" == daemon.show(release)["phase"]
        assert 0 == daemon.cli("release", "deployed", release).returncode
        assert "watching" == daemon.show(release)["phase"]
        say(journal, *["rows, giving up"] * 3)
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
