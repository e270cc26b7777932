"""Mistakes in patterns: the character, and the way out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.config.leaves import WrongError
from watcher.config.rule_leaves import compiled

WRONG = [
    (r"rows (?=lost)", 5, "`unless`"),
    (r"^(?!DEBUG)", 1, "RE2 has no lookahead: use `unless`"),
    (r"a(?<!b)c", 1, "no lookbehind: use `unless`"),
    (r"(\w+) \1", 6, "no backreferences"),
    (r"\\1 (\w+) \1", 10, "no backreferences"),
    (r"(?P<n>a)(?P=n)", 8, "can't refer back"),
    (r"\k<n>", 0, "no backreferences"),
    (r"[++] a++", 6, "possessive"),
    (r"a*+b", 1, "possessive"),
    (r"(?>a+)", 0, "no atomic groups: write (?:…)"),
    (r"(?x) a", 0, "without blanks"),
    (r"*.service", 0, "no glob: write .*"),
    (r"a(+b)", 2, r"write \+"),
    (r"rows (12", 5, r"close it, or write \( for the character itself"),
    (r"(a) [(] (b \( c", 8, r"write \("),
    (r"rows 12)", 7, r"write \)"),
    (r"a [0-9", 2, r"write \["),
    (r"[]a] [b", 5, r"write \["),
    (r"[z-a]", 1, r"write \-"),
    (r"[[:digits:]]", 1, "[[:digit:]]"),
    (r"a{2000}", 1, "at most 1000"),
    ("path\\", 4, r"write \\"),
    (r"end\Z", 3, r"write \z"),
    (r"\y", 0, "write y without the backslash"),
    (r"a**", 1, "one is enough"),
]


@pytest.mark.parametrize(("pattern", "offset", "advice"), WRONG, ids=[pattern for pattern, _, _ in WRONG])
def test_wrong_pattern(pattern: str, offset: int, advice: str) -> None:
    """The error points at the character that is wrong, and its hint is a way out."""
    with pytest.raises(WrongError) as caught:
        compiled(pattern)
    assert offset == caught.value.offset
    assert advice in caught.value.hint


@given(st.text(alphabet="ab()[]{}*+?\\^$|:<>=!#P19,-kZx", max_size=12))
def test_any_pattern_compiles_or_is_explained(pattern: str) -> None:
    """Whatever is written, the error has a hint, and its place lies inside the pattern."""
    error = mistake_in(pattern)
    if error is not None:
        assert error.hint
        assert error.offset is None or 0 <= error.offset < max(len(pattern), 1)


def mistake_in(pattern: str) -> WrongError | None:
    try:
        compiled(pattern)
    except WrongError as error:
        return error
    return None
