"""Fuzzing without a fuzzer: seeded changes of good input, and every input that once found a defect.

`make fuzz` is the long form, guided by coverage.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.targets import FOUND, TARGETS

ROUNDS = {"config": 60, "scenario": 60, "http": 150, "entry": 150}
TOKENS = (
    *(b"\x00", b"\xff", b"\xfe", b"\n", b"\r\n", b"\x1b[2J", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\\ud800"),
    *(b"1e999", b"Infinity", b"9" * 5000, b"-1", b"null", b'""', b"{}", b"[" * 2000, b'{"a":' * 2000),
    *(b"&a", b"*a", b"!!python/object:os.system", b"<<: "),
)


def changed(seed: bytes, dice: random.Random) -> bytes:
    """The seed with a few bytes changed, taken out, doubled, or something odd put in."""
    data = bytearray(seed)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(data) + 1)
        end = min(len(data), place + dice.choice([0, 1, 1, 4, 40]))
        match dice.randrange(5):
            case 0:
                data[place:end] = dice.choice(TOKENS)
            case 1:
                del data[place:end]
            case 2:
                data[place:place] = data[place:end] * dice.choice([1, 2, 50])
            case 3:
                data[place:end] = dice.randbytes(end - place)
            case _:
                data[place : place + 1] = bytes([dice.randrange(256)])
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_changed_input_breaks_nothing(name: str) -> None:
    """Whatever becomes of good input, the part that reads it first keeps its promises."""
    target, dice = TARGETS[name], random.Random(f"release-watcher {name}")
    for seed in target.seeds:
        target.run(seed)
    for number in range(ROUNDS.get(name, 400)):
        data = changed(dice.choice(target.seeds), dice)
        try:
            target.run(data)
        except Exception as error:
            raise AssertionError(f"{name}, round {number}: {data[:2000]!r}") from error


@pytest.mark.parametrize("file", sorted(FOUND.glob("*/*")), ids=lambda file: f"{file.parent.name}-{file.name}")
def test_input_that_found_a_defect(file: Path) -> None:
    """What was found once stays mended."""
    TARGETS[file.parent.name].run(file.read_bytes())
