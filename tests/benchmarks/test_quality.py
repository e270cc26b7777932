"""The measure behind docs/rules-quality.md, on small logs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.quality import Health, health_of, judge, layout_of, rules_of
from watcher.journal.matcher import Matcher

LEVELS = """LineId,Date,Time,Level,Process,Component,Content,EventId
1,2015-10-18,"18:01:47,978",INFO,main,a.B,started,E1
2,2015-10-18,"18:01:48,978",ERROR,main,a.B,rows are gone,E2
3,2015-10-18,"18:01:49,978",WARN,main,a.B,slow,E3
4,2015-10-18,"18:01:50,978",INFO,main,a.B,the ERROR was retried,E4
5,2015-10-18,"18:01:51,978",FATAL,main,a.B,[FATAL] giving up,E5
"""


def printed(*arguments: str) -> str:
    """What the program prints."""
    command = [sys.executable, "-m", "benchmarks.quality", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_lines_and_messages_alone(tmp_path: Path) -> None:
    """With its level a line is found; by its words alone it may be missed, and is shown then."""
    log = tmp_path / "Small_2k.csv"
    log.write_text(LEVELS, encoding="utf-8")
    whole, alone = printed(str(log), "--packs=generic"), printed(str(log), "--packs=generic", "--text=content")
    assert "| Small | 5       | 2               | 100.0% | 2               | 0.00% | 0 of 1 |" in whole
    assert "| Small | 5       | 2               | 50.0% | 2               | 0.00% | 0 of 1 |" in alone
    assert "Missed" not in whole
    assert "| 1     | -     | `rows are gone` |" in alone


def test_wrong_hits_are_shown_by_kind(tmp_path: Path) -> None:
    """A rule that is not anchored is caught by healthy entries, as many as there are of a kind."""
    pack, log = tmp_path / "loose.yaml", tmp_path / "web.csv"
    pack.write_text("pack: {name: loose}\nrules:\n  - {name: loose, match: error, severity: error}\n", encoding="utf-8")
    log.write_text("Label,Content\n-,0 errors in 3 rows\n-,0 errors in 9 rows\nx,no error\n-,done\n", encoding="utf-8")
    text = printed(str(log), f"--packs={pack}")
    assert "| web | 4       | 1               | 100.0% | 3               | 66.67% | 0 of 0 |" in text
    assert "| 2     | loose | `0 errors in 3 rows` |" in text


@pytest.mark.parametrize(
    ("row", "health"),
    [
        ({"Level": "SEVERE"}, Health.FAILING),
        ({"Level": " Warn "}, Health.BETWEEN),
        ({"Level": "debug"}, Health.HEALTHY),
        ({"Level": "combo"}, Health.UNKNOWN),
        ({"Level": "INFO", "Label": "KERNDTLB"}, Health.FAILING),
        ({"Level": "FATAL", "Label": "-"}, Health.HEALTHY),
        ({}, Health.UNKNOWN),
    ],
)
def test_health(row: dict[str, str], health: Health) -> None:
    """The label decides where there is one; a word that is no level says nothing."""
    assert health is health_of(row)


@pytest.mark.parametrize(
    ("columns", "layout"),
    [
        ("Date Time Level Process Component Content", "{Date} {Time} {Level} [{Process}] {Component}: {Content}"),
        ("LineId Date Time Level Content", "{Date} {Time} {Level} {Content}"),
        ("Month Date Time Level Component PID Content", "{Content}"),
        ("Label Content", "{Content}"),
    ],
)  # fmt: skip
def test_layouts(columns: str, layout: str) -> None:
    """A known log gets its own form, an unknown one its columns in their order, syslog the message alone."""
    assert layout == layout_of(columns.split())


def test_a_row_counts_once_however_many_rules_fire() -> None:
    """Shares are of entries."""
    rows = [{"Level": "ERROR", "Content": "[ERROR] Error handling request /"}]
    result = judge(rows, "{Content}", Matcher(rules_of(["generic", "gunicorn"])))
    assert (1.0, 2) == (result.share(Health.FAILING), len(result.rules))
