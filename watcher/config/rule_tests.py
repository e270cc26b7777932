"""A rule's own tests, run by the daemon's matcher.

A mapping of journal fields is one entry, and the whole rule is asked about it. A line of text is a MESSAGE and asks
the rule's texts only: `match`, `unless` and `fields`. Its `where` and `message_id` are taken as met, for lines that
must match and for near misses alike, as a line says nothing about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from watcher.config.findings import Steps
from watcher.config.leaves import WrongError
from watcher.config.nodes import MappingNode, Node, SequenceNode
from watcher.config.problem import Problem, quoted, render_path
from watcher.config.rule_leaves import SampleLine, sample_line
from watcher.core.rule import Rule
from watcher.journal.matcher import Matcher

_AS_FIELDS = 'write the fields that matter, as in {MESSAGE_ID: …, _PID: "1"}'


def failures(rule: Rule, tests: Node | None, path: Steps) -> Iterator[Problem]:
    """A problem for each test that the rule fails; `path` is where its tests stand."""
    for key, expected in (("match", True), ("no_match", False)):
        for index, line in lines_of(tests, key):
            where = render_path((*path, key, index))
            if line.fields is None and rule.match is None and not rule.fields:
                message = f"rule {quoted(rule.name)} has no match and no fields, so a line of text can't test it"
                yield Problem(place=line.place, path=where, message=message, hint=_AS_FIELDS)
            elif fires(rule, line) is not expected:
                verb, must = ("does not match", "must match") if expected else ("matches", "must not match")
                message = f"rule {quoted(rule.name)} {verb} {_shown(line)}, which it {must}"
                yield Problem(place=line.place, path=where, message=message)


def lines_of(tests: Node | None, key: str) -> Iterator[tuple[int, SampleLine]]:
    """The lines that can be read, with their numbers in the list."""
    lines = tests.at(key) if isinstance(tests, MappingNode) else None
    for index, item in enumerate(lines.items if isinstance(lines, SequenceNode) else ()):
        try:
            yield index, sample_line(item)
        except WrongError:
            continue  # told with everything else that is wrong in the section


def fires(rule: Rule, line: SampleLine) -> bool:
    """Whether the rule fires on a line or an entry, as the daemon would decide it."""
    if line.fields is None:
        return _fires(replace(rule, where=(), message_id=None), {"MESSAGE": line.text})
    return _fires(rule, dict(line.fields))


def _fires(rule: Rule, fields: dict[str, str]) -> bool:
    raw = {name: value.encode() for name, value in fields.items()}
    return bool(Matcher((rule,)).hits(raw.get("MESSAGE"), raw.get))


def _shown(line: SampleLine) -> str:
    if line.fields is None:
        return quoted(line.text)
    return quoted(" ".join(f"{name}={value}" for name, value in line.fields))
