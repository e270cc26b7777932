"""Finds as plain data for the pipe: a list of the kind's word and the fields in their order. Decoding checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any, Final

from watcher.core.duration import Usec
from watcher.core.found import ErrorSeen, Found, Match, RunBegan, RunEnded, RunOutcome
from watcher.core.names import JobName, RuleName
from watcher.core.severity import Severity


def find_data(find: Found) -> list[Any]:
    """What goes through the pipe."""
    return [_WORDS[type(find)], *astuple(find)]


def find_from(data: list[Any]) -> Found:
    """The find that `find_data` was given. Raises KeyError, TypeError and ValueError for anything else."""
    word, *values = data
    return _MAKERS[word](values)


def _match(values: list[Any]) -> Match:
    job, rules, severity, at, cursor, invocation, began, is_expected = values
    return Match(
        job=JobName(_text(job)),
        rules=tuple(RuleName(_text(rule)) for rule in rules),
        severity=Severity(severity),
        at=_instant(at),
        cursor=_text(cursor),
        invocation=_text(invocation),
        began=_maybe(began),
        is_expected=bool(is_expected),
    )


def _error(values: list[Any]) -> ErrorSeen:
    job, at, cursor, kind, matched, invocation, began = values
    return ErrorSeen(
        job=JobName(_text(job)),
        at=_instant(at),
        cursor=_text(cursor),
        kind=_text(kind),
        matched=bool(matched),
        invocation=_text(invocation),
        began=_maybe(began),
    )


def _began(values: list[Any]) -> RunBegan:
    job, unit, invocation, at, cursor = values
    return RunBegan(
        job=JobName(_text(job)),
        unit=_text(unit),
        invocation=_text(invocation),
        at=_instant(at),
        cursor=_text(cursor),
    )


def _ended(values: list[Any]) -> RunEnded:
    job, unit, invocation, at, outcome, cursor, began, result, status = values
    return RunEnded(
        job=JobName(_text(job)),
        unit=_text(unit),
        invocation=_text(invocation),
        at=_instant(at),
        outcome=RunOutcome(outcome),
        cursor=_text(cursor),
        began=_maybe(began),
        result=_text(result),
        status=_text(status),
    )


_WORDS: Final[Mapping[type, str]] = {Match: "match", ErrorSeen: "error", RunBegan: "began", RunEnded: "ended"}
_MAKERS: Final[Mapping[str, Callable[[list[Any]], Found]]] = {
    "match": _match,
    "error": _error,
    "began": _began,
    "ended": _ended,
}


def _instant(value: object) -> Usec:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return Usec(value)


def _maybe(value: object) -> Usec | None:
    return None if value is None else _instant(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
