"""Hostile text shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.text import block, code, last_lines, prose, shown, shown_lines, table

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
"""Lone surrogates included."""


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("import done", "import done"),
        (r"\x1b[2J\x1b]0;pwned\x07", "\x1b[2J\x1b]0;pwned\x07"),
        (r"\x00\x08\x7f\x9b31m", "\x00\x08\x7f\x9b31m"),
        (r"one\r\n\ttwo", "one\r\n\ttwo"),
        (r"abc\u202etxt.exe\u202c", "abc\u202etxt.exe\u202c"),
        (r"\u2066\u2069\u200e\u200f\u061c", "\u2066\u2069\u200e\u200f\u061c"),
        (r"ze\u200bro\u200c\u200d\u2060\ufeff", "ze\u200bro\u200c\u200d\u2060\ufeff"),
        (r"\u2028\u2029", "\u2028\u2029"),
        (r"\ud800x\udcff", "\ud800x\udcff"),
        (r"soft\xadhyphen, tag \U000e0041, private \ue000", "soft\xadhyphen, tag \U000e0041, private \ue000"),
        (r"blank \u3164\u115f", "blank \u3164\u115f"),
        ("Grüße, 日本語, שלום 🎉", "Grüße, 日本語, שלום 🎉"),
        (r"C:\new", r"C:\new"),
        ("$(reboot)", "$(reboot)"),
    ],
)
def test_what_does_not_print_is_escaped_and_the_rest_stays(expected: str, text: str) -> None:
    """Controls, bidi, zero-width and surrogates are written out; every writing of the world stays readable."""
    assert expected == shown(text, limit=200)


@pytest.mark.parametrize(
    ("expected", "text", "limit"),
    [
        ("abcdef", "abcdef", 6),
        ("abcde…", "abcdefg", 6),
        (r"ab…", "ab\x1bcd", 6),
        (r"ab\x1b", "ab\x1b", 6),
        ("…", "abc", 1),
        ("", "abc", 0),
        ("ü…", "üüü", 2),
    ],
)
def test_long_text_is_cut_between_escapes(expected: str, text: str, limit: int) -> None:
    """The limit counts what is shown, the sign of the cut included, and no escape is halved."""
    assert expected == shown(text, limit=limit)


@given(ANY_TEXT, st.integers(min_value=0, max_value=40))
def test_shown_text_prints_fits_and_stays_as_it_is(text: str, limit: int) -> None:
    """Whatever comes in: printable, encodable, within the limit, and showing it again changes nothing."""
    result = shown(text, limit=limit)
    assert len(result) <= limit
    assert all(unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029" for char in result)
    assert result == result.encode().decode()
    assert result == shown(result, limit=limit)


def test_two_mebibytes_cost_no_more_than_their_head() -> None:
    """Only as much is looked at as can be shown."""
    assert "\\x1b\\x1b…" == shown("\x1b" * 2_097_152, limit=9)


def test_lines_are_shown_one_by_one_and_counted_when_left_out() -> None:
    """A text of many lines keeps its first ones and says how many more there are."""
    assert ("one", "two") == shown_lines("one\r\ntwo\n", limit=20, lines=5)
    assert ("a", "b", "… 2 more lines") == shown_lines("a\nb\nc\nd", limit=20, lines=2)
    assert ("",) == shown_lines("", limit=20, lines=2)


def test_of_an_output_the_last_lines_are_kept() -> None:
    """How it ended stands at the end."""
    assert ("… 2 lines before", "c", "\\x1b[0m") == last_lines("a\nb\nc\r\n\x1b[0m\n", limit=20, lines=2)
    assert ("a", "b") == last_lines("a\nb", limit=20, lines=2)


def test_table_is_straight_and_its_last_column_free() -> None:
    """Columns have one width, so that it reads well without being rendered too."""
    expected = "| rule | matches |\n|------|---------|\n| `a`  | 5 |\n| `bc` | 12 |"
    assert expected == table([("`a`", "5"), ("`bc`", "12")], header=("rule", "matches"))
    assert "|   |  |\n|---|---|\n| a | b |" == table([("a", "b")])


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("half_imported rows", "half_imported rows"),
        (r"\_\_init\_\_", "__init__"),
        (r"\*\*bold\*\* \[x](http://evil) \<b>hi\</b>", "**bold** [x](http://evil) <b>hi</b>"),
        (r"\`code\` a \| b \~\~no\~\~", "`code` a | b ~~no~~"),
        (r"a & b \&lt; \&#60;", "a & b &lt; &#60;"),
        (r"two\nlines, C:\new, \\\[not a link]", "two\nlines, C:\\new, \\[not a link]"),
    ],
)
def test_prose_is_words_and_never_markup(expected: str, text: str) -> None:
    """What CommonMark, HTML or a table would read as markup is escaped, and nothing else."""
    assert expected == prose(text, limit=200)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("`import`", "import"),
        ("", ""),
        ('"  "', "  "),
        ("`` a`b ``", "a`b"),
        ("``` ``x ```", "``x"),
        ("`  padded `", " padded"),
        (r"`a \| b`", "a | b"),
        (r"`<b>\n</b>`", "<b>\n</b>"),
    ],
)
def test_code_span_holds_any_text(expected: str, text: str) -> None:
    """The fence is longer than any run of backticks inside, and a table cell stays one."""
    assert expected == code(text, limit=200)


@given(st.lists(ANY_TEXT))
def test_no_line_ends_its_block(lines: list[str]) -> None:
    """The fence is longer than any run of backticks within, so that only the last line can be the end."""
    safe = [shown(line, limit=60) for line in lines]
    first, *body, last = block(safe).split("\n")
    assert first == f"{last}text"
    assert len(last) >= 3
    assert not any(last in line for line in body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::error::x", "\\x3a:error::x"),
        ("  ::set-output name=a::b", "  \\x3a:set-output name=a::b"),
        ("at 10 ##[error]x", "at 10 #\\x23[error]x"),
        ("##vso[task.setvariable variable=a]b", "#\\x23vso[task.setvariable variable=a]b"),
        ("####[x] ##a##b[x]", "###\\x23[x] ##a#\\x23b[x]"),
        ("## Title [x]", "## Title [x]"),
        ("std::vector", "std::vector"),
    ],
)
def test_nothing_is_a_command_to_a_ci_system(text: str, expected: str) -> None:
    """What shows a release in a job's output can't be made to set the job's variables or hide its errors."""
    assert expected == shown(text, limit=100)
    assert "::error" not in shown_lines("fine\n::error::x", limit=100, lines=5)[1]


def test_blanks_of_any_width_are_blanks() -> None:
    """An en quad, a no-break space and an ideographic space are shown as what they look like."""
    assert "a b c d e" == shown("a\u2000b\u00a0c\u3000d\u1680e", limit=100)
