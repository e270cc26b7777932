"""Hostile text made safe to show: log lines, command output and people's words, for a terminal and for Markdown.

Knows no record and no layout. What comes out of `shown` holds printable characters only, so it can neither move a
cursor nor hide, reorder or fake a line, and is no command to a CI system that reads the output of its jobs; the
Markdown forms keep it from becoming markup as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import punctuation
from unicodedata import category

_CUT = "…"
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, formats (bidi, zero-width), surrogates, private use, unassigned; the line and paragraph separators."""
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that draw nothing: Default_Ignorable_Code_Point outside the categories above."""
_BLANK, _SPACES = " ", "Zs"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BYTE, _PLANE = 0xFF, 0xFFFF


def shown(text: str, *, limit: int) -> str:
    r"""`text` in at most `limit` printable characters; what was cut off ends in `…`, and no escape is cut in two.

    Everything that does not print is written as `\n`, `\x1b`, `\u202e` or `\U000e0041`, and so is one character of what
    a CI system would obey. A backslash stays one, so this is for eyes: it can't be turned back.
    """
    head = text[: limit + 1]  # an escape is never shorter than its character
    marks = _commands(head) if "::" in head or "##" in head else ()
    if len(head) <= limit and head.isascii() and head.isprintable() and not marks:
        return head
    pieces: list[str] = []
    room = limit
    for place, char in enumerate(head):
        piece = f"\\x{ord(char):02x}" if place in marks else _escaped(char)
        room -= len(piece)
        if room < 0 or (room == 0 and place + 1 < len(head)):
            return _shorten(pieces, limit)
        pieces.append(piece)
    return "".join(pieces)


def shown_lines(text: str, *, limit: int, lines: int) -> tuple[str, ...]:
    """`text` line by line, each `shown` with `limit`; of more than `lines` the first ones and how many are left out."""
    every = text.removesuffix("\n").split("\n")
    kept = tuple(shown(line.removesuffix("\r"), limit=limit) for line in every[:lines])
    left = len(every) - len(kept)
    return kept if left == 0 else (*kept, f"{_CUT} {left} more lines")


def last_lines(text: str, *, limit: int, lines: int) -> tuple[str, ...]:
    """As `shown_lines`, but of more than `lines` the last ones: the end of an output tells how it ended."""
    every = text.removesuffix("\n").split("\n")
    left = max(len(every) - lines, 0)
    kept = shown_lines("\n".join(every[left:]), limit=limit, lines=lines)
    return kept if left == 0 else (f"{_CUT} {left} lines before", *kept)


def prose(text: str, *, limit: int) -> str:
    """`text` shown inside a Markdown sentence or table cell: as words, never as markup, HTML or a link with a mask.

    It may not stand at the start of a line.
    """
    safe = shown(text, limit=limit)
    around = f" {safe} "
    return "".join(map(_plain, around, safe, around[2:]))


def code(text: str, *, limit: int) -> str:
    """`text` shown as a Markdown code span, also inside a table cell; an empty text is nothing."""
    safe = shown(text, limit=limit)
    if not safe.strip():
        return f'"{safe}"' if safe else ""
    fence = "`" * (_longest_run(safe) + 1)
    pad = " " if len(fence) > 1 or safe != safe.strip() else ""
    span = f"{fence}{pad}{safe}{pad}{fence}"
    return span.replace("|", "\\|")


def block(lines: Iterable[str], *, language: str = "text") -> str:
    """Lines that were shown before, as a fenced Markdown block that none of them can end."""
    body = "\n".join(lines)
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def table(rows: Iterable[Sequence[str]], *, header: Sequence[str] = ()) -> str:
    """A Markdown table that is also straight to the eye; the cells hold what `prose` or `code` made safe."""
    body = [tuple(row) for row in rows]
    head = tuple(header) or ("",) * len(body[0])
    widths = [max(len(row[place]) for row in (head, *body)) for place in range(len(head) - 1)]
    lines = [_row(row, widths) for row in (head, *body)]
    rule = "|".join(["", *("-" * (width + 2) for width in widths), "-" * max(len(head[-1]) + 2, 3), ""])
    return "\n".join([lines[0], rule, *lines[1:]])


def _commands(text: str) -> frozenset[int]:
    """The characters without which no CI system finds a command: `::name …::` as a line, `##name[…]` anywhere in it.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions; the latter is that of Azure
    (`##vso[`), TeamCity and older runners of GitHub.
    """
    marks = set()
    begin = len(text) - len(text.lstrip())
    if text.startswith("::", begin):
        marks.add(begin)
    place = text.find("##")
    while place >= 0:
        end = place + 2
        while end < len(text) and text[end].isalpha():
            end += 1
        if text[end : end + 1] == "[":
            marks.add(place + 1)
        place = text.find("##", max(place + 1, end - 1))
    return frozenset(marks)


def _escaped(char: str) -> str:
    if " " <= char <= "~":
        return char
    kind = category(char)
    if kind == _SPACES:  # blanks of other widths; Python prints none of them, and a person sees no difference
        return _BLANK
    if kind not in _UNSAFE and char not in _BLANK_LETTERS:
        return char
    number = ord(char)
    if number <= _BYTE:
        return _SHORT.get(char, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number <= _PLANE else f"\\U{number:08x}"


def _shorten(pieces: list[str], limit: int) -> str:
    length = sum(map(len, pieces))
    while pieces and length + len(_CUT) > limit:
        length -= len(pieces.pop())
    return "".join(pieces) + _CUT[:limit]


def _plain(before: str, char: str, after: str) -> str:
    """`char` between its neighbours, with a backslash where CommonMark or a GFM table would read it as markup."""
    markup = char in "`*[<|~" or (char == "_" and not (before.isalnum() and after.isalnum()))
    entity = char == "&" and (after.isalnum() or after == "#")
    escape = char == "\\" and after in punctuation
    return f"\\{char}" if markup or entity or escape else char


def _longest_run(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    *first, last = cells
    padded = [f"{cell:<{width}}" for cell, width in zip(first, widths, strict=True)]
    return f"| {' | '.join([*padded, last])} |"
