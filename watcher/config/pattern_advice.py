"""What RE2 complains of in a pattern, at which character, and the way out. Knows RE2's messages, no files.

RE2 takes what can be matched in linear time, so people who come from PCRE miss lookaround, backreferences and
possessive quantifiers; each has another way here. Messages: `RegexpStatus::CodeText` in its re2/regexp.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_SYNTAX = "RE2 syntax: https://github.com/google/re2/wiki/Syntax"
_PERL, _ESCAPE = "invalid perl operator: ", "invalid escape sequence: "
_REPETITION, _NOTHING = "bad repetition operator: ", "no argument for repetition operator: "
_GROUPS = {
    "(?=": "RE2 has no lookahead: use `unless` for what must not be there, and write out what must",
    "(?!": "RE2 has no lookahead: use `unless`",
    "(?<": "RE2 has no lookbehind: use `unless`, or match what stands before as well",
    "(?>": "RE2 never backtracks, so it has no atomic groups: write (?:…)",
    "(?(": "RE2 has no conditions: write two rules, or both ways with |",
    "(?#": "RE2 has no comments: YAML has, after a #",
    "(?x": "RE2 has no flag x: write the pattern without blanks; YAML has comments",
    "(?|": "RE2 has no branch reset: write (?:…)",
    "(?P": "a named group is (?P<name>…); RE2 can't refer back to one",
}
_LETTERS = {
    "Z": r"write \z for the end of the text",
    "G": "a rule searches each entry once: leave it out",
    "K": "leave it out: a rule fires on the whole entry; `capture` keeps a part",
    "k": "RE2 has no backreferences: write two rules, or use `unless`",
    "h": r"write [ \t]",
    "R": r"write \r?\n",
    "N": "write . (it takes no line break)",
    "X": "write .",
    "e": r"write \x1b",
    "u": r"write \x{00e4} for a character by its number, or the character itself",
    "x": r"write two hexadecimal digits, as in \x1b",
    "c": r"write the character by its number, as in \x1b",
}
_BACKREFERENCE = "RE2 has no backreferences, and no lookahead: use `unless`, or write two rules"
_POSSESSIVE = "RE2 never backtracks, so it has no possessive quantifiers: leave the second + out"
_OPENERS = {"missing ): ": "(", "missing ]: ": "["}


def advice_on(said: str, pattern: str) -> tuple[str, int | None]:
    """A hint for RE2's message about `pattern`, and the offset of the character that it is about, if that is known."""
    for about, opener in _OPENERS.items():
        if said.startswith(about):
            hint = f"close it, or write \\{opener} for the character itself"
            return hint, _unclosed(pattern, opener)
    if said.startswith("unexpected )"):
        return r"write \) for the character itself", _unopened(pattern)
    _, colon, fragment = said.partition(": ")
    if said.startswith("trailing \\"):
        return r"write \\ for the character itself", len(pattern) - 1
    return _hint(said), _offset(pattern, fragment) if colon and fragment else None


def _hint(said: str) -> str:
    for prefix, hint_of in _HINTS.items():
        if said.startswith(prefix):
            return hint_of(said.removeprefix(prefix)) or _SYNTAX
    return _SYNTAX


def _on_group(fragment: str) -> str:
    return _GROUPS.get(fragment[:3], "")


def _on_escape(fragment: str) -> str:
    letter = fragment[1:2]
    if letter.isdigit():
        return _BACKREFERENCE
    return _LETTERS.get(letter, f"write {letter} without the backslash")


def _on_repetition(fragment: str) -> str:
    if fragment in ("++", "*+", "?+"):
        return _POSSESSIVE
    return rf"one is enough, or write \{fragment[-1]} for the character itself"


def _on_nothing(fragment: str) -> str:
    if fragment.startswith("*"):
        return r"this is no glob: write .* for any text, or \* for the character itself"
    return rf"there is nothing to repeat: write \{fragment[:1]} for the character itself"


def _on_size(_: str) -> str:
    return "at most 1000 repetitions, also of all together that stand inside each other"


def _on_range(fragment: str) -> str:
    if fragment.startswith("[:"):
        return "classes are [[:alpha:]], [[:digit:]], [[:space:]], [[:upper:]] and so on"
    if fragment.startswith("\\"):
        return r"Unicode classes are \pL, \p{Greek} and so on"
    return r"a range goes upwards; write \- or put it last for the character itself"


_HINTS: dict[str, Callable[[str], str]] = {
    _PERL: _on_group,
    _ESCAPE: _on_escape,
    _REPETITION: _on_repetition,
    _NOTHING: _on_nothing,
    "invalid repetition size: ": _on_size,
    "invalid character class range: ": _on_range,
}


def _offset(pattern: str, fragment: str) -> int | None:
    """Where the fragment stands as RE2 reads it: not the second half of an escape, nor in a class if it is none."""
    for at, in_class in _characters(pattern):
        named = fragment == "(?P" and pattern.startswith("(?P<", at)
        if pattern.startswith(fragment, at) and not named and not (in_class and fragment[0] in "(*+?"):
            return at
    at = pattern.find(fragment)
    return at if at >= 0 else None


def _unclosed(pattern: str, opener: str) -> int | None:
    """The bracket that is never closed: the innermost one that is open at the end."""
    opened, _, last_class = _brackets(pattern)
    if opener == "[":
        return last_class
    return opened[-1] if opened else None


def _unopened(pattern: str) -> int | None:
    """The closing bracket that closes nothing."""
    return _brackets(pattern)[1]


def _brackets(pattern: str) -> tuple[list[int], int | None, int | None]:
    """The round brackets that are still open, the first that closes none, and where the last class begins."""
    opened: list[int] = []
    stray = last_class = None
    for at, in_class in _characters(pattern):
        char = pattern[at]
        if in_class:
            continue
        if char == "[":
            last_class = at
        elif char == "(":
            opened.append(at)
        elif char == ")" and opened:
            opened.pop()
        elif char == ")" and stray is None:
            stray = at
    return opened, stray, last_class


def _characters(pattern: str) -> Iterator[tuple[int, bool]]:
    """The offset of each character or escape, and whether it stands inside a class; its own brackets do not."""
    at, in_class = 0, False
    while at < len(pattern):
        char = pattern[at]
        if in_class and char == "]":
            in_class = False
        yield at, in_class
        if char == "\\":
            at += 2
        elif in_class and pattern.startswith("[:", at) and ":]" in pattern[at:]:
            at = pattern.index(":]", at) + 2
        elif not in_class and char == "[":
            in_class = True
            at += 2 if pattern.startswith("[^", at) else 1
            if pattern.startswith("]", at):  # first in a class it is a character
                yield at, True
                at += 1
        else:
            at += 1
