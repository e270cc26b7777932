"""Every shipped pack against lines as they really come: a new `.samples` file is a new test.

`## text` is a comment. `# RULE… {FIELDS}` says which rules of the pack must fire on each line that follows, `-` for
none, and with which fields the entry comes besides its MESSAGE.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.config.document import read_document
from watcher.config.packs import read_pack, shipped_packs
from watcher.config.problem import Place
from watcher.core.rule import Rule
from watcher.journal.matcher import LONGEST_TEXT, Matcher

SAMPLES = sorted(Path(__file__).parent.glob("*.samples"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One entry and the rules that must fire on it."""

    place: Place
    rules: tuple[str, ...]
    fields: dict[str, str]


def read_samples(file: Path) -> Iterator[Sample]:
    rules: tuple[str, ...] = ()
    fields: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("## "):
            continue
        if line.startswith("# "):
            words, brace, rest = line.removeprefix("# ").partition("{")
            rules = tuple(word for word in words.split() if word != "-")
            fields = json.loads(brace + rest) if brace else {}
            continue
        yield Sample(place=Place(file.name, number), rules=rules, fields={"MESSAGE": line, **fields})


def rules_of(pack: str) -> list[Rule]:
    found, problems = read_pack(read_document(shipped_packs()[pack]))
    assert () == problems
    assert found is not None
    return [entry.rule for entry in found.entries if entry.rule is not None]


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_samples(file: Path) -> None:
    """Exactly the rules above a line fire on it, in the order of the pack."""
    matcher = Matcher(rules_of(file.stem))
    expected, fired = [], []
    for sample in read_samples(file):
        raw = {name: value.encode() for name, value in sample.fields.items()}
        hits = matcher.hits(raw["MESSAGE"], raw.get)
        expected.append((str(sample.place), sample.rules))
        fired.append((str(sample.place), tuple(str(rule.name) for rule in hits)))
    assert expected == fired


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_every_rule_has_a_sample(file: Path) -> None:
    """A rule without a line that it must match is not known to match anything."""
    sampled = {rule for sample in read_samples(file) for rule in sample.rules}
    assert {str(rule.name) for rule in rules_of(file.stem)} == sampled


def test_every_shipped_pack_has_samples() -> None:
    """A new pack comes with its lines."""
    assert set(shipped_packs()) == {file.stem for file in SAMPLES}


@pytest.mark.parametrize("pack", sorted(shipped_packs()))
def test_every_rule_tests_itself(pack: str) -> None:
    """Each shipped rule has lines that must match and near misses, and is called as its file is."""
    document = read_document(shipped_packs()[pack])
    found, problems = read_pack(document)
    assert () == problems
    assert found is not None
    assert pack == found.name
    text = shipped_packs()[pack].read_text(encoding="utf-8")
    assert len(found.entries) == text.count("\n    tests:\n")
    assert len(found.entries) == text.count("\n      match:")
    assert len(found.entries) == text.count("\n      no_match:")


def test_a_crash_counts_once_among_the_results() -> None:
    """Whatever the result, exactly one rule of the systemd pack fires on PID 1's record of a failure."""
    matcher = Matcher(rules_of("systemd"))
    results = ("exit-code", "signal", "core-dump", "watchdog", "timeout", "oom-kill", "start-limit-hit", "protocol")
    for result in results:
        raw = {
            "MESSAGE": f"import.service: Failed with result '{result}'.".encode(),
            "MESSAGE_ID": b"d9b373ed55a64feb8242e02dbe79a49c",
            "_PID": b"1",
            "UNIT_RESULT": result.encode(),
        }
        assert 1 == len(matcher.hits(raw["MESSAGE"], raw.get)), result


def test_systemd_rules_count_a_run_once() -> None:
    """The records that PID 1 writes about one run are one match."""
    assert {"run"} == {rule.once for rule in rules_of("systemd")}


def test_kernel_rules_believe_the_kernel_alone() -> None:
    """Nobody else can send what these rules ask for."""
    conditions = {(rule.where[0].field, rule.where[0].values) for rule in rules_of("kernel")}
    assert {("_TRANSPORT", ("kernel",))} == conditions


def test_all_packs_go_together() -> None:
    """No two packs have a rule of the same name, and no rule is slow to compile with all the others."""
    names = [str(rule.name) for pack in shipped_packs() for rule in rules_of(pack)]
    assert sorted(set(names)) == sorted(names)


PIECES = (
    b"ERROR", b"  ", b"[", b"]", b"2026-11-24 ", b"22:00:01,123", b" - ", b'"level":', b"level=", b"error",
    b'"', b"Task x[", b"status=bounced (", b"to=<", b"\tat ", b"java.lang.", b"Exception", b": ", b"(Job{",
    b"} | ", b"12#12: ", b"*1 ", b" while connecting to", b"x509: ", b"\n", b"PHP message: PHP ",
    b"Fatal error:  ", b"aaaaaaaaaaaaaaaaaaaa", b"] Worker (pid:", b"[pool x] child 1, script '",
    b"(request: ",
)  # fmt: skip
"""Beginnings of what the rules look for, to lead the engine into as many half matches as there are."""


def test_hostile_text_costs_little_with_all_packs() -> None:
    """Lines of 16 KiB made of what rules look for: a millisecond each at most, on the average and warmed up."""
    dice = random.Random(7)
    texts = [b"".join(dice.choices(PIECES, k=2500))[:LONGEST_TEXT] for _ in range(600)]
    for text in texts[:300]:
        assert ALL_PACKS.search(text) is not None, "the engine gave up"
    began = time.process_time()
    for text in texts[300:]:
        assert ALL_PACKS.search(text) is not None, "the engine gave up"
    assert time.process_time() - began < 0.3


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)))
@settings(max_examples=200, deadline=None)
def test_no_text_makes_the_packs_fail(text: bytes) -> None:
    """Any bytes are matched or not."""
    assert isinstance(ALL_PACKS.hits(text, lambda _field: None), tuple)


ALL_PACKS = Matcher([rule for pack in sorted(shipped_packs()) for rule in rules_of(pack)])
