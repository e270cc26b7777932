"""Directories and databases that `watcher run` must refuse, and losses after which nothing is rolled back unasked."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.parts.daemons import DaemonProcess
from watcher.adapters.schema import STEPS

JOB = """\
    units: [import.service]
    rules:
      - {name: broken, match: '^broken', severity: error}
    release: {mode: observe, fail_when: [{matches: {rule: broken, count: 2}}]}
"""
STRANGER = 12345


def refused(daemon: DaemonProcess, prepare: str) -> str:
    """What the daemon says before it exits with 78, as root of a user namespace, where foreign files are foreign."""
    run = f"{sys.executable} -m watcher run --config {daemon.config} --state-dir {daemon.state}"
    argv = ["unshare", "-rm", "sh", "-c", f"{prepare} && exec {run}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert 78 == done.returncode, done.stderr
    return done.stderr


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonProcess:
    """A daemon that has had a state, and is stopped."""
    one = DaemonProcess(tmp_path, JOB)
    with one:
        one.start_release()
    return one


def test_read_only_directory(daemon: DaemonProcess) -> None:
    """Exit code 78 with the place and the way out."""
    said = refused(daemon, f"mount --bind {daemon.state} {daemon.state} && mount -o remount,bind,ro {daemon.state}")
    assert "state directory" in said


def test_directory_of_others(tmp_path: Path) -> None:
    """A slip in --state-dir: refused with the way out, and nothing is put there."""
    daemon = DaemonProcess(tmp_path, JOB)
    daemon.state.mkdir()
    for name in ("passwd", "hosts", "fstab\nand more", "group"):
        (daemon.state / name).touch()
    said = refused(daemon, "true")
    assert f"{daemon.state}: holds things of others (fstab\\nand more, group and 2 more)" in said
    assert f"--state-dir {daemon.state}/release-watcher" in said
    assert ["fstab\nand more", "group", "hosts", "passwd"] == sorted(os.listdir(daemon.state))


def test_directory_that_holds_a_directory_of_others(tmp_path: Path) -> None:
    """As a home does."""
    daemon = DaemonProcess(tmp_path, JOB)
    (daemon.state / "Documents").mkdir(parents=True)
    assert "(Documents)" in refused(daemon, "true")


@pytest.mark.parametrize(
    "names", [(), ("disarm",), (".keep", "lost+found"), ("lock",), ("watcher.yaml", "log", "aquota.user")], ids=str
)
def test_directory_that_was_made_before(tmp_path: Path, names: tuple[str, ...]) -> None:
    """What a person, a file system, or a start that was cut off leaves there does not make it another's."""
    daemon = DaemonProcess(tmp_path, JOB)
    daemon.state.mkdir()
    for name in names:
        (daemon.state / name).touch()
    with daemon:
        assert (daemon.state / "state.db").exists()


def test_files_in_a_directory_that_everybody_may_look_into(tmp_path: Path) -> None:
    """What is stored is for the daemon's user, whoever made the directory; a mode that somebody gave a file stays."""
    daemon = DaemonProcess(tmp_path, JOB)
    daemon.state.mkdir(mode=0o755)
    daemon.wrapper = ["sh", "-c", 'umask 022; exec "$@"', "sh"]
    with daemon:
        daemon.start_release()
        files = [daemon.state / name for name in ("state.db", "state.db-wal", "state.db-shm", "lock", "ballast")]
        assert {0o600} == {path.stat().st_mode & 0o777 for path in files}
    (daemon.state / "state.db").chmod(0o640)
    with daemon:
        assert 0o640 == (daemon.state / "state.db").stat().st_mode & 0o777


def test_directory_of_ours_that_holds_other_things(daemon: DaemonProcess) -> None:
    """What somebody put beside a state is theirs to know; also where the database was lost."""
    (daemon.state / "README").touch()
    with daemon:
        pass
    for path in daemon.state.glob("state.*"):
        path.unlink()
    with daemon:
        assert (daemon.state / "README").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["", "state.db"])
def test_foreign_files(daemon: DaemonProcess, name: str) -> None:
    """A directory or a database that belongs to somebody else is not worked around."""
    foreign = daemon.state / name
    foreign.chmod(0o700 if foreign.is_dir() else 0o400)
    os.chown(foreign, STRANGER, STRANGER)
    assert "state directory" in refused(daemon, "true")


def test_newer_program(daemon: DaemonProcess) -> None:
    """Tables or records that a newer program wrote: exit code 78, and the way out."""
    database = sqlite3.connect(daemon.state / "state.db", isolation_level=None)
    [(record,)] = database.execute("SELECT record FROM releases").fetchall()
    database.execute("UPDATE releases SET record = ?", (json.dumps(json.loads(record) | {"v": 99}),))
    assert "install" in refused(daemon, "true")
    database.execute(f"PRAGMA user_version={len(STEPS) + 1}")
    database.close()
    assert "install the newer release-watcher again" in refused(daemon, "true")


def test_old_release_of_a_newer_program(daemon: DaemonProcess) -> None:
    """Who asks for what it has to do with is refused; nobody else is, and the daemon stays."""
    with daemon:
        for version in ("3", "5"):
            assert 0 == daemon.cli("release", "start", "import", "--version", version).returncode
    with closing(sqlite3.connect(daemon.state / "state.db", isolation_level=None)) as database:
        of_version_2 = "json_extract(record, '$.request.version') = '2'"
        database.execute(f"UPDATE releases SET record = json_set(record, '$.v', 99) WHERE {of_version_2}")  # noqa: S608
    with daemon:
        refused = daemon.cli("release", "start", "import", "--version", "2")
        assert (75, True) == (refused.returncode, "record version 99" in refused.stderr), refused.stderr
        assert 0 == daemon.cli("release", "start", "import", "--version", "4").returncode


def test_look_at_an_old_release_of_a_newer_program(daemon: DaemonProcess) -> None:
    """A look at it is refused with the way out; the daemon goes on."""
    database = sqlite3.connect(daemon.state / "state.db", isolation_level=None)
    [(record,)] = database.execute("SELECT record FROM releases").fetchall()
    old = json.dumps(json.loads(record) | {"id": "old", "v": 99})
    database.execute("INSERT INTO releases VALUES (-1, 'old', 'import', 0, ?)", (old,))
    database.close()
    with daemon:
        for path in ("/api/v1/releases", "/api/v1/releases/old"):
            status, answer = daemon.get(path)
            assert 503 == status
            assert "install the later release-watcher again" in answer
        daemon.wait_ready()


def test_directory_of_the_claims_can_not_be_had(daemon: DaemonProcess) -> None:
    """The disk may have room again in a moment: exit code 75, not one of a defect, and the path is named."""
    (daemon.state / "rollback").rmdir()
    (daemon.state / "rollback").write_text("")
    daemon.start()
    assert 75 == daemon.wait_exit()
    assert f"{daemon.state / 'rollback'}: " in daemon.log


@pytest.mark.parametrize("loss", ["zeroed", "emptied", "missing", "missing with its mark", "copied"])
def test_loss_pauses_until_somebody_knows(daemon: DaemonProcess, loss: str) -> None:
    """Also when the daemon is killed meanwhile: rollbacks stay off until `watcher resume`."""
    database = daemon.state / "state.db"
    match loss:
        case "zeroed":
            database.write_bytes(b"\0" * 100 + database.read_bytes()[100:])
        case "emptied":
            database.write_bytes(b"")
        case "missing":
            database.unlink()
        case "missing with its mark":
            (daemon.state / "notes").mkdir(exist_ok=True)
            (daemon.state / "notes" / "import-1.md").touch()
            for path in daemon.state.glob("state.*"):
                path.unlink()
        case "copied":
            mark = daemon.state / "state.id"
            mark.write_text("".join(f"{line}\n" for line in (mark.read_text().splitlines()[0], "machine: another")))
    daemon.start()
    daemon.wait_ready()
    assert 1 == daemon.metrics()["watcher_paused", "import"]
    assert "state was lost" in daemon.log
    daemon.kill()
    with daemon:
        assert 1 == daemon.metrics()["watcher_paused", "import"]
        assert 0 == daemon.cli("resume").returncode
        assert 0 == daemon.metrics()["watcher_paused", "import"]
    with daemon:
        assert 0 == daemon.metrics()["watcher_paused", "import"]


def test_database_that_is_removed_under_the_daemon(daemon: DaemonProcess) -> None:
    """No release is registered into a file that nobody can open again; the next start tells of the loss."""
    daemon.start()
    daemon.wait_ready()
    (daemon.state / "state.db").unlink()
    said = daemon.cli("release", "start", "import", "--version", "9", "--id", "lost")
    assert 0 != said.returncode
    assert "" == said.stdout
    assert 75 == daemon.wait_exit()
    assert "state.db was taken away under the daemon" in daemon.log
    with daemon:
        assert 1 == daemon.metrics()["watcher_paused", "import"]
        assert "state was lost" in daemon.log


def test_database_that_is_damaged_under_the_daemon(daemon: DaemonProcess) -> None:
    """Whoever finds it, if only by looking at old releases, ends the daemon; the next one sets the file aside."""
    path = daemon.state / "state.db"
    database = sqlite3.connect(path, isolation_level=None)
    [(record,)] = database.execute("SELECT record FROM releases").fetchall()
    for number in range(1, 300):
        old = json.dumps(json.loads(record) | {"id": f"old-{number}"})
        database.execute("INSERT INTO releases VALUES (?, ?, 'import', 0, ?)", (-number, f"old-{number}", old))
    database.close()
    daemon.start()
    daemon.wait_ready()
    with path.open("r+b") as file:
        for page in range(40, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    assert 503 == daemon.get("/api/v1/releases?limit=1000")[0]
    assert 75 == daemon.wait_exit()
    with daemon:
        assert 1 == daemon.metrics()["watcher_paused", "import"]
        assert "set aside as state.db.corrupt-" in daemon.log
