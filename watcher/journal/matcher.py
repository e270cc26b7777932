"""Which rules of a job fire on one entry.

Knows rules, message ids and whom to believe them from; must not know units, streams or libsystemd: an entry is its
MESSAGE and a function that gives its other fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import re2

from watcher.core.rule import FieldCondition, Rule
from watcher.journal.patterns import MOST_MEMORY, PatternError, PatternSet, compile_pattern, readable
from watcher.journal.structured import TextFields, hint_pattern

__all__ = ["LONGEST_TEXT", "Field", "Matcher", "PatternError", "number_of"]

Field = Callable[[str], bytes | None]
"""The first value of a field of the entry in question, None if it has none."""

LONGEST_TEXT: Final = 16 << 10
"""Of a MESSAGE in bytes; what follows is never looked at."""

CORE_DUMPED: Final = b"fc2e22bc6ee647b6b90729ab34a250b1"
EXEC_FAILED: Final = b"641257651c1b4ec9a8624d7a40a9e1e7"
SUPPRESSED: Final = b"a596d6fe7bfa4994828e72309e95d61e"
KERNEL_MISSED: Final = b"e9bf28e6e834481bb6f48f548ad13606"

_NAMES_ITS_UNIT: Final = r"^[A-Za-z0-9:_.@\\-]+\.(?:service|socket|mount|swap): "
"""How a message begins that systemd's code writes about a unit (LOG_UNIT_MESSAGE in its src/core/unit.h)."""


_PRIORITY_DIGITS: Final = 3
_NO_PRIORITY: Final = -1
_NO_BOUND: Final = 1000


class Matcher:
    """The rules of one job, ready to be asked.

    `search(text)` is the hot loop's question about an entry of an ordinary process of the job's own unit, with its text
    cut and `readable`. If the answer has length 1, or else if it is `ruled_out`, no rule fires. In any other case and
    for any other sender `hits` has to be asked.
    """

    __slots__ = ("_bounds", "_by_id", "_firing", "_needs_id", "_patterns", "_texts", "_unless", "search")

    def __init__(self, rules: Sequence[Rule], *, max_mem: int = MOST_MEMORY) -> None:
        """Raises PatternError for the first pattern that can't be used."""
        self._texts: tuple[tuple[int, Rule], ...] = tuple(
            (place, rule) for place, rule in enumerate(rules) if _pattern(rule) is not None
        )
        self._by_id: dict[bytes, list[tuple[int, Rule]]] = {}
        for place, rule in enumerate(rules):
            if _pattern(rule) is None and rule.message_id is not None:
                self._by_id.setdefault(_plain_id(rule.message_id), []).append((place, rule))
        ids = {_plain_id(rule.message_id) for rule in rules if rule.message_id is not None}
        self._needs_id = bool(ids)
        patterns = [pattern for rule in rules if (pattern := _pattern(rule)) is not None]
        if EXEC_FAILED in ids:
            # The child that could not exec is an ordinary process of the job, the only one whose MESSAGE_ID counts.
            # To fetch that field for every entry would cost a tenth of the speed; one more pattern costs nothing.
            patterns.append(_NAMES_ITS_UNIT)
        self._patterns = PatternSet(patterns, max_mem=max_mem)
        self._bounds = [_priority_bound(rule) for _, rule in self._texts]
        self._bounds += [_NO_BOUND] * (len(patterns) - len(self._texts))
        self._bounds.append(_NO_PRIORITY)  # of the guard, which is never of interest
        self._firing = [_priorities(bound) for bound in self._bounds]
        self._unless: dict[str, re2._Regexp[str]] = {
            rule.unless: compile_pattern(rule.unless) for rule in rules if rule.unless is not None
        }
        for rule in rules:
            for _, pattern in rule.capture:
                compile_pattern(pattern)
        self.search = self._patterns.search

    def ruled_out(self, answer: list[int], get: Callable[[str], bytes]) -> bool:
        """Whether all that `search` found are rules that want a worse PRIORITY than the entry has.

        `get` is the reader's: KeyError for a field that there isn't. An answer without the guard is none.
        """
        guard = self._patterns.guard
        if len(answer) == 2 and guard in answer:  # noqa: PLR2004 - one rule: an entry that says nothing but its PRIORITY
            firing = self._firing[answer[0] + answer[1] - guard]
        elif guard in answer:
            firing = self._firing[max(answer, key=self._bounds.__getitem__)]
        else:
            return False
        if firing is None:
            return False
        try:
            return get("PRIORITY") not in firing
        except KeyError:
            return True

    def hits(self, message: bytes | None, field: Field, *, own_unit: bool = True) -> tuple[Rule, ...]:
        """The rules that fire, in the order in which they were given.

        `own_unit`: the sender is a process of the job's own unit, as journald says. Nothing in the entry makes this
        raise; what `field` raises passes.
        """
        text = None if message is None else readable(message[:LONGEST_TEXT])
        believed = self._believed_id(field, own_unit=own_unit) if self._needs_id else None
        candidates = [] if believed is None else list(self._by_id.get(believed, ()))
        if text is not None:
            found = self._patterns.found(text)
            candidates += (self._texts[number] for number in found if number < len(self._texts))
        if not candidates:
            return ()
        if len(candidates) > 1:
            candidates.sort(key=_place)
        own = TextFields(text or b"")
        return tuple(rule for _, rule in candidates if self._fires(rule, text, own, believed, field))

    def _fires(self, rule: Rule, text: bytes | None, own: TextFields, believed: bytes | None, field: Field) -> bool:
        if rule.message_id is not None and believed != _plain_id(rule.message_id):
            return False
        if rule.unless is not None and text is not None and self._unless[rule.unless].search(text) is not None:
            return False
        if rule.fields and not own.meet(rule.fields):
            return False
        return not rule.where or all(_holds(condition, field(condition.field)) for condition in rule.where)

    def _believed_id(self, field: Field, *, own_unit: bool) -> bytes | None:
        """MESSAGE_ID if its sender may use it: anybody can send any."""
        given = field("MESSAGE_ID")
        if given is None or field("_PID") == b"1":
            return given
        if given == CORE_DUMPED:
            return given if field("_UID") == b"0" else None
        if given == EXEC_FAILED:
            return given if own_unit else None
        if given in (SUPPRESSED, KERNEL_MISSED):
            return given if field("_TRANSPORT") == b"driver" else None
        return None


def number_of(value: bytes | None, *, digits: int) -> int | None:
    """The decimal number that `value` is, None if it is anything else or longer than `digits`: fields are hostile."""
    return int(value) if value is not None and len(value) <= digits and value.isdigit() else None


def _pattern(rule: Rule) -> str | None:
    """What a text must hold before anything else about the rule is asked; None for a rule without a word on texts."""
    return hint_pattern(rule.fields[0]) if rule.match is None and rule.fields else rule.match


def _place(candidate: tuple[int, Rule]) -> int:
    return candidate[0]


def _plain_id(message_id: str) -> bytes:
    """A message id as journald stores it; people also write it with dashes or in capitals."""
    return message_id.replace("-", "").lower().encode()


def _holds(condition: FieldCondition, value: bytes | None) -> bool:
    if condition.values:
        return value is not None and value in [wanted.encode() for wanted in condition.values]
    level = number_of(value, digits=_PRIORITY_DIGITS)
    if level is None:
        return False
    if condition.at_most is not None:
        return level <= condition.at_most
    return condition.at_least is not None and level >= condition.at_least


def _priorities(bound: int) -> frozenset[bytes] | None:
    """The fields PRIORITY that are at least as bad as the bound, as `number_of` reads them; None if every field is."""
    if bound == _NO_BOUND:
        return None
    widths = range(1, _PRIORITY_DIGITS + 1)
    return frozenset(f"{level:0{width}}".encode() for level in range(bound + 1) for width in widths)


def _priority_bound(rule: Rule) -> int:
    """The mildest PRIORITY with which the rule can fire."""
    bounds = [condition.at_most for condition in rule.where if condition.at_most is not None]
    return min(bounds, default=_NO_BOUND)
