"""Lines that are data: the fields of a JSON object or of logfmt, and conditions on them.

Knows these two forms of a text; must not know rules, units or journal fields. A text is hostile: whatever it is, it is
read in bounded time and nothing is raised. What stands before the place where a text stops being data counts, since
long lines come cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import re2

from watcher.core.rule import TextCondition

MOST_FIELDS: Final = 256
"""Of a line that is no whole JSON object; further ones are not looked at."""
_MOST_DIGITS: Final = 9
_MOST_COUNTED: Final = 100
_BLANK: Final = " \t\r\n"
_COOKIE: Final = "@cee:"
"""What stands before JSON in syslog's common event expression (rsyslog's mmjsonparse)."""
_TIME: Final = frozenset("0123456789-/:.,+TZ")
_LONGEST_NAME: Final = 64
_NAME: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@/-$")


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Loggers write their own fields first, so a later one of the same name is what somebody made of the message."""
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else dict(reversed(pairs))


_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_first_of_each, parse_int=str, parse_float=str, parse_constant=str, strict=False
)
"""Numbers stay as they are written: to turn one of 16,000 digits into an int is not linear."""


class TextFields:
    """The fields of one text, found when they are first asked for."""

    __slots__ = ("_fields", "_text")

    def __init__(self, text: bytes) -> None:
        """`text` is a MESSAGE as valid UTF-8, already cut."""
        self._text = text
        self._fields: Mapping[str, Any] | None = None

    def meet(self, conditions: Iterable[TextCondition]) -> bool:
        """Whether all of the conditions hold."""
        if self._fields is None:
            self._fields = read_fields(self._text)
        return all(_holds(condition, self._fields) for condition in conditions)


def is_field_name(name: str) -> bool:
    """Whether a rule may ask for a field of this name."""
    return 0 < len(name) <= _LONGEST_NAME and _NAME.issuperset(name)


def read_fields(text: bytes) -> Mapping[str, Any]:
    """The fields of a JSON object or of logfmt, with values as they are written; none if the text is neither."""
    line = text.decode(errors="replace").strip(_BLANK)
    body = line.removeprefix(_COOKIE).lstrip(_BLANK)
    return _json_fields(body) if body.startswith("{") else _logfmt_fields(line)


def hint_pattern(condition: TextCondition) -> str:
    """An RE2 pattern that every text has which meets the condition, and few others: only then a text is parsed.

    JSON may write any letter as an escape, which loggers do only where they have to: names and values that they would
    have to escape are left out of the pattern; an escape that nobody needs is not seen through.
    """
    names = dict.fromkeys(part for name in condition.names for part in (name, name.rpartition(".")[2]))
    either = "|".join(re2.escape(name) for name in names)
    values = [re2.escape(value) for value in condition.values]
    values += [_digits(low, high) for low, high in condition.ranges]
    wanted = f"(?i:{'|'.join(values)})" if all(map(_is_plain, condition.values)) else ""
    end = '(?:["\\s,}]|$)' if wanted else ""
    return f'(?:"(?:{either})"\\s*:\\s*"?|(?:^|\\s)(?:{either})="?){wanted}{end}'


def _json_fields(text: str) -> Mapping[str, Any]:
    try:
        return dict(_JSON.raw_decode(text)[0])
    except (ValueError, RecursionError):
        return _fields_before_the_cut(text)


def _fields_before_the_cut(text: str) -> Mapping[str, Any]:
    """The fields of an object that is not whole."""
    fields: dict[str, Any] = {}
    place = 0
    for _ in range(MOST_FIELDS):
        place = _skip(text, place + 1)
        if text[place : place + 1] != '"':
            break
        try:
            name, place = _JSON.raw_decode(text, place)
            place = _skip(text, place)
            if text[place : place + 1] != ":":
                break
            value, place = _JSON.raw_decode(text, _skip(text, place + 1))
        except (ValueError, RecursionError):
            break
        fields.setdefault(name, value)
        place = _skip(text, place)
        if text[place : place + 1] != ",":
            break
    return fields


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\r", "\n"):
        place += 1
    return place


def _logfmt_fields(text: str) -> Mapping[str, str]:
    """The pairs that a text begins with, perhaps after a time (https://pkg.go.dev/github.com/go-logfmt/logfmt)."""
    rest = _without_time(text)
    fields: dict[str, str] = {}
    for _ in range(MOST_FIELDS):
        name, equals, rest = rest.partition("=")
        if not equals or not name or not _NAME.issuperset(name):
            break
        value, rest = _quoted(rest) if rest.startswith('"') else _bare(rest)
        fields.setdefault(name, value)
        rest = rest.lstrip(_BLANK)
    return fields


def _without_time(text: str) -> str:
    for _ in range(3):  # a date, a time, a zone
        word, _, rest = text.partition(" ")
        if not word or not _TIME.issuperset(word):
            break
        text = rest.lstrip(_BLANK)
    return text


def _bare(rest: str) -> tuple[str, str]:
    words = rest.split(None, 1) if rest[:1] not in ("", *_BLANK) else ["", rest]
    return words[0], words[1] if len(words) > 1 else ""


def _quoted(rest: str) -> tuple[str, str]:
    """A quoted value, which begins `rest`, without its quotes, and what follows; without an end it goes to the end."""
    place = 1
    while (end := rest.find('"', place)) >= 0:
        before = rest[1:end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return before.replace('\\"', '"').replace("\\\\", "\\"), rest[end + 1 :]
        place = end + 1
    return rest[1:], ""


def _holds(condition: TextCondition, fields: Mapping[str, Any]) -> bool:
    return any(_is_wanted(condition, _value(name, fields)) for name in condition.names)


def _value(name: str, fields: Mapping[str, Any]) -> str | None:
    """The text of a field, or of a field in an object in a field (`log.level`); None if it isn't there or no value."""
    value: Any = fields.get(name)
    if value is None and "." in name:
        value = fields
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _is_wanted(condition: TextCondition, value: str | None) -> bool:
    if value is None:
        return False
    if value.lower() in condition.values:
        return True
    if not value.isascii() or not value.isdigit() or len(value) > _MOST_DIGITS:
        return False
    return any(low <= int(value) and (high is None or int(value) <= high) for low, high in condition.ranges)


def _is_plain(value: str) -> bool:
    """Whether every JSON writer leaves the text as it is."""
    return value.isascii() and value.isprintable() and not set('"\\/<>&') & set(value)


def _digits(low: int, high: int | None) -> str:
    """A pattern for at least the whole numbers from `low` to `high`."""
    if high is not None and high - low < _MOST_COUNTED:
        return "|".join(f"0*{number}" for number in range(low, high + 1))
    digits = str(low)
    longer = f"[1-9]\\d{{{len(digits)},}}"
    greater = [
        f"{digits[:place]}[{int(digit) + 1}-9]\\d{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return "|".join(f"0*{one}" for one in (longer, *greater, digits))
