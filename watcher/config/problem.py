"""What is wrong in a file and where: one object that becomes a line of text, JSON or problem+json.

Knows no YAML and no models. Standard library only: whatever reads the configuration as root uses it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from watcher.core.errors import WatcherError

_SHOWN = 80
_PLAIN_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@*?")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file. Line and column count from 1, columns in characters. As text it is one printable line."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{_plain(self.file)}:{self.line}:{self.column}"


class Weight(StrEnum):
    """Whether a problem keeps the configuration from being used."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. `path` is the key's path as people write it, "" for the file as a whole.

    As text nothing in it is obeyed by a terminal, whatever a message quotes of the file.
    """

    place: Place
    message: str
    path: str = ""
    hint: str = ""
    weight: Weight = Weight.ERROR

    def __str__(self) -> str:
        weight = "warning: " if self.weight is Weight.WARNING else ""
        path = f"{self.path}: " if self.path else ""
        hint = f"\n  hint: {_plain(self.hint)}" if self.hint else ""
        return f"{self.place}: {weight}{path}{_plain(self.message)}{hint}"

    def to_json(self) -> dict[str, str | int]:
        """The same as an object of plain values."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
            "severity": str(self.weight),
        }


class ConfigError(WatcherError):
    """A configuration that can't be used: every problem found in it, warnings too, in the order of the files.

    The message counts the errors; as text the exception is its problems, one beneath the other.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        errors = sum(problem.weight is Weight.ERROR for problem in self.problems)
        super().__init__(f"the configuration can't be used: {errors} error{'' if errors == 1 else 's'}")

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))

    def to_json(self) -> list[dict[str, str | int]]:
        """Every problem as an object of plain values."""
        return [problem.to_json() for problem in self.problems]


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether one of them keeps the configuration from being used."""
    return any(problem.weight is Weight.ERROR for problem in problems)


def in_order(problems: Iterable[Problem], files: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Each problem once, those of a file together and from its top to its end.

    The named files come first, in their order, then the others as they first come.
    """
    once = list(dict.fromkeys(problems))
    ranks = {file: rank for rank, file in enumerate(dict.fromkeys([*files, *(one.place.file for one in once)]))}
    return tuple(sorted(once, key=lambda problem: (ranks[problem.place.file], problem.place)))


def render_path(path: Iterable[str | int]) -> str:
    """Keys and list indices as one text: `jobs.import.release.fail_when[1].matches`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if 0 < len(step) <= _SHOWN and _PLAIN_KEY.issuperset(step) else quoted(step)
            text += f".{key}" if text else key
    return text


def quoted(text: str) -> str:
    """Somebody's text inside a message: in quotes, short, and without anything that a terminal would obey."""
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return f'"{_plain(shown)}"'


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
