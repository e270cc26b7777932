"""Whether the program of a command can be started, as far as can be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.doctor.program import Unusable, unusable


def test_what_can_be_started_and_what_can_not(tmp_path: Path) -> None:
    """Each with the line to run; what the command is given is not repeated."""
    program, link, hint = tmp_path / "roll back", tmp_path / "link", f"'{tmp_path}/roll back'"
    assert Unusable(f"there is no {hint}", f"ls -l {hint}") == unusable([str(program), "--token", "secret"])
    link.symlink_to(program)
    assert Unusable(f"{link} leads nowhere", f"ls -l {link}") == unusable([str(link)])
    program.touch(mode=0o644)
    assert Unusable(f"{hint} can't be executed", f"chmod a+x {hint}") == unusable([str(program)])
    program.chmod(0o755)
    assert unusable([str(program), "--token", "secret"]) is None
    assert Unusable(f"{tmp_path} is no file", f"ls -ld {tmp_path}") == unusable([str(tmp_path)])


@pytest.mark.parametrize(
    ("path", "why"),
    [("/" + "x" * 300, "File name too long"), ("/usr/bin/true/x", "Not a directory"), ("/a\0b", "null byte")],
)
def test_what_the_system_refuses_to_look_at(path: str, why: str) -> None:
    """It is told as what it is, and ends nobody."""
    found = unusable([path])
    assert found is not None
    assert why in found.what
