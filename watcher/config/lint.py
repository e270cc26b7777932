"""Rules that load and still are not what anybody means: they find everything, never fire, or believe everybody.

Warnings, as each of them can be meant. Knows rules alone, no journal: what only entries can tell is found elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from watcher.config.findings import Steps
from watcher.config.nodes import MappingNode
from watcher.config.problem import Place, Problem, Weight, quoted, render_path
from watcher.config.rule_leaves import compiled
from watcher.config.trust import is_trusted
from watcher.core.rule import Rule

_PROBES = (b"", b"a", b"7 rows stored", b"[7] stored", b'{"level": 30}', "\u00e4\u4e2d".encode())
"""Texts that have nothing in common: a pattern that finds something in each finds it in every text."""
_TEXTS = _PROBES[1:]
_SYSTEMDS = frozenset(
    {
        "UNIT", "UNIT_RESULT", "USER_UNIT", "JOB_RESULT", "JOB_TYPE", "JOB_ID", "EXIT_CODE", "EXIT_STATUS", "COMMAND",
        "EXECUTABLE", "INVOCATION_ID", "MESSAGE_ID", "COREDUMP_UNIT", "COREDUMP_EXE", "COREDUMP_SIGNAL",
        "COREDUMP_SIGNAL_NAME", "OBJECT_SYSTEMD_UNIT", "OBJECT_PID", "N_DROPPED",
    },
)  # fmt: skip
"""Fields in which systemd speaks, and which anybody may send."""


def lint_rule(rule: Rule, node: MappingNode, path: Steps) -> Iterator[Problem]:
    """A warning for each thing about one rule that is hardly meant; `path` is where it stands in its file."""
    for key, told in _everywhere(rule).items():
        yield _warning(_place(node, key), (*path, key), *told)
    yield from _believed(rule, node, path)


def _everywhere(rule: Rule) -> dict[str, tuple[str, str]]:
    """The patterns that find something in every text, with what comes of it and the way out."""
    found: dict[str, tuple[str, str]] = {}
    bare = not (rule.where or rule.fields or rule.message_id)
    if _finds_all(rule.match, _PROBES):
        hint = "say what must stand there" if bare else "say what must stand there, or leave match out"
        found["match"] = (f"{quoted(rule.match or '')} matches the empty text, so it is true of every entry", hint)
    elif bare and _finds_all(rule.match, _TEXTS):
        found["match"] = (
            f"{quoted(rule.match or '')} is true of every entry that holds a text",
            "say what must stand there",
        )
    if _finds_all(rule.unless, _TEXTS):
        found["unless"] = (
            f"{quoted(rule.unless or '')} is true of every text, so the rule never fires",
            "say what must not stand there",
        )
    if _finds_all(rule.until, _TEXTS):
        found["until"] = (
            f"{quoted(rule.until or '')} is true of every text, so one line is joined",
            "say how the last line begins",
        )
    if _finds_all(rule.continues, _TEXTS):
        message = f"{quoted(rule.continues or '')} is true of every text, so what follows is joined and can't match"
        found["continues"] = (message, "say how further lines begin")
    return found


def _finds_all(pattern: str | None, texts: Iterable[bytes]) -> bool:
    if pattern is None:
        return False
    searched = compiled(pattern)
    return all(searched.search(text) is not None for text in texts)


def _believed(rule: Rule, node: MappingNode, path: Steps) -> Iterator[Problem]:
    if is_trusted(rule):
        return
    where = node.at("where")
    for condition in rule.where:
        if condition.field in _SYSTEMDS and isinstance(where, MappingNode):
            message = f"{condition.field} is systemd's word, but anybody can send it, and this rule believes everybody"
            hint = 'write message_id, which is believed from its sender alone, or add _PID: "1"'
            yield _warning(where.entries[condition.field].place, (*path, "where", condition.field), message, hint)


def _warning(place: Place, path: Steps, message: str, hint: str) -> Problem:
    return Problem(place=place, path=render_path(path), message=message, hint=hint, weight=Weight.WARNING)


def _place(node: MappingNode, key: str) -> Place:
    return node.entries[key].value.place
