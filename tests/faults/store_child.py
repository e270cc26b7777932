"""A store in a process of its own: plays the story below and says on stdout how many commits were acknowledged.

`store_child.py DIRECTORY`: commits one event after the other, the `acknowledged` ones being those that it printed. A
StoreError makes it try the same event again after a line on stdin; it exits with 75 when the disk can't be trusted.
`store_child.py DIRECTORY told` fsyncs the file `told` after each, too.
`store_child.py DIRECTORY fill`: fills the disk, then counts, then decides, and says which of the two was stored.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from tests.events import NEXT, OTHER_JOB, START, batch, match, observed, pause, policy, release, request, resume
from tests.events import settings as load
from watcher.adapters.database import StoreError, StoreLostError
from watcher.adapters.store import Store
from watcher.core.duration import Usec
from watcher.core.engine import decide
from watcher.core.messages import Event
from watcher.core.release import RollbackState
from watcher.core.state import State

POLICIES = (policy(limit=3, within=None, window="60s"), policy(job=OTHER_JOB, window="60s"))
STORY: tuple[Event, ...] = (
    load(*POLICIES, at="-60s"),
    batch(entries=5, at="-5s", position="one"),
    release(at="0s"),
    batch(match("2s"), entries=2, at="3s", position="two"),
    pause(OTHER_JOB, at="4s"),
    release(request(OTHER_JOB), fresh_id=NEXT, at="5s"),
    batch(match("6s"), match("7s"), entries=9, at="8s", position="three"),
    observed(RollbackState.RUNNING, at="9s", started="9s"),
    observed(RollbackState.SUCCEEDED, at="10s", started="9s", finished="10s", exit_code=0),
    resume(OTHER_JOB, at="11s"),
    batch(entries=3, at="80s", position="four"),
)
NOW = Usec(START)


def kept(state: State) -> State:
    """Of a state what a store keeps; a series at zero is there from the configuration alone."""
    counters = {series: value for series, value in state.counters.items() if value}
    return replace(
        state,
        counters=counters,
        policies={},
        rollbacks_per_hour=State().rollbacks_per_hour,
        read_until=None,
        last_entry_at=None,
    )


def tell_on(store: Store, held: State, place: int) -> None:
    """Commits what of the story comes after its first `place` commits; a start adopts the configuration again."""
    state = decide(held, STORY[0]).state if place else held
    for event in STORY[place:]:
        decision = decide(state, event)
        store.commit(decision)
        state = decision.state


def states() -> list[State]:
    """The state after each number of commits."""
    known = [State()]
    for event in STORY:
        known.append(decide(known[-1], event).state)
    return known


def main(directory: str, *, told: bool) -> int:
    """Play the story; the exit code."""
    try:
        store = Store.open(Path(directory), NOW)
        state = State()
        for number, event in enumerate(STORY, start=1):
            decision = decide(state, event)
            while True:
                try:
                    store.commit(decision)
                    break
                except StoreError:
                    assert kept(state) == kept(store.load()), "memory and database differ"
                    sys.stdout.write("full\n")
                    sys.stdout.flush()
                    sys.stdin.readline()
            state = decision.state
            if told:
                with Path(directory, "told").open("w") as file:
                    os.fsync(file.fileno())
            sys.stdout.write(f"acknowledged {number}\n")
            sys.stdout.flush()
        store.close()
    except (StoreError, StoreLostError) as error:
        sys.stderr.write(f"{error.message}\n")
        return 75
    return 0


def fill(directory: str) -> int:
    """Count and decide on a disk on which nothing is left but the ballast; the exit code."""
    store = Store.open(Path(directory), NOW)
    state = State()
    for event in STORY[:3]:
        decision = decide(state, event)
        store.commit(decision)
        state = decision.state
    _until_full(Path(directory, "filler"))
    outcome = "stored"
    for number in range(100):  # the log of the database has some room of its own at first
        counted = decide(state, batch(entries=1, at="2s", position=f"{number}" + "x" * 10_000))
        try:
            store.commit(counted)
        except StoreError:
            outcome = "full"
            break
        state = counted.state
    sys.stdout.write(f"counted: {outcome}\n")
    failed = decide(state, batch(match("3s"), match("3s"), match("3s"), at="3s", position="decided"))
    store.commit(failed)
    assert kept(failed.state) == kept(store.load())
    sys.stdout.write("decided: stored\n" if failed.commands else "nothing was decided\n")
    return 0


def _until_full(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


if __name__ == "__main__":
    sys.exit(fill(sys.argv[1]) if sys.argv[2:] == ["fill"] else main(sys.argv[1], told=sys.argv[2:] == ["told"]))
