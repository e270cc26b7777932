"""The page on reliability can't lie: each fault has its row, and each test that a row names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FAULTS = [f"F{number}" for number in range(1, 60)]
INSTEAD = ("can't be tried here: ", "not built: ")


@cache
def _tests_in(path: Path) -> frozenset[str]:
    """The names of a file's tests, without running it."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(one.name for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def test_each_fault_has_one_row() -> None:
    """In their order, none twice, none left out."""
    assert FAULTS == re.findall(r"^\| (F\d+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_names_tests_that_there_are(fault: str) -> None:
    """What has to happen stands there; and at least one test, or why there is none."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {fault} |"))
    _, _, what, required, shown, _ = (cell.strip() for cell in row.split("|"))
    assert all((what, required, shown))
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    assert named or any(words in shown for words in INSTEAD)
    assert [] == [(path, name) for path, name in named if name not in _tests_in(ROOT / path)]
    assert all(name.startswith("test_") for _, name in named)
