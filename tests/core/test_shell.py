"""Commands for people to paste."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.shell import command_line, quote


@pytest.mark.parametrize(
    ("expected", "word"),
    [
        ("import.service", "import.service"),
        ("''", ""),
        ("'import@*.service'", "import@*.service"),
        ("'$(reboot)'", "$(reboot)"),
        ("""'it'"'"'s'""", "it's"),
        (r"$'two\012lines'", "two\nlines"),
        (r"$'\0331'", "\x1b1"),
        (r"'dev-disk\x2d1.mount'", r"dev-disk\x2d1.mount"),
    ],
)
def test_word_is_quoted_where_it_must_be(expected: str, word: str) -> None:
    """Plain words stay readable; all others are one word to the shell."""
    assert expected == quote(word)


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8), max_size=4))
def test_the_shell_reads_the_words_again(words: list[str]) -> None:
    """The shell takes the line apart into exactly these words."""
    line = command_line(["printf", r"%s\0", *words, "end"])
    output = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
    assert [*words, "end"] == output.decode().split("\0")[:-1]
