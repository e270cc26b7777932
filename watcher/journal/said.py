"""What a line says, for telling kinds of lines apart: of a line that is data, its message and its error, not its frame.

Two JSON lines of one logger differ in nothing once everything between quotes is masked; what tells them apart stands
in the fields that loggers have for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from watcher.journal.structured import is_field_name, read_fields

_MESSAGES: Final = ("msg", "message", "@m", "@mt", "@message", "short_message", "Message", "event", "text")
"""Fields of the message: logrus, zap, slog, pino, bunyan, log4j, ECS, Serilog, GELF, .NET's console, structlog."""
_ERRORS: Final = ("error", "err", "exception", "error.message", "err.message", "exc_info", "@x")
_LEVELS: Final = (
    "level", "severity", "lvl", "levelname", "log.level", "@l", "Level", "LogLevel", "level_name", "loglevel",
    "log_level", "severityText", "severity_text",
)  # fmt: skip
"""As the pack `generic` knows them."""
_FRAME: Final = frozenset(
    {"app", "application", "env", "host", "hostname", "logger", "name", "service", "user", "zone"}
)
"""Fields that say where or for whom, not what."""
_MOST_MARKS, _LONGEST_MARK = 2, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """`text` tells kinds apart.

    Of a line that is data `message` is its message field, and `level` its level's name and value, if it has one; of any
    other line both are None. `marks` are names and values of an object without a message: the first words in it that
    look as if they said what it is about, then its level.
    """

    text: str
    message: str | None = None
    level: tuple[str, str] | None = None
    marks: tuple[tuple[str, str], ...] = ()


def said_in(line: bytes) -> Said:
    """What the line says. `line` is a MESSAGE, already cut."""
    fields = read_fields(line)
    message = _first(_MESSAGES, fields)
    if message is None:
        return _unnamed(line.decode(errors="replace"), fields)
    error = _first(_ERRORS, fields)
    text = message[1] if error is None else f"{message[1]}: {error[1]}"
    return Said(text=text, message=message[1], level=_first(_LEVELS, fields))


def _unnamed(text: str, fields: Mapping[str, Any]) -> Said:
    if not text.lstrip().startswith("{"):
        return Said(text=text)
    level = _first(_LEVELS, fields)
    marks = [mark for mark in fields.items() if mark[0] not in _LEVELS and _is_mark(*mark)][:_MOST_MARKS]
    if not marks:
        return Said(text=text)
    return Said(text=text, level=level, marks=(*marks, level) if level is not None else tuple(marks))


def _is_mark(name: str, value: object) -> bool:
    """A word without a digit, as constants are written: `disk_full`, `Import.Failed`."""
    if name.lower() in _FRAME or not is_field_name(name) or not isinstance(value, str) or len(value) > _LONGEST_MARK:
        return False
    return value.isascii() and value.translate(_JOINTS).isalpha()


_JOINTS: Final = str.maketrans("", "", "_-.")


def _first(names: Iterable[str], fields: Mapping[str, Any]) -> tuple[str, str] | None:
    for name in names:
        value: Any = fields.get(name)
        if value is None and "." in name:
            outer, _, inner = name.partition(".")
            within = fields.get(outer)
            value = within.get(inner) if isinstance(within, Mapping) else None
        if isinstance(value, str) and value:
            return name, value
    return None
