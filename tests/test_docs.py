"""Docs that can't lie: what they repeat of the code is compared with the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.front import MemoryFront
from watcher.adapters.metrics import StateCollector
from watcher.cli import main
from watcher.core.coverage import GapReason
from watcher.core.release import Phase, RollbackState

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
METRICS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_generated_pages_are_current() -> None:
    """Diagram, schemas and help blocks are what the code makes now."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.docs", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 64, 69, 70, 75, 77, 78, 124, 130])
def test_each_exit_code_stands_in_the_readme(code: int) -> None:
    """A script's author finds every code."""
    assert f"| {code} |" in README


@pytest.mark.parametrize("word", [*Phase, *RollbackState, *GapReason])
def test_each_closed_choice_is_explained(word: str) -> None:
    """Phases, rollback states and gap reasons stand in the docs."""
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert f"`{word}`" in pages or f" {word}\n" in pages


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """No link to a file that is not there."""
    targets = [part.partition(")")[0] for part in README.split("](")[1:]]
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert [] == missing


def test_every_command_of_the_readme_is_one_that_there_is() -> None:
    """What stands in its shell blocks is taken by the real parser, each line by itself."""
    blocks = [block.partition("```")[0] for block in README.split("```sh\n")[1:]]
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [words for line in lines if (words := _command_in(line))]
    assert {"doctor", "init", "replay", "check", "reload", "release", "run"} <= {words[0] for words in commands}
    for words in commands:
        assert main.parser().parse_args(main._instants_joined(words)).run, words


def test_every_command_about_a_release_works_as_it_is_quoted() -> None:
    """What a sentence or a comment gives to type is whole: a person's decision needs its reason."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*/*")]
    texts = [page.read_text(encoding="utf-8") for page in pages if page.suffix in (".md", ".yaml", ".yml", ".catalog")]
    quoted = {one for text in texts for one in re.findall(r"`watcher (release \w+ (?:ID|@\w+@)[^`]*)`", text)}
    assert {"release rollback ID --reason TEXT", "release note ID"} <= quoted
    for command in quoted:
        assert main.parser().parse_args(command.split()).run, command


def _command_in(line: str) -> list[str]:
    """The arguments of the command `watcher` in a line of shell; none if there is none."""
    begin = line.find("watcher ")
    if begin < 0 or (begin > 0 and line[begin - 1] not in "( "):
        return []
    words = shlex.split(line[begin:].replace("&", "").replace(")", " "), comments=True)
    words = [word.removesuffix(";") for word in words[1:]]
    return words[: words.index("exit")] if "exit" in words else words


def test_every_figure_of_the_readme_names_its_command() -> None:
    """A number without the command that makes it is no figure."""
    section = README.partition("## Figures")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert rows
    assert [] == [row for row in rows if "`make " not in row and "`.venv" not in row]


def test_metrics_page_names_every_series_and_no_other() -> None:
    """docs/metrics.md and the collector agree."""
    documented = {line.split("`")[1] for line in METRICS.splitlines() if line.startswith("| `watcher_")}
    shown = {metric.name + "_total" * (metric.type == "counter") for metric in StateCollector(MemoryFront()).collect()}
    assert shown == documented


def test_the_glossary_holds_the_contracts_words() -> None:
    """One meaning each; the words that the contract fixes are all there."""
    words = ["job", "entry", "rule", "match", "run", "release", "threshold", "baseline", "verdict", "rollback", "pause"]
    assert [] == [word for word in words if f"| {word}" not in GLOSSARY]
