"""The installed daemon's side of a rollback, with root's dispatcher and the real runner at the other end."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dispatch.scene import ID, appends, failed_release, lines, now, until
from tests.dispatch.test_dispatcher import Site
from watcher.adapters.dispatched import DispatchedRollback
from watcher.adapters.handover import RollbackError
from watcher.core.duration import Usec
from watcher.core.messages import RollbackObserved
from watcher.core.reason import ReasonCode
from watcher.core.release import Release, RollbackState
from watcher.core.state import Pause
from watcher.dispatch.plan import distrust


@pytest.fixture
def site(tmp_path: Path) -> Site:
    tmp_path.chmod(0o755)
    return Site(tmp_path)


@pytest.fixture
def rollback(site: Site) -> DispatchedRollback:
    return made(site)


def made(site: Site) -> DispatchedRollback:
    return DispatchedRollback(state_dir=site.state, claims=site.claims, disarm_dir=site.etc, clock=now)


def decided(at: Usec | None = None) -> Release:
    """A release whose rollback was queued now; its own command is not the one that runs."""
    release = failed_release(("/bin/false",))
    return replace(release, rollback=replace(release.rollback, queued_at=at or now()))


def seen(rollback: DispatchedRollback, release: Release) -> RollbackObserved | None:
    return next(iter(rollback.observe([release])), None)


def test_from_the_order_to_the_result(site: Site, rollback: DispatchedRollback) -> None:
    """The daemon names the release, root's command runs, and its end is read from root's directory."""
    release = decided()
    rollback.queue(release)
    assert (None, frozenset()) == (seen(rollback, release), rollback.claimed([ID]))
    site.dispatch()
    until(lambda: (found := seen(rollback, release)) is not None and found.state is RollbackState.SUCCEEDED)
    assert (1, frozenset({ID})) == (lines(site.ran), rollback.claimed([ID]))


def test_a_claim_that_outlived_a_lost_state(site: Site, rollback: DispatchedRollback) -> None:
    """What was rolled back under the same id then is not what is to be rolled back now: it is said that nothing ran."""
    first = decided()
    rollback.queue(first)
    site.dispatch()
    until(lambda: (found := seen(rollback, first)) is not None and found.state is RollbackState.SUCCEEDED)
    second = replace(decided(), request=replace(first.request, version="3.0"))
    rollback.queue(second)
    site.dispatch()
    found = seen(rollback, second)
    assert found is not None
    told = "the rollback command was not run: import-1.claim: was made for import 2.0"
    assert (RollbackState.FAILED, told) == (found.state, found.detail)
    assert 1 == lines(site.ran)


def test_taken_back_before_anybody_read_it(site: Site, rollback: DispatchedRollback) -> None:
    """The queue is empty again; taking back twice is no error."""
    rollback.queue(decided())
    rollback.withdraw(ID)
    rollback.withdraw(ID)
    assert [] == site.left


def test_a_refusal_holds_until_a_person_orders_it(site: Site, rollback: DispatchedRollback) -> None:
    """What the dispatcher had against the first decision says nothing about the next one."""
    site.config.chmod(0o664)
    release = decided()
    rollback.queue(release)
    site.dispatch()
    found = seen(rollback, release)
    assert found is not None
    assert found.reason is not None
    assert (RollbackState.HELD, ReasonCode.REFUSED) == (found.state, found.reason.code)
    assert "its group may write there; chmod go-w it" in found.reason.what
    site.config.chmod(0o644)
    again = decided()
    rollback.queue(again)
    assert seen(rollback, again) is None
    site.dispatch()
    until(lambda: lines(site.ran))


def test_pauses_reach_the_dispatcher(site: Site, rollback: DispatchedRollback) -> None:
    """Also when the daemon is dead by then."""
    rollback.hold([Pause(job=None, reason="holiday", author="root", since=now())])
    release = decided()
    rollback.queue(release)
    site.dispatch()
    found = seen(made(site), release)
    assert found is not None
    assert found.reason is not None
    assert ReasonCode.PAUSED is found.reason.code
    rollback.hold([])
    rollback.queue(release)
    site.dispatch()
    until(lambda: lines(site.ran))


def test_disarmed(site: Site, rollback: DispatchedRollback) -> None:
    """The off switch lies beside root's configuration."""
    assert not rollback.is_disarmed
    (site.etc / "disarm").touch()
    assert rollback.is_disarmed


def test_off_switch_that_can_not_be_looked_at(site: Site) -> None:
    """It is taken to be on: a switch that a fault turns off is none."""
    (site.root / "round").symlink_to("round")
    lost = site.root / "round" / "etc"
    assert DispatchedRollback(state_dir=site.state, claims=site.claims, disarm_dir=lost, clock=now).is_disarmed


def interrupted(site: Site, rollback: DispatchedRollback) -> Release:
    """A release whose idempotent command was begun, and whose runner is gone."""
    site.configure(*appends(site.ran), more=", idempotent: true")
    (site.root / "broken").touch()
    release = decided()
    rollback.queue(release)
    site.dispatch()
    (site.claims / f"{ID}.started").touch()
    (site.root / "broken").unlink()
    return release


def test_interrupted_idempotent_command(site: Site, rollback: DispatchedRollback) -> None:
    """It is ordered once more, and not again when that one is interrupted too."""
    release = interrupted(site, rollback)
    for _ in range(2):
        found = seen(rollback, release)
        assert found is not None
        assert RollbackState.RUNNING is found.state
    assert 1 == len(site.left)
    site.dispatch()
    until(lambda: (end := seen(rollback, release)) is not None and end.state is RollbackState.SUCCEEDED)
    assert 1 == lines(site.ran)


def test_repetition_that_is_refused(site: Site, rollback: DispatchedRollback) -> None:
    """Nobody will run it, so it is unknown what the first run did: no release waits for a command that never comes."""
    release = interrupted(site, rollback)
    rollback.hold([Pause(job=None, reason="r", author="a", since=now())])
    found = seen(rollback, release)
    assert found is not None
    assert RollbackState.RUNNING is found.state
    site.dispatch()
    found = seen(rollback, release)
    assert found is not None
    assert (RollbackState.UNKNOWN, 0) == (found.state, lines(site.ran))
    assert "automatic rollbacks of job import are paused" in found.detail


def test_repetition_that_did_not_come_about(site: Site) -> None:
    """It is ordered again after a while, until it was begun."""
    at = now()
    rollback = DispatchedRollback(state_dir=site.state, claims=site.claims, disarm_dir=site.etc, clock=lambda: at)
    release = interrupted(site, rollback)
    (site.root / "broken").touch()
    assert seen(rollback, release) is not None
    site.dispatch()
    assert seen(rollback, release) is not None
    assert [] == site.left
    at = Usec(at + 30_000_000)
    (site.root / "broken").unlink()
    assert seen(rollback, release) is not None
    site.dispatch()
    until(lambda: (end := seen(rollback, release)) is not None and end.state is RollbackState.SUCCEEDED)
    assert 1 == lines(site.ran)


def test_what_can_never_be_ordered(site: Site, rollback: DispatchedRollback) -> None:
    """It is a failed rollback, not one that is tried for ever."""
    release = failed_release(("true",), version="x" * 4096)
    rollback.queue(release)
    found = seen(rollback, release)
    assert found is not None
    assert (RollbackState.FAILED, frozenset({ID})) == (found.state, rollback.claimed([ID]))
    assert [] == site.left


def test_claims_that_are_not_there(site: Site, rollback: DispatchedRollback) -> None:
    """An error that names the directory, to be tried again; never a verdict on the rollback."""
    site.claims.rmdir()
    with pytest.raises(RollbackError, match="/claims: No such file or directory"):
        rollback.observe([decided()])


def test_a_damaged_refusal(site: Site, rollback: DispatchedRollback) -> None:
    """It is said, and nothing runs by it."""
    (site.claims / f"{ID}.refused").write_text(json.dumps({"schema": 1, "code": "maybe"}))
    found = seen(rollback, decided())
    assert found is not None
    assert RollbackState.FAILED is found.state


def test_the_daemon_tells_what_root_would_refuse(site: Site) -> None:
    """Before anything fails: the same test of every file, with the step of the path and the way out."""
    owners = (0, os.geteuid())
    assert () == distrust(str(site.config), owners=owners)
    site.config.chmod(0o664)
    (site.etc / "conf.d").mkdir(mode=0o755)
    (site.etc / "conf.d" / "x.yaml").symlink_to("/etc/passwd")
    found = distrust(str(site.config), owners=owners)
    assert (2, True) == (len(found), found[0].endswith("watcher.yaml: its group may write there; chmod go-w it"))
    assert found[1].endswith("x.yaml: is a symbolic link, and none is followed; put the file itself there")
