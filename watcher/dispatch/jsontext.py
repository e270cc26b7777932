"""JSON by the two C functions under the json package, which itself would load re and enum.

Why: that is 9 of the 20 ms from the start of the interpreter to the command, and the command waits for it.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from typing import Any, NoReturn


def _refuse(value: object) -> NoReturn:
    raise ValueError(f"{value!r} has no place in JSON")


class _Dialect:
    """What json.decoder hands to its scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner empties it by itself


_scan = make_scanner(_Dialect)  # type: ignore[arg-type] # any object with these attributes will do
_encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, False)  # noqa: FBT003 - takes no keywords


def parse_object(contents: bytes) -> dict[str, Any]:
    """The one JSON object that `contents` is. Raises ValueError, for any bytes that are something else."""
    try:
        text = contents.decode().strip(" \t\r\n")
        found, end = _scan(text, 0)
    except (ValueError, StopIteration, RecursionError, SystemError) as error:
        # SystemError: the scanner found damage and looked for its error type, which lies in the json that isn't loaded.
        raise ValueError("is not JSON") from error
    if end != len(text) or not isinstance(found, dict):
        raise ValueError("is not one JSON object")
    return found


def render(found: dict[str, Any]) -> bytes:
    """One line of JSON, ASCII only."""
    return "".join(_encode(found, 0)).encode("ascii") + b"\n"
