"""Machines for the stories: a Debian root and the package are made once a session, then each module boots its own.

WATCHER_TEST_DEBIAN names the release (bookworm unless told). Where a root can't be had everything here is skipped with
one line that says why; with WATCHER_TEST_SYSTEM=required, as CI sets it, that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.parts.machine import REPOSITORY, Machine
from tests.parts.stage import DEBIAN, Ground, install

UNAVAILABLE = 69


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it is marked `system`; the first test makes the root and the package, which takes a minute or two."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.timeout(600))


def _made_by(*argv: str) -> Path:
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode == UNAVAILABLE and os.environ.get("WATCHER_TEST_SYSTEM") != "required":
        pytest.skip(f"no booted Debian here: {done.stderr.strip()}")
    assert done.returncode == 0, f"{argv}:\n{done.stdout}{done.stderr}"
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def ground() -> Ground:
    """The root and the package; made now, or kept from an earlier session."""
    plain = _made_by("tools/root", DEBIAN, "system")
    return Ground(plain=plain, package=_made_by("deploy/debian/build", DEBIAN))


@pytest.fixture(scope="session")
def installed(ground: Ground) -> Iterator[tuple[Path, ...]]:
    """The layers of a Debian on which the package was installed, as it lies there after a shutdown."""
    with ExitStack() as stack:
        machine = Machine([ground.plain], name=f"{DEBIAN}-installed")
        layer = machine.upper.parent.parent / f"{machine.name}.layer"
        with machine:
            install(machine, ground.package)
            machine.power_off()
            shutil.rmtree(layer, ignore_errors=True)
            shutil.move(machine.upper, layer)
        stack.callback(shutil.rmtree, layer)
        yield (ground.plain, layer)


@pytest.fixture(scope="module")
def boot(installed: tuple[Path, ...]) -> Iterator[Callable[[str], Machine]]:
    """Boots further machines with the package on them; they end with the module."""
    with ExitStack() as stack:

        def one(name: str) -> Machine:
            return stack.enter_context(Machine(installed, name=f"{DEBIAN}-{name}"))

        yield one


@pytest.fixture(scope="module")
def machine(boot: Callable[[str], Machine], request: pytest.FixtureRequest) -> Machine:
    """The module's own machine, with the package on it."""
    return boot(request.path.stem.removeprefix("test_").replace("_", "-"))


@pytest.fixture(autouse=True)
def _story_of_a_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where a test fails, the end of the machine's journal is printed."""
    failed_before = request.session.testsfailed
    yield
    if request.session.testsfailed > failed_before and "machine" in request.fixturenames:
        machine: Machine = request.getfixturevalue("machine")
        sys.stdout.write(machine.story())
