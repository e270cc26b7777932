"""The values of a document: a tree that knows where each of its parts stands. Knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from watcher.config.problem import Place


class Style(StrEnum):
    """How a text is written."""

    PLAIN = ""
    SINGLE = "'"
    DOUBLE = '"'
    LITERAL = "|"
    FOLDED = ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """One value. `text` is what is written, with quotes and escapes resolved; only a plain one may mean more."""

    place: Place
    text: str
    style: Style = Style.PLAIN
    one_line: bool = True

    @property
    def is_null(self) -> bool:
        """Whether this is nothing: `null`, `~` or an empty place."""
        return self.style is Style.PLAIN and self.text in ("", "~", "null")

    @property
    def boolean(self) -> bool | None:
        """The truth value that is written: `true` and `false` only, so `no` and `on` stay words."""
        return {"true": True, "false": False}.get(self.text) if self.style is Style.PLAIN else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceNode:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key with its own place, and its value."""

    key: str
    place: Place
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingNode:
    """A mapping in the order of the file; of a key that is repeated (a problem) only the first stays."""

    place: Place
    entries: Mapping[str, Entry]

    def at(self, key: str) -> Node | None:
        """The value of `key`, None when it isn't there or is null."""
        entry = self.entries.get(key)
        if entry is None or (isinstance(entry.value, ScalarNode) and entry.value.is_null):
            return None
        return entry.value


Node = ScalarNode | SequenceNode | MappingNode
