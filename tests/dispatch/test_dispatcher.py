"""Root's dispatcher as a process, on real directories; the `systemctl` that it calls starts the real runner."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.dispatch.scene import ID, PATIENCE, appends, lines, now, outcome_of, until
from watcher.core.ending import ROLLBACK_DEADLINE
from watcher.dispatch import files, runner
from watcher.dispatch.dispatcher import MOST_SAID
from watcher.dispatch.hold import write_pauses
from watcher.dispatch.order import LONGEST_AGE_USEC

SYSTEMCTL = """#!/bin/sh
# As PID 1 would: each unit's runner by itself, nobody waits for it.
echo "$*" >> {root}/asked
test -e {root}/broken && exit 1
for word; do
    case $word in
    release-watcher-rollback@*.service)
        id=${{word#release-watcher-rollback@}}
        setsid {python} -I -S {runner} {root}/claims "${{id%.service}}" >/dev/null 2>&1 &
        ;;
    esac
done
"""


BEFORE_CLAIM = ["before_claim", "half_created"]
CLAIMED = ["after_claim", "before_start"]
STARTED = ["after_start"]


class Site:
    """The directories of an installation below one directory, and its configuration."""

    def __init__(self, root: Path) -> None:
        self.root, self.etc, self.state = root, root / "etc", root / "state"
        self.queue, self.claims, self.ran = self.state / "rollback-queue", root / "claims", root / "ran"
        self.config = self.etc / "watcher.yaml"
        for directory in (self.root, self.etc, self.state, self.queue, self.claims, root / "bin"):
            directory.mkdir(mode=0o755, exist_ok=directory == self.root)
        systemctl = root / "bin" / "systemctl"
        systemctl.write_text(SYSTEMCTL.format(root=root, python=sys.executable, runner=runner.__file__))
        systemctl.chmod(0o755)
        self.configure(*appends(self.ran))

    def configure(self, *command: str, more: str = "") -> None:
        """Root's configuration with this command for the job `import`."""
        rollback = f"{{command: {json.dumps(command)}{more}}}"
        self.config.write_text(f"version: 1\njobs:\n  import:\n    release:\n      rollback: {rollback}\n")
        self.config.chmod(0o644)

    def order(self, release_id: str = ID, **changes: object) -> Path:
        """A queue file as the daemon writes it, or with a change."""
        facts = {"schema": 1, "id": release_id, "job": "import", "version": "2.0", "previous": "1.9"}
        path = self.queue / f"{release_id}.json"
        path.write_text(json.dumps({**facts, "reason_code": "matches", **changes}))
        return path

    def dispatch(self, *wrapper: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
        """One start of the dispatcher, as the path unit does it; `wrapper` is a command that starts it in its turn."""
        paths = [str(self.config), str(self.queue), str(self.claims), getpass.getuser()]
        environment = {"PATH": f"{self.root}/bin:{os.environ['PATH']}", "WATCHER_FAILPOINT": failpoint}
        argv = [*wrapper, sys.executable, "-I", "-m", "watcher.dispatch.dispatcher", *paths]
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment)

    def refusal(self, release_id: str = ID) -> dict[str, Any]:
        """What stands in ID.refused."""
        found: dict[str, Any] = json.loads((self.claims / f"{release_id}.refused").read_text())
        return found

    @property
    def left(self) -> list[str]:
        """What the path unit would still see in the queue."""
        return [name for name in os.listdir(self.queue) if not name.startswith(".")]

    @property
    def asked(self) -> list[str]:
        """What PID 1 was asked for."""
        path = self.root / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An installation that belongs to whoever runs the tests."""
    tmp_path.chmod(0o755)
    return Site(tmp_path)


def test_an_order_is_run_once(site: Site) -> None:
    """The command of root's configuration runs with the order's facts, once, however often it is ordered."""
    site.configure("/bin/sh", "-c", f'echo "$WATCHER_RELEASE_ID $WATCHER_VERSION" >> {site.ran}; cat >> {site.ran}')
    for _ in range(3):
        site.order(command=["/bin/false"])
        done = site.dispatch()
        assert (0, []) == (done.returncode, site.left), done.stderr
        until((site.claims / f"{ID}.result").exists)
    first, facts = site.ran.read_text().splitlines()
    assert (f"{ID} 2.0", "import") == (first, json.loads(facts)["job"])
    assert ("succeeded", 0, "") == outcome_of(site.claims)
    assert [f"start --no-block --no-ask-password release-watcher-rollback@{ID}.service"] == site.asked


def test_the_claim_holds_what_root_says(site: Site) -> None:
    """Command, user, limit and idempotence are root's; facts are the order's."""
    site.configure("/bin/true", "a b", more=", timeout: 7s, idempotent: true, user: nobody")
    site.order()
    site.dispatch()
    claim = json.loads((site.claims / f"{ID}.claim").read_text())
    kept = {key: claim[key] for key in ("command", "timeout_usec", "idempotent", "user", "job", "reason_code")}
    expected = {"command": ["/bin/true", "a b"], "timeout_usec": 7_000_000, "idempotent": True, "user": "nobody"}
    assert {**expected, "job": "import", "reason_code": "matches"} == kept
    assert hashlib.sha256(site.config.read_bytes()).hexdigest() == claim["config_hash"]


def test_a_drop_in_brings_the_job(site: Site) -> None:
    """The configuration is merged as the daemon merges it."""
    site.config.write_text("version: 1\n")
    (site.etc / "conf.d").mkdir(mode=0o755)
    drop_in = site.etc / "conf.d" / "import.yaml"
    drop_in.write_text(f"jobs: {{import: {{release: {{rollback: {{command: {json.dumps(appends(site.ran))}}}}}}}}}\n")
    drop_in.chmod(0o644)
    site.order()
    site.dispatch()
    until(lambda: lines(site.ran))
    both = hashlib.sha256(site.config.read_bytes() + drop_in.read_bytes()).hexdigest()
    assert both == json.loads((site.claims / f"{ID}.claim").read_text())["config_hash"]


@pytest.mark.parametrize("point", [*BEFORE_CLAIM, *CLAIMED])
def test_dispatcher_dies_before_the_start(site: Site, point: str) -> None:
    """The order is still there or comes again; the claim is its own, and the command runs once."""
    site.order()
    assert -9 == site.dispatch(failpoint=f"{point}:kill").returncode
    assert (point in CLAIMED, 0) == ((site.claims / f"{ID}.claim").exists(), lines(site.ran))
    site.order()
    site.dispatch()
    until((site.claims / f"{ID}.result").exists)
    assert 1 == lines(site.ran)


@pytest.mark.parametrize("point", STARTED)
def test_dispatcher_dies_after_the_start(site: Site, point: str) -> None:
    """The command runs without it, and not again for an order that comes again."""
    site.order()
    assert (-9, []) == (site.dispatch(failpoint=f"{point}:kill").returncode, site.left)
    until((site.claims / f"{ID}.result").exists)
    site.order()
    assert 0 == site.dispatch().returncode
    assert (1, 1) == (lines(site.ran), len(site.asked))


def test_pid_1_can_not_start_it(site: Site) -> None:
    """It is said and tried again with the next order; ten failures cost nothing."""
    (site.root / "broken").touch()
    for _ in range(10):
        site.order()
        done = site.dispatch()
        assert (1, []) == (done.returncode, site.left)
    assert "rollback's unit could not be started" in done.stderr
    (site.root / "broken").unlink()
    site.order()
    assert 0 == site.dispatch().returncode
    until((site.claims / f"{ID}.result").exists)
    assert 1 == lines(site.ran)


def test_disarmed(site: Site) -> None:
    """While the off switch is on nothing is claimed, and why is written down; afterwards the order may come again."""
    (site.etc / "disarm").touch()
    site.order()
    site.dispatch()
    assert ("disarmed", [f"{ID}.refused"], []) == (site.refusal()["code"], os.listdir(site.claims), site.left)
    (site.etc / "disarm").unlink()
    site.order()
    site.dispatch()
    until(lambda: lines(site.ran))


@pytest.mark.parametrize(
    ("job", "span", "code", "runs"),
    [
        (None, None, "matches", False),
        ("import", None, "matches", False),
        ("import", 60_000_000, "matches", False),
        ("import", -1, "matches", True),
        ("other", None, "matches", True),
        (None, None, "failed-by-person", False),
        (None, None, "person", True),
    ],
)
def test_paused(site: Site, job: str | None, span: int | None, code: str, *, runs: bool) -> None:
    """A pause that the daemon has left holds automatic rollbacks of its jobs until it ends, never a person's."""
    with_state = files.open_directory(site.state)
    write_pauses(with_state, [(job, None if span is None else now() + span)])
    os.close(with_state)
    site.order(reason_code=code)
    site.dispatch()
    assert runs is (site.claims / f"{ID}.claim").exists()
    if not runs:
        assert "paused" == site.refusal()["code"]


def test_damaged_pauses(site: Site) -> None:
    """What can't be understood holds."""
    (site.state / "pauses.json").write_text("{")
    site.order()
    site.dispatch()
    assert "paused" == site.refusal()["code"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"job": "unknown"}, "job unknown: has no rollback command in root's configuration"),
        ({"job": "../import"}, "its contents are no order: job, reason_code: not a name"),
        ({"version": "2\nWATCHER_X=1"}, "its contents are no order: version, previous: not one line of printable text"),
        ({"version": "2\0"}, "its contents are no order: version: holds a NUL"),
        ({"id": "import-2"}, "it names another release than its file"),
        ({"schema": 2}, "its contents are no order: schema: is another one"),
        ({"version": 2}, "its contents are no order: version: is missing or of another kind"),
        ({"version": "x" * 5000}, "it is larger than 4096 bytes"),
    ],
)
def test_hostile_contents(site: Site, changes: dict[str, Any], why: str) -> None:
    """Refused with a word that holds nothing of the contents, removed, nothing claimed."""
    site.order(**changes)
    site.dispatch()
    assert ("refused", why) == (site.refusal()["code"], site.refusal()["detail"])
    assert ([], []) == (site.left, list(site.claims.glob("*.claim")))


def test_hostile_files(site: Site) -> None:
    """Links, directories, huge files, bad names, a second name: all are gone afterwards, and nothing is run."""
    (site.queue / "import-1.json").symlink_to("/etc/passwd")
    (site.queue / "import-2.json").mkdir()
    (site.queue / "import-3.json").mkdir()
    (site.queue / "import-3.json" / "full").touch()
    with (site.queue / "import-4.json").open("wb") as huge:
        huge.truncate(1 << 30)
    os.mkfifo(site.queue / "import-5.json")
    os.link(site.order("import-6"), site.root / "second-name")
    for name in ("no-ending", "with space.json", "..json", "x" * 80 + ".json", '"\x1b[2J".json'):
        (site.queue / name).write_text("{}")
    (site.queue / os.fsdecode(b"\xff\xfe.json")).touch()
    (site.queue / ".old.tmp").mkdir()
    os.utime(site.queue / ".old.tmp", (1, 1))
    good = site.order("import-7")
    done = site.dispatch()
    assert [] == site.left
    until((site.claims / "import-7.result").exists)
    assert ["import-7.claim"] == [path.name for path in site.claims.glob("*.claim")]
    assert "\x1b" not in done.stderr
    assert ("is refused" in done.stderr, good.exists()) == (True, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize(("age", "runs"), [(LONGEST_AGE_USEC - 60_000_000, True), (LONGEST_AGE_USEC, False)])
def test_order_of_another_day(site: Site, age: int, *, runs: bool) -> None:
    """A machine that was off for a week runs nothing that was wanted a week ago; it is left to a person."""
    left_at = (now() - age) * 1000
    os.utime(site.order(), ns=(left_at, left_at))
    site.dispatch()
    assert (runs, []) == ((site.claims / f"{ID}.claim").exists(), site.left)
    if not runs:
        assert "it has waited for more than an hour, and was not renewed" == site.refusal()["detail"]


def test_age_of_an_order() -> None:
    """The dispatcher believes an order for as long as the daemon would let it run."""
    assert ROLLBACK_DEADLINE == LONGEST_AGE_USEC


def test_foreign_owner(site: Site) -> None:
    """An order that the daemon's user did not write is no order."""
    os.chown(site.order(), 65534, 65534)
    site.dispatch()
    assert "it belongs to user 65534, not to the daemon's" == site.refusal()["detail"]
    assert [] == site.left


def test_ten_thousand_files(site: Site) -> None:
    """All are removed in one go, a few are named, the number of the others is said, and the good one is run."""
    for number in range(10_000):
        (site.queue / f"junk {number}").touch()
    site.order()
    done = site.dispatch()
    assert [] == site.left
    assert MOST_SAID + 1 == done.stderr.count("refused")
    assert "10000 in all" in done.stderr
    until(lambda: lines(site.ran))


def test_halves_that_a_crash_left_among_the_claims(site: Site) -> None:
    """They are root's, so nobody else removes them; one that may still be written stays."""
    old, young = site.claims / ".import-0.claim.0123456789ab.tmp", site.claims / ".import-0.result.ba9876543210.tmp"
    for half in (old, young):
        half.touch()
    os.utime(old, (1, 1))
    site.order()
    assert 0 == site.dispatch().returncode
    assert (False, True) == (old.exists(), young.exists())
    until(lambda: lines(site.ran))


def test_queue_that_can_not_be_emptied(site: Site) -> None:
    """What lies in it is run all the same, and the dispatcher fails, so that PID 1 lets it rest before the next try."""
    site.order()
    fixed = f"mount --bind {site.queue} {site.queue} && mount -o remount,bind,ro {site.queue}"
    done = site.dispatch("unshare", "-rm", "sh", "-c", f'{fixed} && exec "$@"', "sh")
    assert (1, True) == (done.returncode, 'emptied why="1 files stay"' in done.stderr), done.stderr
    until(lambda: lines(site.ran))


def test_queue_that_is_a_link(site: Site) -> None:
    """The daemon's user may put a link in its place: it is removed, and what it leads to is not touched."""
    site.queue.rmdir()
    (site.root / "elsewhere").mkdir()
    (site.root / "elsewhere" / "file").touch()
    site.queue.symlink_to(site.root / "elsewhere")
    assert 1 == site.dispatch().returncode
    assert (False, True) == (site.queue.is_symlink(), (site.root / "elsewhere" / "file").exists())


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("group", "watcher.yaml: its group may write there; chmod go-w it"),
        ("all", "watcher.yaml: everybody may write there; chmod go-w it"),
        ("directory", "etc: its group may write there; chmod go-w it"),
        ("drop-in", "conf.d/x.yaml: its group may write there; chmod go-w it"),
        ("link", "watcher.yaml: is a symbolic link, and none is followed; put the file itself there"),
        ("gone", "watcher.yaml: No such file or directory"),
        ("twice", 'watcher.yaml:2:1: version: "version" is given twice'),
        ("shell string", "job import: its rollback in root's configuration can't be used: must be a list of texts"),
    ],
)
def test_configuration_that_root_must_not_believe(site: Site, damage: str, why: str) -> None:
    """Nothing is claimed, the reason names the step of the path; once it is mended, a new order runs."""
    good = site.config.read_text()
    match damage:
        case "group":
            site.config.chmod(0o664)
        case "all":
            site.config.chmod(0o646)
        case "directory":
            site.etc.chmod(0o775)
        case "drop-in":
            (site.etc / "conf.d").mkdir(mode=0o755)
            (site.etc / "conf.d" / "x.yaml").write_text("version: 1\n")
            (site.etc / "conf.d" / "x.yaml").chmod(0o664)
        case "link":
            site.config.rename(site.etc / "real.yaml")
            site.config.symlink_to("real.yaml")
        case "gone":
            site.config.unlink()
        case "twice":
            site.config.write_text("version: 1\n" + good)
        case _:
            site.config.write_text(good.replace(json.dumps(appends(site.ran)), "rm -rf /"))
    site.order()
    site.dispatch()
    detail = site.refusal()["detail"]
    assert why in detail
    assert ([], [f"{ID}.refused"]) == (site.left, os.listdir(site.claims))


def test_claim_of_another_release(site: Site) -> None:
    """An id that was claimed for other facts is refused, and its claim stays what it was."""
    (site.root / "broken").touch()
    site.order(version="1.0")
    site.dispatch()
    site.order(version="2.0")
    site.dispatch()
    assert "the claim under this id was made for another release" == site.refusal()["detail"]
    assert "1.0" == json.loads((site.claims / f"{ID}.claim").read_text())["version"]


def test_interrupted_idempotent_command(site: Site) -> None:
    """It is started once more when it is ordered once more, and then never again."""
    site.configure(*appends(site.ran), more=", idempotent: true")
    (site.root / "broken").touch()
    site.order()
    site.dispatch()
    (site.root / "broken").unlink()
    (site.claims / f"{ID}.started").touch()
    for _ in range(2):
        site.order()
        site.dispatch()
    until((site.claims / f"{ID}.result").exists)
    assert (1, True) == (lines(site.ran), (site.claims / f"{ID}.started.2").exists())


def test_claims_that_can_not_be_written(site: Site) -> None:
    """The order is taken out and said; the daemon brings it again."""
    site.claims.rmdir()
    site.order()
    done = site.dispatch()
    assert (1, []) == (done.returncode, site.left)
    assert "rollback can't be claimed now" in done.stderr
