"""Which rules match: the same from a stream and from the journal, nothing lost between matched and unmatched."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.parts.journals import START, STEP, write_journal
from watcher.core.duration import Usec
from watcher.core.found import Match
from watcher.core.names import RuleName
from watcher.core.rule import FieldCondition, Rule
from watcher.core.severity import Severity
from watcher.journal.memory import MemoryEntry, MemoryReader
from watcher.journal.reading import Reading
from watcher.journal.recorded import read_recorded
from watcher.journal.scan import Scanner
from watcher.journal.source import Source
from watcher.matching import Matching, job_for, match_journal, match_recorded, rules_for_lines

FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
RULES = (
    Rule(name=RuleName("trace"), severity=Severity.ERROR, match="^Traceback", until="^[A-Za-z]+Error:"),
    Rule(name=RuleName("lost"), severity=Severity.ERROR, match="lost"),
    Rule(name=RuleName("failed"), severity=Severity.CRITICAL, message_id=FAILED, once="run"),
)
SENDER = {"_SYSTEMD_UNIT": "import.service", "_PID": "700", "_UID": "900", "_TRANSPORT": "stdout", "PRIORITY": "6"}
PID1 = {"_SYSTEMD_UNIT": "init.scope", "_PID": "1", "_UID": "0", "UNIT": "import.service", "INVOCATION_ID": "1"}


def story(rounds: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for place in range(rounds):
        entries += [
            {"MESSAGE": f"row {place} stored", **SENDER},
            {"MESSAGE": "Traceback (most recent call last):", **SENDER},
            {"MESSAGE": "  row lost", **SENDER},
            {"MESSAGE": "KeyError: 1", **SENDER},
            {"MESSAGE": f"row {place} lost", **SENDER},
            {"MESSAGE": "row of others lost", **SENDER, "_SYSTEMD_UNIT": "other.service"},
            {"MESSAGE": "no such luck", **SENDER, "PRIORITY": "3" if place == 7 else "6"},
            {"MESSAGE": "it failed", "MESSAGE_ID": FAILED, **PID1},
        ]
    return entries


def from_journal(directory: Path, rounds: int) -> Matching:
    seen: list[Reading] = []
    matching = match_journal(
        job_for(RULES, units=["import.service"]),
        Source(directory=str(directory)),
        since=Usec(START),
        until=Usec(START + 10**12),
        seen=seen.append,
    )
    assert rounds * 8 == sum(reading.entries for reading in seen)
    return matching


def from_memory(rounds: int) -> Matching:
    entries = [
        MemoryEntry(at=Usec(START + place * STEP), fields={name: (value.encode(),) for name, value in one.items()})
        for place, one in enumerate(story(rounds))
    ]
    return match_recorded(job_for(RULES, units=["import.service"]), entries)


def facts(matching: Matching) -> dict[str, Any]:
    return {
        "entries": (matching.entries, matching.matched, matching.joined, matching.again, matching.unmatched),
        "rules": {rule: (hits.count, hits.samples) for rule, hits in matching.hits.items()},
        "kinds": {kind.template: (kind.count, kind.samples, kind.priority) for kind in matching.kinds.values()},
        "gaps": matching.gaps,
    }


@pytest.mark.parametrize("rounds", [1, 10, 700])
def test_journal_and_memory_agree(tmp_path: Path, rounds: int) -> None:
    """Every entry of the job is matched, joined, counted before or left over; texts belong to their entries."""
    write_journal(tmp_path, story(rounds))
    found = facts(from_journal(tmp_path, rounds))
    assert facts(from_memory(rounds)) == found
    assert (7 * rounds, 2 * rounds + 1, 2 * rounds, rounds - 1, 2 * rounds) == found["entries"]
    assert {"trace": rounds, "lost": rounds, "failed": 1} == {rule: one[0] for rule, one in found["rules"].items()}
    assert {"row <num> stored": rounds, "no such luck": rounds} == {
        kind: one[0] for kind, one in found["kinds"].items()
    }
    assert (3 if rounds > 7 else 6) == found["kinds"]["no such luck"][2]
    assert "row 0 lost" == found["rules"]["lost"][1][0].text


def on_lines(rules: Sequence[Rule], *lines: str) -> Matching:
    recorded = read_recorded(io.BytesIO("\n".join(lines).encode()), "x")
    return match_recorded(job_for(rules_for_lines(rules), units=["lines.service"]), recorded.entries)


def test_a_line_says_nothing_of_its_sender() -> None:
    """Conditions on fields that it doesn't have are taken as met; the one on PRIORITY is asked."""
    kernel = Rule(
        name=RuleName("kernel"),
        severity=Severity.ERROR,
        match="segfault",
        where=(FieldCondition(field="_TRANSPORT", values=("kernel",)),),
    )
    bad = Rule(
        name=RuleName("bad"),
        severity=Severity.ERROR,
        match=".",
        where=(FieldCondition(field="PRIORITY", at_most=3), FieldCondition(field="_COMM", values=("x",))),
    )
    said = Rule(name=RuleName("said"), severity=Severity.ERROR, message_id=FAILED)
    matching = on_lines((kernel, bad, said), "a segfault", "<3>worse", "fine")
    assert {"kernel": 1, "bad": 1} == {rule: hits.count for rule, hits in matching.hits.items()}
    assert ["fine"] == [kind.template for kind in matching.kinds.values()]


def test_samples_are_few_and_different() -> None:
    """However many lines there are, a handful of each kind is kept."""
    matching = on_lines((), *(f"row {number % 7} stored" for number in range(2000)))
    (kind,) = matching.kinds.values()
    assert (2000, 5) == (kind.count, len(kind.samples))
    assert 5 == len({sample.text for sample in kind.samples})


def test_lines_that_are_data_are_told_apart_by_what_they_say() -> None:
    """Their message makes the kind, and so does their level."""
    lines = [
        '{"level":"error","msg":"row 7 lost","at":1}',
        '{"level":"error","msg":"row 8 lost","at":2}',
        '{"level":"info","msg":"row 8 lost","at":2}',
        '{"level":"error","msg":"disk full","at":2}',
    ]
    matching = on_lines((), *lines)
    kinds = [(kind.level, kind.template, kind.count) for kind in matching.kinds.values()]
    level = ("level", "error")
    expected = [(level, "row <num> lost", 2), (("level", "info"), "row <num> lost", 1), (level, "disk full", 1)]
    assert expected == kinds


@pytest.mark.parametrize("seed", range(20))
def test_asking_for_the_rest_changes_nothing(seed: int) -> None:
    """In any order of entries the rules count what they count for the daemon, joins and runs included."""
    entries = story(12)
    random.Random(seed).shuffle(entries)
    recorded = [
        MemoryEntry(at=Usec(START + place * STEP), fields={name: (value.encode(),) for name, value in one.items()})
        for place, one in enumerate(entries)
    ]
    job = job_for(RULES, units=["import.service"])
    scanner = Scanner((job,))
    scanner.scan(MemoryReader(recorded), entries=10**6, matches=10**6)
    tally = scanner.drain()
    counted = Counter(rule for one in tally.found if isinstance(one, Match) for rule in one.rules)
    matching = match_recorded(job, recorded)
    assert dict(counted) == {rule: hits.count for rule, hits in matching.hits.items()}
    assert sum(one.entries for one in tally.tallies) == matching.entries
    assert 0 <= matching.joined


def test_two_hosts_whose_processes_are_called_the_same() -> None:
    """As in an export of both: the lines of one's traceback lie between those of the other's, and each counts once."""
    texts = ("Traceback (most recent call last):", "  row lost", "KeyError: 1")
    entries = [{**SENDER, "_MACHINE_ID": host * 32, "MESSAGE": text} for text in texts for host in "ab"]
    recorded = [
        MemoryEntry(at=Usec(START + place * STEP), fields={name: (value.encode(),) for name, value in one.items()})
        for place, one in enumerate(entries)
    ]
    matching = match_recorded(job_for(RULES, units=["import.service"]), recorded)
    assert {"trace": 2} == {rule: hits.count for rule, hits in matching.hits.items() if hits.count}
