"""Rules against what a job really logged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parts.journals import Fields, write_journal
from watcher.core.duration import HOUR, Usec
from watcher.core.names import JobName, RuleName
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.doctor import rule_checks
from watcher.doctor.finding import Finding, Weight
from watcher.doctor.rule_checks import read_spans, rule_findings
from watcher.journal.source import Source

NOW = Usec(1_700_000_000_000_000)


def rule(name: str, match: str, severity: Severity = Severity.ERROR) -> Rule:
    return Rule(name=RuleName(name), severity=severity, match=match)


def entry(age: int, message: str, priority: int = 6, unit: str = "import.service") -> Fields:
    sender: Fields = {"_SYSTEMD_UNIT": unit, "_PID": "700", "_UID": "900", "PRIORITY": priority}
    return {"__REALTIME_TIMESTAMP": NOW - age, "MESSAGE": message, **sender}


def findings(directory: Path, entries: list[Fields], *rules: Rule) -> list[Finding]:
    write_journal(directory, entries)
    job = WatchedJob(name=JobName("import"), units=("import.service",), identifiers=(), rules=rules)
    return list(rule_findings((job,), read_spans((job,), Source(directory=str(directory)), now=NOW)))


def day(*messages: str, priority: int = 6) -> list[Fields]:
    return [entry(HOUR - 1000 * place, message, priority) for place, message in enumerate(messages)]


def test_a_rule_that_fires_on_what_is_harmless(tmp_path: Path) -> None:
    """A large share of the last day's info entries is no error; the line to run is named."""
    rules = (rule("wide", "row"), rule("rare", "lost"), rule("told", "stored", Severity.INFO))
    found = findings(tmp_path, day(*["row 1 stored"] * 27, *["row 2 lost"] * 3), *rules)
    what = "rule wide (error) fires on every one of the 30 info entries of the last day"
    assert [(Weight.WARNING, what)] == [(one.weight, one.what) for one in found]
    assert "watcher rules match --job import --since -1d" in found[0].hint


def test_a_share_is_told_as_one(tmp_path: Path) -> None:
    """From a fifth on."""
    entries = day(*["fine"] * 16, *["row 2 lost"] * 4, *["row 3 gone"] * 3)
    found = findings(tmp_path, entries, rule("lost", "lost"), rule("gone", "gone"))
    assert [] == found
    found = findings(tmp_path, [], rule("lost", "lost row|lost$"), rule("gone", "gone|lost"))
    assert ["rule gone (error) fires on 7 (30%) of the 23 info entries of the last day"] == [one.what for one in found]


def test_errors_that_say_so_are_no_harm(tmp_path: Path) -> None:
    """What its writer calls bad may be found as often as it comes."""
    assert [] == findings(tmp_path, day(*["row 2 lost"] * 30, priority=4), rule("lost", "lost"))


def test_a_few_entries_say_nothing(tmp_path: Path) -> None:
    """A share of a handful is chance."""
    assert [] == findings(tmp_path, day(*["row 2 lost"] * 19), rule("lost", "lost"))


def test_rules_that_never_fired(tmp_path: Path) -> None:
    """Two weeks count, not one day; only entries of the job do."""
    entries = [
        entry(15 * 24 * HOUR, "too old"),
        entry(13 * 24 * HOUR, "row lost"),
        entry(2 * HOUR, "fine"),
        entry(HOUR, "too old", unit="other.service"),
    ]
    found = findings(tmp_path, entries, rule("lost", "lost"), rule("old", "too old"), rule("fine", "fine"))
    what = "1 of 3 rules have not fired on the 2 entries of the last 14d: old"
    assert [(Weight.NOTE, what)] == [(one.weight, one.what) for one in found]


def test_a_job_that_logged_nothing_says_nothing_of_its_rules(tmp_path: Path) -> None:
    """Nothing could fire."""
    assert [] == findings(tmp_path, [entry(HOUR, "a", unit="other.service")], rule("lost", "lost"))


def test_a_large_journal_is_looked_at_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said that not everything was read."""
    monkeypatch.setattr(rule_checks, "MOST_ENTRIES", 10)
    found = findings(tmp_path, day(*["fine"] * 15), rule("lost", "lost"))
    assert "entries of the last 14d, of which only a part was read: lost" in found[0].what
