"""Single values: what a scalar of the file may say, and the good words when it doesn't.

Each function takes a node and returns the value or raises `WrongError`. Knows nothing of where in the configuration a
value stands; sections and `consistency.py` use the same functions. Standard library only: whatever reads the
configuration as root uses it too.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from watcher.config.nodes import MappingNode, Node, ScalarNode, SequenceNode, Style
from watcher.config.problem import quoted
from watcher.config.suggest import nearest
from watcher.core.duration import HOUR, Usec, format_duration, parse_duration
from watcher.core.errors import DurationError
from watcher.core.names import is_safe_name
from watcher.core.policy import SHORTEST_WINDOW

LONGEST_TEXT = 4096
"""Characters of one value: a pattern, an argument, an owner."""
MOST_MATCHES = 10_000
"""Matches that a threshold may ask for."""
DIGITS = frozenset("0123456789")
LONGEST_ROLLBACK = Usec(24 * HOUR)
"""Of a rollback's command; deploy/systemd/release-watcher-rollback@.service has an hour more."""
_LONGEST_NUMBER = 18

Choice = TypeVar("Choice", bound=StrEnum)


class WrongError(Exception):
    """A value that can't be what it stands for. `offset` points into the text, where that is known."""

    def __init__(self, message: str, hint: str = "", *, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.offset = offset


def describe(node: Node) -> str:
    """What a node is, in words that follow "must be …, not"."""
    match node:
        case SequenceNode():
            return "a list"
        case MappingNode():
            return "a mapping"
        case ScalarNode() if node.is_null:
            return "empty"
        case ScalarNode(style=Style.PLAIN):
            return quoted(node.text)
        case ScalarNode():
            return f"the text {quoted(node.text)}"


def text(node: Node) -> str:
    """Any text, as it is written: `no`, `0777` and `12:30` are words."""
    if not isinstance(node, ScalarNode) or node.is_null:
        raise WrongError(f"must be a text, not {describe(node)}")
    if len(node.text) > LONGEST_TEXT:
        raise WrongError(f"is longer than {LONGEST_TEXT:,} characters")
    if "\0" in node.text:
        raise WrongError("holds a NUL byte")
    return node.text


def line(node: Node) -> str:
    """A text of one line that isn't empty."""
    value = text(node)
    if not value.strip():
        raise WrongError("is empty")
    if not value.isprintable():
        raise WrongError(f"{quoted(value)} must be one line of printable text")
    return value


def name(node: Node) -> str:
    """A name as `core.names` allows it."""
    return named(text(node))


def named(value: str) -> str:
    """`value`, if it is a name as `core.names` allows it."""
    if not is_safe_name(value):
        raise WrongError(
            f"{quoted(value)} is not a name", "letters, digits, dots, dashes and _, at most 64, a letter or digit first"
        )
    return value


def flag(node: Node) -> bool:
    """`true` or `false`."""
    if not isinstance(node, ScalarNode) or node.boolean is None:
        raise WrongError(f"must be true or false, not {describe(node)}")
    return node.boolean


def count(node: Node) -> int:
    """A whole number from 1 on."""
    digits = node.text if isinstance(node, ScalarNode) and node.style is Style.PLAIN else ""
    if not digits or not DIGITS.issuperset(digits) or digits[0] == "0" or len(digits) > _LONGEST_NUMBER:
        raise WrongError(f"must be a whole number from 1 on, not {describe(node)}")
    return int(digits)


def count_up_to(most: int) -> Callable[[Node], int]:
    """A whole number of things of which a release remembers each one, so there is an upper bound."""

    def bounded(node: Node) -> int:
        value = count(node)
        if value > most:
            raise WrongError(f"must be at most {most:,}, not {value}")
        return value

    return bounded


def number(node: Node, *, above: float, below: float = math.inf, or_equal: bool = False) -> float:
    """A number between two bounds, which are left out themselves but for the upper one with `or_equal`."""
    value = _float(node)
    if value is not None and above < value and (value < below or (or_equal and value == below)):
        return value
    upper = "" if below == math.inf else f" and {'at most' if or_equal else 'below'} {below:g}"
    raise WrongError(f"must be a number above {above:g}{upper}, not {describe(node)}")


def _float(node: Node) -> float | None:
    if not isinstance(node, ScalarNode) or node.style is not Style.PLAIN or len(node.text) > _LONGEST_NUMBER:
        return None
    whole, dot, rest = node.text.partition(".")
    if not whole or not DIGITS.issuperset(whole + rest) or bool(dot) is not bool(rest):
        return None
    return float(node.text)


def span(node: Node) -> Usec:
    """A Prometheus duration; 0s is one."""
    if not isinstance(node, ScalarNode) or node.is_null:
        raise WrongError(f"must be a duration, not {describe(node)}", 'as in "90s", "15m" or "1h30m"')
    if _float(node) is not None:
        raise WrongError(
            f"{node.text} is a bare number, not a duration",
            f'write its unit, as in "{node.text}s" or "{node.text}m"',
        )
    try:
        return parse_duration(node.text)
    except DurationError as error:
        raise WrongError(f"{quoted(node.text)} is not a duration", error.hint) from error


def positive_span(node: Node) -> Usec:
    """A Prometheus duration longer than nothing."""
    value = span(node)
    if value == 0:
        raise WrongError("must be longer than 0s")
    return value


def window(node: Node) -> Usec:
    """How long a watch window is, the same as for `release start --window`."""
    value = positive_span(node)
    if value < SHORTEST_WINDOW:
        message = f"a window of {format_duration(value)} is too short"
        raise WrongError(message, f"give at least {format_duration(SHORTEST_WINDOW)}")
    return value


def rollback_timeout(node: Node) -> Usec:
    """How long a rollback's command may take: a day at most, as the unit that runs it ends it soon after that."""
    value = positive_span(node)
    if value > LONGEST_ROLLBACK:
        raise WrongError(f"must be at most {format_duration(LONGEST_ROLLBACK)}, not {format_duration(value)}")
    return value


def choice(kind: type[Choice]) -> Callable[[Node], Choice]:
    """Reads one of the words of `kind`."""

    def read(node: Node) -> Choice:
        word = text(node)
        if word not in list(kind):
            raise WrongError(f"{quoted(word)} is not one of: {', '.join(kind)}", nearest(word, list(kind)))
        return kind(word)

    return read


def address(node: Node) -> tuple[str, int] | None:
    """`host:port`, or null for none; an IPv6 address stands in brackets. Port 0 lets the kernel choose one."""
    if isinstance(node, ScalarNode) and node.is_null:
        return None
    value = text(node)
    host, colon, port = value.rpartition(":")
    if not colon or not host or not DIGITS.issuperset(port) or not port:
        raise WrongError(f"{quoted(value)} is not HOST:PORT", "as in 127.0.0.1:10310")
    if len(port) > 5 or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise WrongError(f"{quoted(value)}: a port lies between 0 and 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise WrongError(f"{quoted(value)} is not HOST:PORT", "an IPv6 address stands in brackets, as in [::1]:10310")
    if not host or not host.isprintable() or " " in host or "/" in host:
        raise WrongError(f"{quoted(value)} is not HOST:PORT", "as in 127.0.0.1:10310")
    return host, int(port)


def argv(node: Node) -> tuple[str, ...]:
    """A command as a list: an absolute path, then its arguments. Never a shell string."""
    if isinstance(node, ScalarNode) and not node.is_null:
        try:
            words = shlex.split(node.text)
        except ValueError:
            words = []
        hint = f"write {_flow(words)}" if words else "write [/path/to/command, argument]"
        raise WrongError("must be a list of texts: it is started as it is, never by a shell", hint)
    if not isinstance(node, SequenceNode) or not node.items:
        what = "an empty list" if isinstance(node, SequenceNode) else describe(node)
        raise WrongError(f"must be a list of texts, not {what}", "write [/path/to/command, argument]")
    words = [text(item) for item in node.items]
    if not words[0].startswith("/"):
        raise WrongError(
            f"{quoted(words[0])} is not an absolute path", "there is no PATH: name the program with its whole path"
        )
    return tuple(words)


def _flow(words: list[str]) -> str:
    return (
        "["
        + ", ".join(word if word.replace("/", "").replace("-", "").isalnum() else quoted(word) for word in words)
        + "]"
    )


def user(node: Node) -> str:
    """The name of a user, or its number."""
    value = text(node)
    if not value.removeprefix("_") or not is_safe_name(value.removeprefix("_")):
        raise WrongError(f"{quoted(value)} is not the name of a user")
    return value


def version(node: Node) -> int:
    """The version of the configuration's format."""
    if not isinstance(node, ScalarNode) or node.style is not Style.PLAIN or node.text != "1":
        raise WrongError(f"must be 1, not {describe(node)}", "write: version: 1")
    return 1
