"""What a verb prints: data on stdout, messages and errors on stderr, colours on a terminal that wants them.

Knows the forms of the output; nothing that somebody else wrote is printed except through `core/text.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from watcher.core.errors import WatcherError
from watcher.core.text import shown, shown_lines

SCHEMA = 1
WORDS, LINE = 300, 4000
_ERROR_LINES = 200
_GREEN, _YELLOW, _RED = "32", "33", "31"
_COLOURS = {
    "ok": _GREEN,
    "error": _RED,
    "warning": _YELLOW,
    "passed": _GREEN,
    "succeeded": _GREEN,
    "ready": _GREEN,
    "failed": _RED,
    "unknown": _RED,
    "not ready": _RED,
    "inconclusive": _YELLOW,
    "held": _YELLOW,
    "paused": _YELLOW,
}


class Output:
    """Prints as the options and the terminal want it; made by `output_of`."""

    def __init__(self, *, is_json: bool, has_colour: bool) -> None:
        self.is_json = is_json
        self._has_colour = has_colour

    def data(self, answer: Mapping[str, Any], lines: Sequence[str]) -> None:
        """The outcome: `answer` for programs, `lines`, which are safe to show, for people."""
        text = json.dumps(answer) if self.is_json else "\n".join(lines)
        if text:
            sys.stdout.write(f"{text}\n")

    def message(self, text: str) -> None:
        """What a person wants to know meanwhile."""
        sys.stderr.write(f"watcher: {shown(text, limit=LINE)}\n")
        sys.stderr.flush()

    def complaint(self, line: str) -> None:
        """One line, safe to show, about a place in somebody's file: `FILE:LINE:COL: …`."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def coloured(self, word: str, *, width: int = 0) -> str:
        """A word such as `failed` in its colour, if it has one, filled with blanks to `width`."""
        safe = shown(word, limit=WORDS)
        colour = _COLOURS.get(word)
        return f"\033[{colour}m{safe:<{width}}\033[0m" if colour and self._has_colour else f"{safe:<{width}}"


def output_of(args: argparse.Namespace) -> Output:
    """The output that the options ask for; NO_COLOR as on https://no-color.org."""
    plain = args.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Output(is_json=args.output == "json", has_colour=not plain and sys.stdout.isatty())


def words(text: Any) -> str:
    """Somebody's words, short and safe; what is not known is a dash."""
    return "-" if text is None or text == "" else shown(str(text), limit=WORDS)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of safe texts under each other, two blanks between the columns."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def report(error: WatcherError, code: int, *, is_json: bool, to: TextIO) -> None:
    """The error for a person, or as one JSON object."""
    faults = getattr(error, "problems", ())
    if is_json:
        shown_error = {
            "message": error.message,
            "hint": error.hint,
            "exit_code": code,
            "problems": _plain(error, faults),
        }
        to.write(json.dumps({"schema": SCHEMA, "error": shown_error}) + "\n")
        return
    texts = [str(one) for one in faults]
    if not hasattr(error, "to_json"):  # a configuration's problems are printed as they are: FILE:LINE:COL comes first
        texts = texts if error.message == "; ".join(texts) else [error.message, *texts]
        texts[0] = f"watcher: {texts[0]}"
    lines = [line for text in texts for line in shown_lines(text, limit=LINE, lines=_ERROR_LINES)]
    if error.hint:
        lines.append(f"  hint: {shown(error.hint, limit=LINE)}")
    to.write("".join(f"{line}\n" for line in lines))


def _plain(error: WatcherError, faults: Sequence[Any]) -> list[Any]:
    to_json = getattr(error, "to_json", None)
    found: list[Any] = to_json() if callable(to_json) else [str(one) for one in faults]
    return found
