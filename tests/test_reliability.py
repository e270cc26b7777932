"""The page on reliability can't lie: each fault has its row, and each test that a row names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.dispatch import test_dispatcher as dispatcher
from tests.faults import test_crash_points as daemon
from tests.faults import test_rollback_faults as runner

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FAULTS = [f"F{number}" for number in range(1, 60)]
CODE = ROOT / "watcher"
INSTEAD = "can't be tried here: "


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
    assert named or INSTEAD in shown
    assert [] == [(path, name) for path, name in named if name not in _tests_in(ROOT / path)]
    assert all(name.startswith("test_") for _, name in named)


def test_each_crash_point_is_documented_there_and_killed_at() -> None:
    """The list on the page is that of the code, and a test ends a process at each of them."""
    documented = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    code = [node for path in CODE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    calls = [node for node in code if isinstance(node, ast.Call)]
    reached = {ast.literal_eval(one.args[0]) for one in calls if ast.unparse(one.func).split(".")[-1] == "reached"}
    killed_at = {
        *dispatcher.BEFORE_CLAIM,
        *dispatcher.CLAIMED,
        *dispatcher.STARTED,
        *(point.partition(":")[0] for point in (*daemon.BEFORE_THE_RELEASE, *daemon.EMBEDDED, *daemon.DISPATCHED)),
        *daemon.IN_THE_READER,
        *runner.BEFORE_START,
        *runner.IN_THE_RUN,
        *runner.AFTER_RUN,
        *runner.HALF_A_FILE,
    }
    assert len(set(documented)) == len(documented)
    assert reached == set(documented) == killed_at
