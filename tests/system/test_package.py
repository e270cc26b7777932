"""The package on a plain Debian: installing, upgrading, going back, removing, purging."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.machine import Machine
from tests.parts.stage import DEBIAN, Ground, install, ready

UNITS = (
    "release-watcher.service",
    "release-watcher.socket",
    "release-watcher-metrics.socket",
    "release-watcher-rollback.path",
)
JOB = """\
version: 1
jobs:
  import: {units: [import.service], packs: [systemd]}
"""


@pytest.fixture
def plain(ground: Ground) -> Iterator[Machine]:
    """A plain Debian without the package."""
    with Machine([ground.plain], name=f"{DEBIAN}-plain") as machine:
        yield machine


@pytest.fixture(scope="session")
def newer(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same program as a later version of the package."""
    directory = tmp_path_factory.mktemp("newer")
    staged, package = directory / "staged", directory / "newer.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", ground.package, staged], check=True)
    control = staged / "DEBIAN" / "control"
    lines = control.read_text(encoding="utf-8").splitlines()
    control.write_text(
        "".join(f"{'Version: 99.0' if 'Version:' in line else line}\n" for line in lines), encoding="utf-8"
    )
    packing = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(staged), str(package)]
    subprocess.run(packing, check=True, capture_output=True)
    shutil.rmtree(staged)
    return package


def test_package_on_a_plain_debian(plain: Machine, ground: Ground) -> None:
    """Installing it without any network gives a service that is ready, and its command, pages and completion."""
    install(plain, ground.package)

    ready(plain)
    assert ["active"] * 4 == [plain.state_of(unit) for unit in UNITS]
    assert ["enabled"] * 4 == [plain.show(unit, "UnitFileState") for unit in UNITS]
    assert "/usr/bin/watcher" == plain.out("sh", "-c", "command -v watcher")
    assert 0 == plain.watcher("status").returncode
    assert "systemd-journal" in plain.out("id", "--name", "--groups", "release-watcher").split()
    for path in ("man/man1/watcher.1.gz", "man/man5/watcher.yaml.5.gz", "bash-completion/completions/watcher"):
        assert plain.path(f"/usr/share/{path}").exists()
    assert "" == plain.out("systemd-analyze", "verify", "--man=no", *UNITS, "release-watcher-rollback.service")


def test_doctor_after_the_installation(plain: Machine, ground: Ground) -> None:
    """`watcher doctor` finds nothing that keeps the service from working, and `systemctl` nothing that failed."""
    install(plain, ground.package)
    ready(plain)

    found = plain.watcher("doctor", check=False)
    assert 0 == found.returncode, found
    assert "" == plain.out("systemctl", "list-units", "--failed", "--no-legend", "--plain", "release-watcher*")


def test_package_that_is_upgraded_and_taken_back(plain: Machine, ground: Ground, newer: Path) -> None:
    """Configuration and state stay; a release that was registered before is there afterwards, in both directions."""
    install(plain, ground.package)
    plain.write("/etc/release-watcher/watcher.yaml", JOB)
    plain.watcher("reload")
    release = plain.watcher("release", "start", "import", "--version", "2.0").stdout.strip()

    for package, version in ((newer, "99.0"), (ground.package, "")):
        install(plain, package)
        assert plain.out("dpkg-query", "-W", "-f", "${Version}", "release-watcher").startswith(version)
        assert JOB == plain.path("/etc/release-watcher/watcher.yaml").read_text(encoding="utf-8")
        ready(plain)
        assert "watching" == plain.release(release)["phase"]


def test_package_that_is_removed_then_purged(plain: Machine, ground: Ground) -> None:
    """Removing leaves configuration and records; purging takes both, and everything that PID 1 knew of it."""
    install(plain, ground.package)
    plain.write("/etc/release-watcher/conf.d/site.yaml", JOB)
    ready(plain)

    plain.run("apt-get", "remove", "--quiet=2", "--yes", "release-watcher")
    assert ["inactive"] * 4 == [plain.state_of(unit) for unit in UNITS]
    assert plain.path("/etc/release-watcher/watcher.yaml").exists()
    assert plain.path("/var/lib/release-watcher/state.db").exists()
    assert not plain.path("/opt/release-watcher").exists()

    plain.run("apt-get", "purge", "--quiet=2", "--yes", "release-watcher")
    assert not plain.path("/var/lib/release-watcher").exists()
    assert not plain.path("/var/lib/release-watcher-rollback").exists()
    assert ["site.yaml"] == [path.name for path in plain.path("/etc/release-watcher").rglob("*.yaml")]
    assert "" == plain.out("find", "/etc/systemd", "/run/systemd/system", "-name", "*release-watcher*")


def test_purge_that_is_told_to_keep_the_records(plain: Machine, ground: Ground) -> None:
    """Who answers the question with no keeps the state: a later installation knows which rollbacks were run."""
    install(plain, ground.package)
    ready(plain)
    plain.run("debconf-set-selections", text="release-watcher release-watcher/remove-state boolean false\n")

    plain.run("apt-get", "purge", "--quiet=2", "--yes", "release-watcher")

    assert plain.path("/var/lib/release-watcher/state.db").exists()
    assert plain.path("/var/lib/release-watcher-rollback").exists()
