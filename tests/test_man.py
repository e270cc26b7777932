"""The manual pages: sound roff, and nothing of the command line or the configuration is missing from them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from watcher.cli.grammar import grammar_of
from watcher.cli.main import parser

MANUAL = Path(__file__).parent.parent / "deploy" / "man"
PAGES = sorted(MANUAL.glob("*.[1-9]"))


def rendered(page: Path) -> str:
    """The page as a terminal shows it, wide and without overstrikes."""
    done = subprocess.run(
        ["mandoc", "-T", "utf8", "-O", "width=300", str(page)], capture_output=True, text=True, check=True
    )
    plain: list[str] = []
    for char in done.stdout:
        if char == "\b":
            plain.pop()
        else:
            plain.append(char)
    return "".join(plain)


needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")


@needs_mandoc
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_nothing_to_say(page: Path) -> None:
    """Not even about style."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", str(page)], capture_output=True, text=True, check=False
    )
    assert ("", "") == (done.stdout, done.stderr)


@needs_mandoc
def test_every_verb_and_option_is_in_the_command_s_page() -> None:
    """Whoever has no net still finds each of them."""
    page = rendered(MANUAL / "watcher.1")
    verbs = list(grammar_of(parser()).walk())
    missing = [" ".join(verb.path) for verb in verbs if f"\n   {' '.join(verb.path)}\n" not in page]
    assert ["watcher"] == missing
    flags = {flag for verb in verbs for option in verb.options for flag in option.flags}
    assert set() == {flag for flag in flags if flag not in page}


@needs_mandoc
def test_text_that_roff_would_obey_is_shown() -> None:
    """The example of the configuration stands there letter by letter, with its quotes, backslashes and tildes."""
    page = rendered(MANUAL / "watcher.yaml.5")
    example = (MANUAL.parent / "examples" / "watcher.yaml").read_text(encoding="utf-8")
    shown = {line.strip() for line in page.splitlines()}
    assert [] == [line for line in example.splitlines() if line.strip() and line.strip() not in shown]
