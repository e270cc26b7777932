"""Whether a process is part of a rollback."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.cli.inside import rollback_around

FACTS = {"WATCHER_RELEASE_ID": "import-7", "WATCHER_REASON_CODE": "matches"}
UNIT = "0::/system.slice/release-watcher-rollback@import-7.service\n"
TEMPLATE = (
    "0::/system.slice/system-release\\x2dwatcher\\x2drollback.slice/release-watcher-rollback@a.b-1.service/inner\n"
)


@pytest.mark.parametrize(
    ("expected", "environment", "cgroup"),
    [
        (None, {}, "0::/user.slice/user-1000.slice/session-3.scope\n"),
        ("import-7", FACTS, "0::/\n"),
        (None, {"WATCHER_RELEASE_ID": "import-7"}, "0::/\n"),
        ("import-7", {}, UNIT),
        ("a.b-1", {}, TEMPLATE),
        (None, {}, "0::/system.slice/release-watcher-rollback.service\n"),
    ],
)
def test_environment_or_unit_tell(
    tmp_path: Path, expected: str | None, environment: dict[str, str], cgroup: str
) -> None:
    """The facts that only a rollback command gets, or the unit that it runs in; the dispatcher's own is another."""
    path = tmp_path / "cgroup"
    path.write_text(cgroup, encoding="utf-8")
    assert expected == rollback_around(environment, path)


def test_without_procfs_only_the_environment_tells(tmp_path: Path) -> None:
    """No error."""
    assert rollback_around({}, tmp_path / "missing") is None
