"""Twenty thousand worlds, each from its seed: in none of them an invariant breaks. `make simulation` goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.__main__ import add, told
from tests.simulation.chance import Chance
from tests.simulation.disk import Disk, Luck
from tests.simulation.many import simulated
from tests.simulation.run import Failure, Run, retell, simulate
from tests.simulation.script import write
from tests.simulation.shrinking import shrink
from watcher.adapters.store import Store
from watcher.core.duration import Usec

CHUNK = 5_000
CHUNKS = 4


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_world_breaks_an_invariant(chunk: int) -> None:
    """Nor does any of them come to another end because of crashes, a full disk, cuts or what is told twice."""
    total = Counter[str]()
    for came in simulated(range(chunk * CHUNK, (chunk + 1) * CHUNK)):
        if isinstance(came, Failure):
            pytest.fail("\n".join(told(shrink(came, simulate))), pytrace=False)
        add(total, came)
    for what in ("releases passed", "releases failed", "releases inconclusive", "releases superseded", "crashes"):
        assert total[what] > CHUNK / 30, f"the worlds are too tame: {total}"
    assert total["commands started"] > CHUNK / 30


def test_a_seed_is_all_that_a_run_depends_on() -> None:
    """Not on the order of sets, which is another one in each process."""
    code = "from tests.simulation.run import retell; print(*retell(7), *retell(8), sep='\\n')"
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": number},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for number in ("1", "2")
    ]
    assert "\n".join([*retell(7), *retell(8), ""]) == told[0] == told[1]


@pytest.mark.parametrize("seed", range(12))
def test_the_disk_of_a_run_keeps_what_the_real_store_keeps(seed: int, tmp_path: Path) -> None:
    """Every decision of a run, committed to both: a new daemon finds the same state."""
    chance = Chance(seed)
    run = Run(write(chance), chance)
    run.play(faulty=True)
    store = Store.open(tmp_path, Usec(0))
    disk = Disk(lambda: Luck.WELL, lambda _: None)
    for _, decision in run.decided:
        store.commit(decision)
        disk.commit(decision)
    assert store.load() == disk.load()
    assert [store.release(one) for one in disk.releases] == list(disk.releases.values())
    store.close()
