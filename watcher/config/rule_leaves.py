"""The values of a rule: patterns, message ids, conditions on journal fields, and the lines that test it.

Like `leaves.py`: each function takes a node and returns the value or raises `WrongError`.
"""

from __future__ import annotations

from dataclasses import dataclass

import re2

from watcher.config.leaves import DIGITS, WrongError, text
from watcher.config.nodes import MappingNode, Node, SequenceNode
from watcher.config.pattern_advice import advice_on
from watcher.config.problem import Place, quoted
from watcher.core.rule import FieldCondition, TextCondition

LONGEST_FIELD = 64
"""Characters of a journal field's name, as in journald."""
_HEX = frozenset("0123456789abcdef")
_FIELD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_TEXT_FIELD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@/$-")
_MOST_DIGITS = 9
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLine:
    """One line of a rule's own tests, or (`fields`) one journal entry with the fields that matter."""

    place: Place
    text: str = ""
    fields: tuple[tuple[str, str], ...] | None = None


def pattern(node: Node) -> str:
    """An RE2 pattern that compiles."""
    value = text(node)
    if not value:
        raise WrongError("is empty, and an empty pattern matches every entry")
    compiled(value)
    return value


def capture(node: Node) -> str:
    """An RE2 pattern with a group that says what to keep."""
    value = pattern(node)
    if compiled(value).groups == 0:
        raise WrongError(f"{quoted(value)} has no group", "put what shall be kept in parentheses")
    return value


def compiled(value: str) -> re2._Regexp[str]:
    """The compiled pattern.

    Raises WrongError with RE2's own message and the offset of the fragment that it complains of.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(value, options)
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        hint, offset = advice_on(said, value)
        raise WrongError(f"RE2: {said}", hint, offset=offset) from error


def message_id(node: Node) -> str:
    """A message id of the journal: 32 hexadecimal digits, dashes allowed; returned without them."""
    value = text(node).replace("-", "").lower()
    if len(value) != 32 or not _HEX.issuperset(value):  # noqa: PLR2004 - 128 bits
        raise WrongError(
            f"{quoted(text(node))} is not a message id",
            "32 hexadecimal digits, as `journalctl -o json` shows in MESSAGE_ID",
        )
    return value


def field_name(value: str) -> str:
    """`value`, if journald would take it as the name of a field."""
    if not value or not _FIELD.issuperset(value) or value[0] in DIGITS or len(value) > LONGEST_FIELD:
        raise WrongError(
            f"{quoted(value)} is not the name of a journal field",
            "capital letters, digits and _, no digit first, at most 64",
        )
    return value


def condition(field: str, node: Node) -> FieldCondition:
    """What `where` asks of one field: one value, one of a list, or (PRIORITY) a bound."""
    if isinstance(node, SequenceNode):
        if not node.items:
            raise WrongError("is an empty list, which no entry meets")
        return FieldCondition(field=field, values=tuple(_value(field, item) for item in node.items))
    if isinstance(node, MappingNode):
        raise WrongError("must be a text or a list of texts, not a mapping")
    wanted = text(node)
    for sign in ("<=", ">="):
        if wanted.startswith(sign):
            bound = _bound(field, wanted, wanted.removeprefix(sign).strip())
            return (
                FieldCondition(field=field, at_most=bound)
                if sign == "<="
                else FieldCondition(field=field, at_least=bound)
            )
    return FieldCondition(field=field, values=(_value(field, node),))


def _bound(field: str, wanted: str, digits: str) -> int:
    if field != "PRIORITY":
        raise WrongError(
            f"{quoted(wanted)}: only PRIORITY takes a bound", "write the value itself, or a list of values"
        )
    return _priority(digits)


def _value(field: str, node: Node) -> str:
    value = text(node)
    if field == "PRIORITY":
        _priority(value)
    return value


def _priority(value: str) -> int:
    if value in _PRIORITIES:
        raise WrongError(f"{quoted(value)} is not a priority", f"write its number: {_PRIORITIES.index(value)}")
    if len(value) != 1 or value not in "01234567":
        raise WrongError(f"{quoted(value)} is not a priority", '0 (emerg) to 7 (debug), or a bound as in "<=4"')
    return int(value)


def text_condition(key: str, node: Node) -> TextCondition:
    """What `fields` asks of one field of the text: one value, or one of a list; `key` is its names, with `|` between.

    A value is a text, a bound (`>=50`, `<=3`) or a range (`50..59`).
    """
    names = tuple(key.split("|"))
    for name in names:
        if not name or not _TEXT_FIELD.issuperset(name) or len(name) > LONGEST_FIELD:
            raise WrongError(
                f"{quoted(name)} is not the name of a field of a text",
                "letters, digits and _ . @ / $ -, at most 64; several names with | between them",
            )
    if isinstance(node, MappingNode):
        raise WrongError("must be a text or a list of texts, not a mapping")
    items = node.items if isinstance(node, SequenceNode) else (node,)
    if not items:
        raise WrongError("is an empty list, which no text meets")
    values: list[str] = []
    ranges: list[tuple[int, int | None]] = []
    for item in items:
        wanted = text(item)
        span = _span(wanted)
        if span is not None:
            ranges.append(span)
        elif wanted:
            values.append(wanted.lower())
        else:
            raise WrongError("holds an empty text")
    return TextCondition(names=names, values=tuple(values), ranges=tuple(ranges))


def _span(wanted: str) -> tuple[int, int | None] | None:
    """The numbers that a bound or a range means; None if it is a text."""
    if wanted.startswith(">="):
        return _whole(wanted, wanted.removeprefix(">=")), None
    if wanted.startswith("<="):
        return 0, _whole(wanted, wanted.removeprefix("<="))
    first, dots, last = wanted.partition("..")
    if not dots or not DIGITS.issuperset(first + last):
        return None
    low, high = _whole(wanted, first), _whole(wanted, last)
    if low > high:
        raise WrongError(f"{quoted(wanted)} ends before it begins")
    return low, high


def _whole(wanted: str, digits: str) -> int:
    digits = digits.strip()
    if not digits or not DIGITS.issuperset(digits) or len(digits) > _MOST_DIGITS:
        raise WrongError(f"{quoted(wanted)} is no bound", 'whole numbers of at most 9 digits, as in ">=50" or "50..59"')
    return int(digits)


def sample_line(node: Node) -> SampleLine:
    """A line of text, or a mapping of journal fields."""
    if isinstance(node, MappingNode):
        fields = tuple((field_name(key), text(entry.value)) for key, entry in node.entries.items())
        return SampleLine(place=node.place, fields=fields)
    return SampleLine(place=node.place, text=text(node))


def once(node: Node) -> str:
    """What such rules together count once: a run."""
    value = text(node)
    if value != "run":
        raise WrongError(f"{quoted(value)} is not one of: run")
    return value
