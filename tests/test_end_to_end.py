"""One release from end to end: the real daemon, real journal files, the real command line, a real rollback command."""

from __future__ import annotations

import json
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.written import Line, LiveWriter
from tests.parts.daemons import DaemonProcess, free_port
from tests.parts.pid1 import service_starts

UNIT = "import@eu.service"


def job(directory: Path, *, mode: str = "rollback", window: str = "5m", command: str = "roll-back") -> str:
    """The configuration of the job under test; its rollback command appends to `rolled-back`."""
    return f"""\
    owner: data-team@example.com
    units: ["import@*.service"]
    packs: [systemd]
    rules:
      - {{name: half-imported, match: 'rows, giving up', severity: error}}
    release:
      mode: {mode}
      window: {window}
      settle: 0s
      fail_when:
        - matches: {{severity: error, count: 3, within: 2m}}
      rollback: {{command: [{directory}/{command}], timeout: 5s}}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with a rollback command that tells what it was given."""
    script = tmp_path / "roll-back"
    told = '"$WATCHER_RELEASE_ID $WATCHER_REASON_CODE"'
    script.write_text(f"#!/bin/sh\necho {told} >> {tmp_path}/rolled-back\necho undone\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return tmp_path


@pytest.fixture
def journal(here: Path) -> Iterator[LiveWriter]:
    """A journal that grows while the daemon reads it."""
    (here / "journal").mkdir()
    with LiveWriter(here / "journal" / "live.journal") as live:
        yield live


def say(journal: LiveWriter, *messages: str, unit: str = UNIT) -> None:
    """Lines of the job, as of now."""
    for message in messages:
        journal.say(Line(at=time.time_ns() // 1000, message=message, unit=unit))


def test_a_release_that_breaks_the_job_is_rolled_back_once(here: Path, journal: LiveWriter) -> None:
    """Errors cross the threshold, the command runs, exit code 1, and the record tells all of it."""
    with DaemonProcess(here, job(here)) as daemon:
        say(journal, "imported 12 of 12 rows")
        daemon.wait_for(lambda: daemon.entries() == 1, "the healthy entry")
        release = daemon.start_release("--previous", "1", "--reason", "faster parser")
        say(journal, *["imported 1 of 9 rows, giving up"] * 4)
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        shown = daemon.show(release)
        assert ("failed", "failed") == (shown["phase"], shown["verdict"])
        assert shown["reasons"][0].startswith("3 error matches in ")
        assert shown["reasons"][0].endswith(", limit 3 in 2m")
        assert ("succeeded", 0) == (shown["rollback"]["state"], shown["rollback"]["exit_code"])
        assert [f"{release} matches"] == (here / "rolled-back").read_text().splitlines()
        note = daemon.cli("release", "note", release).stdout
        for words in (
            "failed",
            "faster parser",
            "data-team@",
            "imported 1 of 9 rows, giving up",
            "undone",
            "journalctl",
        ):
            assert words in note
        assert json.loads((daemon.state / "notes" / f"{release}.json").read_text())["id"] == release
        metrics = daemon.metrics()
        assert 5 == metrics["watcher_journal_entries_total", "import"]
        assert 1 == metrics["watcher_rollbacks_total", "import"]
        assert 1 == metrics["watcher_release_verdicts_total", "import", "failed"]
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        assert "succeeded" == daemon.show(release)["rollback"]["state"]
        assert 1 == len((here / "rolled-back").read_text().splitlines())


def test_a_healthy_release_passes(here: Path, journal: LiveWriter) -> None:
    """A window in which the job worked and nothing crossed ends passed, exit code 0."""
    with DaemonProcess(here, job(here, window="2s")) as daemon:
        release = daemon.start_release()
        journal.write(*service_starts(1, unit=UNIT))
        say(journal, "imported 12 of 12 rows")
        done = daemon.cli("release", "wait", release, "--timeout", "20s")
        assert (0, "passed") == (done.returncode, daemon.show(release)["verdict"]), done.stdout + done.stderr
        assert not (here / "rolled-back").exists()


def test_a_silent_release_is_inconclusive(here: Path, journal: LiveWriter) -> None:
    """Nothing heard of the job is no health: exit code 3."""
    with DaemonProcess(here, job(here, window="1s")) as daemon:
        release = daemon.start_release()
        assert 3 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert "no run seen" in daemon.show(release)["reasons"][0]


def test_mode_ask_holds_the_rollback_until_a_person_says_so(here: Path, journal: LiveWriter) -> None:
    """A held rollback makes wait end with 2; `release rollback` runs it, and repeating that changes nothing."""
    with DaemonProcess(here, job(here, mode="ask")) as daemon:
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert "held" == daemon.show(release)["rollback"]["state"]
        assert not (here / "rolled-back").exists()
        assert 0 == daemon.cli("release", "rollback", release, "--reason", "looked at it").returncode
        assert 0 == daemon.cli("release", "rollback", release, "--reason", "looked at it").returncode
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        again = daemon.cli("release", "rollback", release, "--reason", "looked at it")
        assert (0, True) == (again.returncode, "nothing was run: the rollback had succeeded already" in again.stderr)
        assert 1 == len((here / "rolled-back").read_text().splitlines())


def test_pause_holds_what_would_have_run(here: Path, journal: LiveWriter) -> None:
    """Measuring and verdicts go on while rollbacks are paused."""
    with DaemonProcess(here, job(here)) as daemon:
        assert 0 == daemon.cli("pause", "--reason", "a holiday").returncode
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert "held" == daemon.show(release)["rollback"]["state"]
        assert 1 == daemon.metrics()["watcher_paused", "import"]
        assert 0 == daemon.cli("resume").returncode
        assert 0 == daemon.metrics()["watcher_paused", "import"]
        assert not (here / "rolled-back").exists()


def test_the_off_switch_holds_and_lifting_it_runs_nothing_by_itself(here: Path, journal: LiveWriter) -> None:
    """With the file `disarm` a rollback is held, visibly; without it a person has to say so."""
    with DaemonProcess(here, job(here)) as daemon:
        (daemon.state / "disarm").touch()
        assert 1 == daemon.metrics()["watcher_paused", "import"]
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        done = daemon.cli("release", "wait", release, "--timeout", "20s", "-o", "json")
        assert 2 == done.returncode
        assert "off switch" in json.loads(done.stdout)["rollback"]["reason"]
        assert [] == list((daemon.state / "rollback-queue").iterdir())
        (daemon.state / "disarm").unlink()
        assert 0 == daemon.metrics()["watcher_paused", "import"]
        assert "held" == daemon.show(release)["rollback"]["state"]
        assert 0 == daemon.cli("release", "rollback", release, "--reason", "switched on again").returncode
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert 1 == len((here / "rolled-back").read_text().splitlines())


def test_a_journal_directory_that_is_replaced_is_a_hole(here: Path) -> None:
    """What was written into the new directory is read, and the release can't pass."""
    with DaemonProcess(here, job(here, window="4s")) as daemon:
        with LiveWriter(daemon.journal / "live.journal") as first:
            say(first, "one")
            daemon.wait_for(lambda: daemon.entries() == 1, "the first entry")
            release = daemon.start_release()
        daemon.journal.rename(here / "gone")
        daemon.journal.mkdir()
        with LiveWriter(daemon.journal / "live.journal") as second:
            say(second, "two", "three")
            assert 3 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert not daemon.show(release)["coverage"]["complete"]


def test_a_missing_rollback_command_fails_loudly(here: Path, journal: LiveWriter) -> None:
    """Told before it is needed; then one attempt, state failed, the metric raised, exit code 2."""
    with DaemonProcess(here, job(here, command="nowhere")) as daemon:
        assert _warned(daemon, f"there is no {here}/nowhere")
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        rollback = daemon.show(release)["rollback"]
        assert "failed" == rollback["state"]
        assert "nowhere" in rollback["detail"]
        assert 1 == daemon.metrics()["watcher_rollback_failures_total", "import"]


def test_a_reload_tells_of_a_command_that_can_not_be_executed(here: Path, journal: LiveWriter) -> None:
    """Nothing is said while all is well; the reload goes through, as somebody may be about to put it there."""
    with DaemonProcess(here, job(here)) as daemon:
        (here / "half-done").write_text("#!/bin/sh\n")
        daemon.configure(job(here, command="half-done"))
        assert "rollback would fail" not in daemon.log
        assert 0 == daemon.cli("reload").returncode
        assert _warned(daemon, f"{here}/half-done can't be executed")


def _warned(daemon: DaemonProcess, why: str) -> bool:
    return any("rollback would fail job=import" in line and why in line for line in daemon.log.splitlines())


def test_a_rollback_that_can_not_be_claimed_is_trouble_until_it_ran(here: Path, journal: LiveWriter) -> None:
    """Not ready, with the reason, for as long as the decision stands and nothing is done about it."""
    with DaemonProcess(here, job(here)) as daemon:
        release = daemon.start_release()
        (daemon.state / "rollback").rename(here / "elsewhere")
        say(journal, *["rows, giving up"] * 3)
        daemon.wait_for(lambda: daemon.get("/-/ready")[0] == 503, "the trouble")
        assert f"the rollback of {release} can't be handed over" in daemon.get("/-/ready")[1]
        assert f"the rollback of {release} can't be handed over" in daemon.cli("status").stdout
        (here / "elsewhere").rename(daemon.state / "rollback")
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert 200 == daemon.get("/-/ready")[0]


def test_a_release_that_the_rollback_registers_is_only_observed(here: Path, journal: LiveWriter) -> None:
    """Its command deploys the old version through the same script: that one fails as well, and nothing follows."""
    with DaemonProcess(here, job(here)) as daemon:
        again = f"{sys.executable} -m watcher release start import --version 1.9 --state-dir {daemon.state}"
        (here / "roll-back").write_text(f"#!/bin/sh\necho one >> {here}/rolled-back\n{again} > {here}/inner\n")
        release = daemon.start_release()
        say(journal, *["rows, giving up"] * 3)
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        inner = (here / "inner").read_text().strip()
        say(journal, *["rows, giving up"] * 3)
        assert 2 == daemon.cli("release", "wait", inner, "--timeout", "20s").returncode
        shown = daemon.show(inner)
        assert ("observe", "none") == (shown["mode"], shown["rollback"]["state"])
        assert f"from within the rollback of {release}" in shown["mode_reason"]
        assert 1 == len((here / "rolled-back").read_text().splitlines())
        assert f"from within the rollback of {release}" in daemon.log
        done = daemon.cli("release", "start", "import", "--version", "2")
        assert (64, True) == (done.returncode, "was rolled back" in done.stderr)


def test_replay_says_what_live_said(here: Path, journal: LiveWriter) -> None:
    """The same entries give the same counts, verdict, reasons and instant."""
    with DaemonProcess(here, job(here)) as daemon:
        release = daemon.start_release()
        say(journal, "healthy", *["rows, giving up"] * 5, "healthy")
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        daemon.wait_for(lambda: daemon.entries() == 7, "all entries")
        shown, metrics = daemon.show(release), daemon.metrics()
        at = shown["started_at"]
        assert 0 == daemon.cli("replay", "--job", "import", "--since", "-7d").returncode
        done = daemon.cli("replay", "--job", "import", "--since", at, "--release-at", at, "-o", "json")
        assert 0 == done.returncode, done.stderr
        replayed = json.loads(done.stdout)
        assert metrics["watcher_journal_entries_total", "import"] == replayed["entries"]
        assert 5 == replayed["matches"]["half-imported"]
        assert (shown["verdict"], shown["reasons"], shown["ended_at"]) == (
            replayed["verdict"],
            replayed["reasons"],
            replayed["failed_at"],
        )
        assert {"complete": True, "gaps": []} == replayed["coverage"]


def test_new_instances_of_a_glob_are_followed_from_their_first_line(here: Path, journal: LiveWriter) -> None:
    """A unit that appears while the daemon runs is counted whole."""
    with DaemonProcess(here, job(here)) as daemon:
        say(journal, "one", unit="import@us.service")
        say(journal, "two", "three", unit="import@asia.service")
        say(journal, "not ours", unit="export@us.service")
        daemon.wait_for(lambda: daemon.entries() == 3, "three entries")


def test_a_broken_configuration_is_refused_on_reload(here: Path, journal: LiveWriter) -> None:
    """The old one stays, the errors are told with their place; a good one is taken."""
    with DaemonProcess(here, job(here)) as daemon:
        daemon.configure(job(here).replace("window: 5m", "windw: 5m"))
        done = daemon.cli("reload")
        assert 78 == done.returncode
        assert "windw" in done.stderr
        assert 0 == daemon.metrics()["watcher_config_last_reload_successful",]
        daemon.start_release()
        daemon.configure(job(here).replace("half-imported", "gave-up"))
        assert 0 == daemon.cli("reload").returncode
        say(journal, "rows, giving up")
        daemon.wait_for(
            lambda: daemon.metrics().get(("watcher_rule_matches_total", "import", "gave-up", "error")) == 1,
            "the new rule",
        )
        assert 1 == daemon.entries()


def test_a_reload_moves_the_metrics_address(here: Path, journal: LiveWriter) -> None:
    """The new address is served and the old one given back; one that is taken refuses the reload."""
    with DaemonProcess(here, job(here)) as daemon, socket.create_server(("127.0.0.1", 0)) as taken:
        first, daemon.port = daemon.port, free_port()
        daemon.configure(job(here))
        assert 0 == daemon.cli("reload").returncode
        assert 200 == daemon.get("/-/ready")[0]
        second, daemon.port = daemon.port, first
        assert 0 == daemon.get("/-/ready")[0]
        daemon.port = taken.getsockname()[1]
        daemon.configure(job(here))
        done = daemon.cli("reload")
        assert 78 == done.returncode
        assert "Address already in use" in done.stderr
        daemon.port = second
        assert 200 == daemon.get("/-/ready")[0]


def test_a_reload_that_can_not_be_stored_changes_nothing(here: Path, journal: LiveWriter) -> None:
    """Neither the address nor the settings, and the metric tells that it failed; once there is room it is taken."""
    with DaemonProcess(here, job(here)) as daemon:
        daemon.start_release()
        first, second = daemon.port, free_port()
        daemon.port = second
        daemon.configure(job(here).replace("half-imported", "gave-up"))  # which the open release has to be told
        daemon.port = first
        database = sqlite3.connect(daemon.state / "state.db", isolation_level=None)
        database.execute("BEGIN IMMEDIATE")  # to the daemon this is as a full disk is: it can't commit
        done = daemon.cli("reload")
        database.execute("ROLLBACK")
        database.close()
        assert 75 == done.returncode, done.stderr
        assert 0 == daemon.metrics()["watcher_config_last_reload_successful",]
        assert 0 == daemon.cli("reload").returncode
        assert 0 == daemon.get("/-/ready")[0]
        daemon.port = second
        assert 1 == daemon.metrics()["watcher_config_last_reload_successful",]


def test_a_second_daemon_on_the_same_state_exits(here: Path, journal: LiveWriter) -> None:
    """It says why, changes nothing, and the first one goes on."""
    with DaemonProcess(here, job(here)) as daemon:
        done = daemon.cli("run")
        assert 75 == done.returncode
        assert "another daemon" in done.stderr
        assert 200 == daemon.get("/-/ready")[0]


def test_a_taken_address_is_said(here: Path) -> None:
    """The daemon ends with the address and a hint, not with a traceback, and may be started again at once."""
    daemon = DaemonProcess(here, job(here))
    with socket.socket() as other:
        other.bind(("127.0.0.1", daemon.port))
        other.listen()
        daemon.start()
        assert 75 == daemon.wait_exit()
    assert f"listen.metrics 127.0.0.1:{daemon.port}" in daemon.log
    assert "Traceback" not in daemon.log
    with daemon:
        assert 200 == daemon.get("/-/ready")[0]


def test_sigterm_ends_the_daemon_within_two_seconds(here: Path, journal: LiveWriter) -> None:
    """A clean stop leaves no reader process behind."""
    daemon = DaemonProcess(here, job(here))
    daemon.start()
    daemon.wait_ready()
    children = subprocess.run(
        ["pgrep", "-P", str(daemon.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert 0 == daemon.stop()
    for child in children:
        assert not Path(f"/proc/{child}").exists()


def test_a_journal_directory_that_is_missing_makes_it_not_ready(here: Path) -> None:
    """503 with the reason until the directory is there; registering and looking work meanwhile."""
    daemon = DaemonProcess(here, job(here))
    daemon.journal.rmdir()
    daemon.start()
    daemon.wait_for(
        lambda: daemon.get("/-/ready")[0] == 503 and str(daemon.journal) in daemon.get("/-/ready")[1], "why"
    )
    assert 200 == daemon.get("/-/healthy")[0]
    daemon.journal.mkdir()
    with LiveWriter(daemon.journal / "live.journal") as journal:
        say(journal, "the first line")
        daemon.wait_ready()
        daemon.wait_for(lambda: daemon.entries() in (0, 1), "an answer")
    daemon.stop()


def test_rules_on_the_fields_of_a_line_fire_in_the_daemon(here: Path, journal: LiveWriter) -> None:
    """What asks the fields of a JSON line reaches the reader process whole."""
    rule = "      - {name: said-error, fields: {level: [error]}, severity: error}\n"
    with DaemonProcess(here, job(here).replace("    rules:\n", f"    rules:\n{rule}")) as daemon:
        say(journal, '{"level":"error","msg":"disk is full"}', '{"level":"info","msg":"no error"}')
        daemon.wait_for(lambda: daemon.entries() == 2, "both lines")
        assert 1 == daemon.metrics()["watcher_rule_matches_total", "import", "said-error", "error"]
