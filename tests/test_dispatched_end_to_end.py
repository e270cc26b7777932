"""The daemon and root's dispatcher together: the real ones, with the tests' own `systemctl` in PID 1's place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dispatch.scene import appends, lines, until
from tests.dispatch.test_dispatcher import Site
from tests.journal.written import LiveWriter
from tests.parts.daemons import DaemonProcess
from tests.test_end_to_end import say

JOB = """\
    units: ["import@*.service"]
    packs: [systemd]
    rules: [{{name: gave-up, match: 'giving up', severity: error}}]
    release:
      mode: rollback
      window: 5m
      settle: 0s
      fail_when: [{{matches: {{severity: error, count: 1}}}}]
      rollback: {{command: {command}, verify: 1s}}
"""


class Dispatched(DaemonProcess):
    """A daemon that leaves its rollbacks to the dispatcher of `site`."""

    def __init__(self, directory: Path, site: Site) -> None:
        super().__init__(directory, JOB.format(command=list(appends(site.ran, then="echo undone"))))
        self.run_options = ["--rollback-dir", str(site.claims)]
        self.config.chmod(0o644)

    def state_of(self, release: str) -> str:
        """Where the rollback stands."""
        return str(self.show(release)["rollback"]["state"])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The dispatcher reads the daemon's own configuration and queue."""
    tmp_path.chmod(0o755)
    site = Site(tmp_path)
    site.config, site.queue = tmp_path / "watcher.yaml", tmp_path / "state" / "rollback-queue"
    site.queue.rmdir()
    return site


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[LiveWriter]:
    (tmp_path / "journal").mkdir()
    with LiveWriter(tmp_path / "journal" / "live.journal") as live:
        yield live


def test_a_failed_release_is_rolled_back_by_the_dispatcher(tmp_path: Path, site: Site, journal: LiveWriter) -> None:
    """The daemon only writes the order; nothing runs before the dispatcher has seen it; the daemon learns the end."""
    with Dispatched(tmp_path, site) as daemon:
        release = daemon.start_release("--previous", "1")
        say(journal, "giving up")
        daemon.wait_for(lambda: [f"{release}.json"] == site.left, "the order")
        assert ("queued", 0) == (daemon.state_of(release), lines(site.ran))
        site.dispatch()
        assert 1 == daemon.cli("release", "wait", release, "--timeout", "20s").returncode
        assert (1, "succeeded") == (lines(site.ran), daemon.state_of(release))
        assert "undone" in daemon.cli("release", "note", release).stdout


def test_the_daemon_is_dead_while_the_rollback_runs(tmp_path: Path, site: Site, journal: LiveWriter) -> None:
    """Killed right after the decision: the order is run without it, once, and the next daemon takes the result over."""
    with Dispatched(tmp_path, site) as daemon:
        release = daemon.start_release("--previous", "1")
        say(journal, "giving up")
        daemon.wait_for(lambda: bool(site.left), "the order")
        daemon.kill()
        site.dispatch()
        until((site.claims / f"{release}.result").exists)
        daemon.start()
        daemon.wait_ready()
        daemon.wait_for(lambda: daemon.state_of(release) == "succeeded", "the result")
        assert (1, []) == (lines(site.ran), site.left)


def test_a_pause_takes_back_what_nobody_has_claimed(tmp_path: Path, site: Site, journal: LiveWriter) -> None:
    """It is held at once, not at the next review, and a person's order runs it in spite of the pause."""
    with Dispatched(tmp_path, site) as daemon:
        release = daemon.start_release("--previous", "1")
        say(journal, "giving up")
        daemon.wait_for(lambda: bool(site.left), "the order")
        assert 0 == daemon.cli("pause", "--reason", "holiday").returncode
        daemon.wait_for(lambda: daemon.state_of(release) == "held" and not site.left, "held", patience=5)
        site.dispatch()
        assert 0 == lines(site.ran)
        assert 0 == daemon.cli("release", "rollback", release, "--reason", "I am here").returncode
        daemon.wait_for(lambda: bool(site.left), "the person's order")
        site.dispatch()
        daemon.wait_for(lambda: daemon.state_of(release) == "succeeded", "the result")
        assert 1 == lines(site.ran)


def test_what_the_dispatcher_refuses_is_held(tmp_path: Path, site: Site, journal: LiveWriter) -> None:
    """The reason stands in the record; mended and ordered by a person, it runs."""
    with Dispatched(tmp_path, site) as daemon:
        release = daemon.start_release("--previous", "1")
        daemon.config.chmod(0o664)
        say(journal, "giving up")
        daemon.wait_for(lambda: bool(site.left), "the order")
        site.dispatch()
        daemon.wait_for(lambda: daemon.state_of(release) == "held", "held")
        assert "its group may write there; chmod go-w it" in daemon.cli("release", "show", release).stdout
        daemon.config.chmod(0o644)
        daemon.cli("release", "rollback", release, "--reason", "mended")
        daemon.wait_for(lambda: bool(site.left), "the order")
        site.dispatch()
        daemon.wait_for(lambda: daemon.state_of(release) == "succeeded", "the result")


@pytest.mark.skipif(os.geteuid() != 0, reason="a configuration of root's own is needed")
def test_the_daemon_says_what_root_would_refuse(tmp_path: Path, site: Site, journal: LiveWriter) -> None:
    """At its start, before anything fails."""
    daemon = Dispatched(tmp_path, site)
    daemon.config.chmod(0o664)
    with daemon:
        assert "rollbacks will be refused" in daemon.log
        assert "its group may write there; chmod go-w it" in daemon.log
