"""The whole examination: a machine with one thing wrong, and what is said of it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tests.parts.journals import write_journal
from tests.parts.recorded import RecordedMachine, make_machine
from watcher.cli.client import NoDaemonError, NotPermittedError
from watcher.doctor import service_checks, unit_checks
from watcher.doctor.examination import system_findings
from watcher.doctor.finding import Finding, Weight
from watcher.doctor.scene import Scene
from watcher.doctor.service_checks import check_others
from watcher.paths import Paths

ME = pwd.getpwuid(os.geteuid()).pw_name
SUPPRESSED = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"
CONFIG = """version: 1
JOURNAL
jobs:
  import:
    units: [UNITS]
    packs: [systemd]
    release:
      mode: rollback
      fail_when:
        - matches: {severity: error, count: 5}
      rollback: {command: [COMMAND]}
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedMachine:
    """A machine on which nothing is wrong: the unit is there, and the journal can be read."""
    made = make_machine(tmp_path / "machine", monkeypatch)
    made.unit("import.service")
    made.journal("--lines=1", {"MESSAGE": "hello"})
    (tmp_path / "proc").mkdir()
    monkeypatch.setattr(service_checks, "_PROC", tmp_path / "proc")  # daemons of other tests may run now
    return made


def paths_of(tmp_path: Path, *, units: str = "import.service", journal: str = "", command: str = "") -> Paths:
    """A daemon by hand, its command a real one."""
    program = tmp_path / "rollback-import"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = CONFIG.replace("JOURNAL", journal).replace("UNITS", units).replace("COMMAND", command or str(program))
    config = tmp_path / "watcher.yaml"
    config.write_text(text)
    config.chmod(0o600)
    for name in ("rollback-queue", "rollback"):
        (tmp_path / "state" / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    return Paths.choose(config=config, state=tmp_path / "state", socket=None)


def wrong(paths: Paths) -> list[tuple[str, Weight, str, str]]:
    """Everything that is more than a note, without the tmp directory's own path."""
    found = [one for one in system_findings(paths) if one.weight in (Weight.ERROR, Weight.WARNING)]
    root = str(paths.config.parent)
    return [(one.check, one.weight, one.what.replace(root, "DIR"), one.hint.replace(root, "DIR")) for one in found]


def by_check(paths: Paths, check: str) -> Finding:
    return next(one for one in system_findings(paths) if one.check == check)


def test_nothing_is_wrong(machine: RecordedMachine, tmp_path: Path) -> None:
    """Each check says what it found in order, and none more than that."""
    found = system_findings(paths_of(tmp_path))
    assert {Weight.OK} == {one.weight for one in found}
    expected = {
        "configuration",
        "configuration files",
        "journal storage",
        "journal access",
        "units",
        "dropped messages",
        "rules",
        "rollback commands",
        "rollback queue",
    }
    assert expected == {one.check for one in found}


def test_a_unit_that_is_not_there(machine: RecordedMachine, tmp_path: Path) -> None:
    """The nearest one is named."""
    expected = ("units", Weight.WARNING, "imports.service: there is no such unit", 'did you mean "import"?')
    assert [expected] == wrong(paths_of(tmp_path, units="imports"))


def test_a_template_s_instances(machine: RecordedMachine, tmp_path: Path) -> None:
    """A glob over instances is asked by one of them, so the template need not run now."""
    machine.unit("load@watcher-check.service", StandardOutput="null")
    what = "load@.service: StandardOutput=null: what it prints there is thrown away, not logged"
    assert [what] == [found[2] for found in wrong(paths_of(tmp_path, units='"load@*.service"'))]


def test_messages_that_journald_dropped(machine: RecordedMachine, tmp_path: Path) -> None:
    """They are summed up by unit, those of others left out; what is no number is passed."""
    machine.journal(
        SUPPRESSED,
        {"OBJECT_SYSTEMD_UNIT": "import.service", "N_DROPPED": "13"},
        {"OBJECT_SYSTEMD_UNIT": "import.service", "N_DROPPED": "7"},
        {"OBJECT_SYSTEMD_UNIT": "import.service", "N_DROPPED": "many"},
        {"OBJECT_SYSTEMD_UNIT": "other.service", "N_DROPPED": "99"},
    )
    [(check, weight, what, hint)] = wrong(paths_of(tmp_path))
    assert ("dropped messages", Weight.WARNING) == (check, weight)
    assert what.startswith("import.service: journald dropped 20 messages in the last day")
    assert "`systemctl edit import.service`" in hint


@pytest.mark.parametrize(
    ("text", "weight", "part"),
    [
        ("Storage=none", Weight.ERROR, "stores nothing (Storage=none)"),
        ("Storage=persistent\nStorage=volatile", Weight.WARNING, "lost at a reboot (Storage=volatile)"),
        ("Storage=persistent\nMaxLevelStore=warning", Weight.ERROR, "MaxLevelStore=warning"),
        ("Storage=persistent\nMaxLevelStore=3", Weight.ERROR, "MaxLevelStore=3"),
    ],
)
def test_a_journal_that_keeps_too_little(
    machine: RecordedMachine, tmp_path: Path, text: str, weight: Weight, part: str
) -> None:
    """The last word of journald's configuration counts, drop-ins included."""
    machine.journald(f"[Journal]\n{text}\n")
    found = [one for one in wrong(paths_of(tmp_path)) if one[0] == "journal storage"]
    assert [weight] == [one[1] for one in found]
    assert part in found[0][2]


def test_a_user_who_sees_nothing(machine: RecordedMachine, tmp_path: Path) -> None:
    """An empty journal is what missing permission looks like."""
    (machine.directory / "journal" / "--lines=1").unlink()
    found = by_check(paths_of(tmp_path), "journal access")
    assert (Weight.ERROR, f"user {ME} sees no entry of the journal at all") == (found.weight, found.what)


def test_what_a_user_who_sees_nothing_can_t_tell(machine: RecordedMachine, tmp_path: Path) -> None:
    """No entry at all is no news, and surely no good news; where a service reads, this user need not."""
    machine.unit("release-watcher.service", User="somebody-else")
    (machine.directory / "journal" / "--lines=1").unlink()
    paths = Paths.choose(config=paths_of(tmp_path).config, state=None, socket=None)
    found = {one.check: one.weight for one in system_findings(paths)}
    assert Weight.NOTE is found["dropped messages"]
    assert Weight.NOTE is found["rules"]


def test_a_user_who_may_not_ask_the_daemon(machine: RecordedMachine, tmp_path: Path) -> None:
    """A socket that is closed to this user says nothing against the daemon, and starting it is no way out."""
    machine.unit("release-watcher.service", User="somebody-else")
    paths = Paths.choose(config=paths_of(tmp_path).config, state=None, socket=None)
    closed = NotPermittedError("control.sock: Permission denied", hint="members of the group may use it")
    (found,) = (one for one in system_findings(paths, daemon=closed) if one.check == "daemon")
    assert (Weight.NOTE, "members of the group may use it") == (found.weight, found.hint)
    assert "control.sock: Permission denied" in found.what


def test_a_service_whose_user_is_not_in_the_group(machine: RecordedMachine, tmp_path: Path) -> None:
    """Told by the user's own groups, those that the unit adds included."""
    paths = Paths.choose(config=paths_of(tmp_path).config, state=None, socket=None)
    machine.unit("release-watcher.service", User="nobody", SupplementaryGroups="")
    errors = {one.check: one for one in system_findings(paths) if one.weight is Weight.ERROR}
    assert errors["groups"].hint == "usermod -a -G systemd-journal nobody && systemctl restart release-watcher.service"
    machine.unit("release-watcher.service", User="nobody", SupplementaryGroups="systemd-journal")
    assert "user nobody may read the journal" in [one.what for one in system_findings(paths)]


def _daemon_of(paths: Paths) -> Finding:
    away = NoDaemonError("control.sock: no daemon listens there")
    return next(one for one in system_findings(paths, daemon=away) if one.check == "daemon")


def test_a_daemon_that_is_down_for_its_configuration(machine: RecordedMachine, tmp_path: Path) -> None:
    """The place of the first mistake is named with it, and to start it is not the first thing to do."""
    machine.unit("release-watcher.service", User="root", ActiveState="failed", ExecMainStatus="78")
    paths = Paths.choose(config=paths_of(tmp_path).config, state=None, socket=None)
    good = paths.config.read_text()
    paths.config.write_text(good.replace("packs:", "pack:"))
    found = _daemon_of(paths)
    assert f"it can't start: {paths.config}:6:5: jobs.import.pack: unknown key" in found.what
    assert found.hint.startswith(f"mend it (`watcher check {paths.config}`")
    paths.config.write_text(good)
    found = _daemon_of(paths)
    assert "it ended with 78: what it then found wrong is in its log" in found.what
    assert "journalctl -u release-watcher.service -n 20; systemctl start release-watcher.service" == found.hint
    machine.unit("release-watcher.service", User="root", ActiveState="inactive", ExecMainStatus="0")
    found = _daemon_of(paths)
    assert ("control.sock: no daemon listens there", "systemctl start release-watcher.service") == (
        found.what,
        found.hint,
    )


@pytest.mark.parametrize(
    ("pattern", "limit", "rule", "expected"),
    [
        ("core", "0", "core-dump", True),
        ("|/lib/systemd/systemd-coredump %P", "0", "core-dump", False),
        ("core", "infinity", "core-dump", False),
        ("core", "0", "unit-failed", False),
    ],
)
def test_a_release_that_waits_for_cores_that_are_never_made(  # noqa: PLR0917 - the columns of the table and fixtures
    machine: RecordedMachine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    limit: str,
    rule: str,
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """A crash without a core is told as a signal: such a condition would never be crossed."""
    (tmp_path / "core_pattern").write_text(f"{pattern}\n")
    monkeypatch.setattr(unit_checks, "_CORE_PATTERN", tmp_path / "core_pattern")
    machine.unit("import.service", LimitCORESoft=limit)
    paths = paths_of(tmp_path)
    text = paths.config.read_text().replace("{severity: error, count: 5}", f"{{rule: {rule}}}")
    paths.config.write_text(text)
    said = [one[2] for one in wrong(paths)]
    what = "import.service: a crash leaves no core (LimitCORE=0), so rule core-dump never fires on it"
    assert ([what] if expected else []) == said


def test_the_way_of_a_rollback_through_systemd(machine: RecordedMachine, tmp_path: Path) -> None:
    """A path unit that ran into its limit, and a template that is missing, are errors with the line to run."""
    paths = Paths.choose(config=paths_of(tmp_path).config, state=None, socket=None)
    machine.unit("release-watcher.service", User="root")
    machine.unit("release-watcher-rollback.service")
    machine.unit("release-watcher-rollback.path", ActiveState="failed", Result="trigger-limit-hit")
    found = [one for one in system_findings(paths) if one.check == "rollback units"]
    assert [Weight.ERROR, Weight.ERROR] == [one.weight for one in found]
    template, path = found
    assert "release-watcher-rollback@.service: can't be loaded (not-found)" == template.what
    assert "trigger-limit-hit" in path.what
    assert "systemctl reset-failed release-watcher-rollback.path" in path.hint
    machine.unit("release-watcher-rollback@watcher-check.service")
    machine.unit("release-watcher-rollback.path", ActiveState="active")
    assert Weight.OK is by_check(paths, "rollback units").weight


@pytest.mark.parametrize(
    ("mode", "what", "hint"),
    [
        (0o644, "can't be executed", "chmod a+x DIR/rollback-import"),
        (0o777, "everybody may write it", "chmod go-w DIR/rollback-import"),
        (0o775, "its group may write it", "chmod go-w DIR/rollback-import"),
        (None, "there is no DIR/rollback-import", "ls -l DIR/rollback-import"),
    ],
)
def test_a_command_that_can_t_or_must_not_be_run(
    machine: RecordedMachine, tmp_path: Path, mode: int | None, what: str, hint: str
) -> None:
    """It is looked at before a release needs it."""
    paths = paths_of(tmp_path)
    program = tmp_path / "rollback-import"
    if mode is None:
        program.unlink()
    else:
        program.chmod(mode)
    [found] = wrong(paths)
    assert ("rollback commands", Weight.ERROR, hint) == (found[0], found[1], found[3])
    assert what in found[2]


def test_a_command_in_a_folder_that_everybody_may_write(machine: RecordedMachine, tmp_path: Path) -> None:
    """Whoever may write the folder may exchange the command."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    program = folder / "rollback"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    expected = "DIR/open: everybody may write it, and its commands are run by root"
    assert [expected] == [one[2] for one in wrong(paths_of(tmp_path, command=str(program)))]


def test_a_configuration_that_others_may_write(machine: RecordedMachine, tmp_path: Path) -> None:
    """A drop-in is looked at as the main file is."""
    paths = paths_of(tmp_path)
    (tmp_path / "conf.d").mkdir()
    more = tmp_path / "conf.d" / "more.yaml"
    more.write_text("jobs: {}\n")
    more.chmod(0o664)
    [found] = wrong(paths)
    assert ("configuration files", Weight.ERROR, "chmod go-w DIR/conf.d/more.yaml") == (found[0], found[1], found[3])


def test_a_configuration_that_root_would_not_take_commands_from(machine: RecordedMachine, tmp_path: Path) -> None:
    """In the words of the dispatcher itself, which follows no link, with the line to run."""
    machine.unit("release-watcher.service", User="root")
    paths = Paths.choose(config=paths_of(tmp_path).config, state=None, socket=None)
    paths.config.chmod(0o664)
    found = by_check(paths, "configuration files")
    assert f"{paths.config}: its group may write there: no rollback is started from it" == found.what
    assert f"chmod go-w {paths.config}" == found.hint
    paths.config.rename(tmp_path / "real.yaml")
    paths.config.symlink_to(tmp_path / "real.yaml")
    assert "is a symbolic link" in by_check(paths, "configuration files").what


def test_a_queue_that_is_a_link_or_open(machine: RecordedMachine, tmp_path: Path) -> None:
    """Nobody else may put a rollback there."""
    paths = paths_of(tmp_path)
    queue = tmp_path / "state" / "rollback-queue"
    queue.chmod(0o777)
    assert ["DIR/state/rollback-queue: others may write there"] == [one[2] for one in wrong(paths)]
    queue.rmdir()
    queue.symlink_to(tmp_path)
    assert ["DIR/state/rollback-queue: is no directory"] == [one[2] for one in wrong(paths)]


def test_the_off_switch(machine: RecordedMachine, tmp_path: Path) -> None:
    """Forgotten switches are found."""
    paths = paths_of(tmp_path)
    (tmp_path / "state" / "disarm").touch()
    expected = ("off switch", Weight.WARNING, "DIR/state/disarm exists: no rollback is started", "rm DIR/state/disarm")
    assert [expected] == wrong(paths)


def test_a_broken_configuration(machine: RecordedMachine, tmp_path: Path) -> None:
    """Its problems come with their places, and nothing is said of jobs that are not known."""
    paths = paths_of(tmp_path)
    paths.config.write_text("version: 1\njob: {}\n")
    found = wrong(paths)
    assert ("configuration", Weight.ERROR, "DIR/watcher.yaml:2:1: job: unknown key") in [one[:3] for one in found]
    assert {"configuration"} == {one[0] for one in found}


def test_a_directory_of_journal_files_needs_no_systemd(tmp_path: Path) -> None:
    """It is opened and read; units and storage of this machine don't matter."""
    write_journal(tmp_path / "journal", [{"MESSAGE": "hello"}])
    paths = paths_of(tmp_path, journal=f"journal: {{directory: {tmp_path / 'journal'}}}")
    assert Weight.OK is by_check(paths, "journal access").weight
    (tmp_path / "empty").mkdir()
    paths = paths_of(tmp_path, journal=f"journal: {{directory: {tmp_path / 'empty'}}}")
    assert Weight.WARNING is by_check(paths, "journal access").weight
    paths = paths_of(tmp_path, journal=f"journal: {{directory: {tmp_path / 'none'}}}")
    found = by_check(paths, "journal access")
    assert (Weight.ERROR, "create it, or correct journal.directory") == (found.weight, found.hint)


def test_programs_that_fail(machine: RecordedMachine, tmp_path: Path) -> None:
    """What can't be asked is a note for each check, and the others go on."""
    (machine.directory / "bin" / "systemctl").write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    found = by_check(paths_of(tmp_path), "units")
    assert (Weight.NOTE, "can't be checked: systemctl show: Failed to connect to bus") == (found.weight, found.what)
    assert Weight.OK is by_check(paths_of(tmp_path), "rollback commands").weight


def others(proc: Path, commands: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> list[tuple[Weight, str]]:
    """What is found where these processes run, the one called 50 in a container; 70 keeps its directory to itself."""
    monkeypatch.setattr(service_checks, "_PROC", proc)
    for number, words in {**commands, "self": ["pytest"]}.items():
        (proc / number / "ns").mkdir(parents=True)
        (proc / number / "ns" / "pid").symlink_to("pid:[2]" if number == "50" else "pid:[1]")
        (proc / number / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
        if number != "70":
            (proc / number / "cwd").symlink_to("/srv/here")
    scene = Scene(paths=Paths.choose(config=None, state=None, socket=None), settings=None, booted=False, service={})
    return [(found.weight, found.what) for found in check_others(scene)]


def test_two_daemons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to start one is known; clients, what merely has such a word, and containers are not counted."""
    commands = {
        "10": ["python3", "/usr/bin/watcher", "run"],
        "20": ["python3", "-m", "watcher", "--state-dir", "x", "run"],
        "30": ["python3", "/usr/bin/watcher", "status"],
        "40": ["vi", "watcher", "run"],
        "50": ["python3", "/usr/bin/watcher", "run"],
    }
    what = (
        "2 daemons run with /etc/release-watcher/watcher.yaml (processes 10, 20); each of them judges, and rolls back"
    )
    assert [(Weight.WARNING, what)] == others(tmp_path, commands, monkeypatch)


def test_daemons_of_several_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They do the same twice only where the same job stands in both; the same file by another name is the same."""
    commands = {
        "10": ["python3", "/usr/bin/watcher", "run"],
        "20": ["python3", "/usr/bin/watcher", "run", "--config", "job.yaml", "--state-dir", "./state"],
        "70": ["python3", "-m", "watcher", "--config=job.yaml", "run"],
    }
    known = "/etc/release-watcher/watcher.yaml, /srv/here/job.yaml, job.yaml of process 70"
    what = f"daemons run with several configurations ({known}); a job that stands in more than one is judged, "
    assert [(Weight.NOTE, f"{what}and rolled back, by each")] == others(tmp_path / "a", commands, monkeypatch)
    commands["60"] = ["python3", "/usr/bin/watcher", "run", "--config=/srv/here/job.yaml"]
    twice = "2 daemons run with /srv/here/job.yaml (processes 20, 60); each of them judges, and rolls back"
    found = others(tmp_path / "b", commands, monkeypatch)
    assert [(Weight.WARNING, twice), (Weight.NOTE, f"{what}and rolled back, by each")] == found
