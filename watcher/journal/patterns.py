"""Patterns as google-re2 takes them: many at once in linear time, and never a lost match.

Knows the engine and its limits; must not know rules, units or journal fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import re2

from watcher.core.errors import WatcherError

MOST_MEMORY: Final = 16 << 20
"""For a set's program and its automaton, which grows with the texts that it sees and starts anew when it is full."""
LONGEST: Final = 4096
"""Of a pattern in characters: a longer one is a mistake, and costs memory in every job that uses it."""
_SYNTAX = "RE2 syntax: https://github.com/google/re2/wiki/Syntax"


class PatternError(WatcherError):
    """A pattern that can't be used: a text or a glob with a mistake in it."""


def compile_pattern(pattern: str) -> re2._Regexp[str]:
    """`pattern` compiled for searching bytes that hold UTF-8.

    Raises PatternError, which quotes the pattern: too long, not RE2, or too large for the engine.
    """
    if len(pattern) > LONGEST:
        raise PatternError(f'pattern "{pattern[:60]}…" has {len(pattern)} characters, at most {LONGEST} are taken')
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise PatternError(f'pattern "{pattern}": {reason}', hint=_SYNTAX) from error
    except UnicodeEncodeError as error:
        raise PatternError(f"pattern {pattern!a} holds half a character", hint="save the file as UTF-8") from error


class PatternSet:
    """Searches a text for all of `patterns` in one pass, whatever their number.

    The engine answers "nothing" both for no match and for no memory left
    (https://github.com/google/re2/issues/136). So the set also holds a pattern that is true of every text; where its
    answer is missing, each pattern is tried by itself.

    `search` is the engine's own call, for the hot loop: it answers with the numbers of the patterns found, in no
    order, `guard` among them unless it gave up. So an answer of length 1 means that nothing was found, for good;
    any other answer means: ask `found`.
    """

    __slots__ = ("_alone", "_patterns", "guard", "search")

    def __init__(self, patterns: Sequence[str], *, max_mem: int = MOST_MEMORY) -> None:
        """Raises PatternError for the first pattern that can't be used. `max_mem` in bytes is there for tests."""
        for pattern in patterns:
            compile_pattern(pattern)  # the set itself says neither what is wrong nor which one is too large
        self._patterns = tuple(patterns)
        self._alone: tuple[re2._Regexp[str], ...] | None = None
        self.guard = len(patterns)
        self.search: Callable[[bytes], list[int] | None] = _searching((*patterns, ""), max_mem)

    def found(self, text: bytes) -> list[int]:
        """The numbers of the patterns that `text` holds, in rising order; complete in any case."""
        answer = self.search(text)
        if answer is not None and self.guard in answer:
            return sorted(number for number in answer if number != self.guard)
        if self._alone is None:
            self._alone = tuple(map(compile_pattern, self._patterns))
        return [number for number, pattern in enumerate(self._alone) if pattern.search(text) is not None]


def _searching(patterns: Sequence[str], max_mem: int) -> Callable[[bytes], list[int] | None]:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_mem
    together = re2.Set.SearchSet(options)
    for pattern in patterns:
        together.Add(pattern)
    try:
        together.Compile()
    except re2.error:  # each of them is small enough, together they are not
        return _gives_up
    return together._set.Match  # what `Match` calls, without its look at the text's type: 3 % of all time for an entry


def _gives_up(_text: bytes) -> None:
    """The answer of a set that has no memory."""


def readable(text: bytes) -> bytes:
    """`text` as valid UTF-8, each wrong byte as U+FFFD: to the engine a wrong byte is no character, not even a `.`."""
    return text if text.isascii() else text.decode(errors="replace").encode()
