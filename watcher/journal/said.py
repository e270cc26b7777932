"""What a line says, for telling kinds of lines apart: of a line that is data, its message and its error, not its frame.

Two JSON lines of one logger differ in nothing once everything between quotes is masked; what tells them apart stands
in the fields that loggers have for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from watcher.journal.structured import read_fields

_MESSAGES: Final = ("msg", "message", "@m", "@message", "short_message", "event", "text")
"""Fields of the message: logrus, zap, slog, pino, bunyan, log4j, ECS, Serilog, GELF, structlog."""
_ERRORS: Final = ("error", "err", "exception", "error.message", "err.message", "exc_info", "@x")
_LEVELS: Final = ("level", "severity", "lvl", "levelname", "log.level", "@l")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """`text` tells kinds apart.

    Of a line that is data `message` is its message field, and `level` its level's name and value, if it has one; of any
    other line both are None.
    """

    text: str
    message: str | None = None
    level: tuple[str, str] | None = None


def said_in(line: bytes) -> Said:
    """What the line says. `line` is a MESSAGE, already cut."""
    fields = read_fields(line)
    message = _first(_MESSAGES, fields)
    if message is None:
        return Said(text=line.decode(errors="replace"))
    error = _first(_ERRORS, fields)
    text = message[1] if error is None else f"{message[1]}: {error[1]}"
    return Said(text=text, message=message[1], level=_first(_LEVELS, fields))


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
