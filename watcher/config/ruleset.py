"""The rules of one list, in a pack or a job: each checked by itself, its own tests run.

A broken rule hides nothing about the others: its name stays known, so that nobody is told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from watcher.config.build import build_rule
from watcher.config.findings import Steps, validated
from watcher.config.lint import lint_rule
from watcher.config.nodes import MappingNode, Node, ScalarNode, SequenceNode
from watcher.config.problem import Place, Problem, Weight, quoted, render_path
from watcher.config.rule_sections import RuleSection
from watcher.config.rule_tests import failures
from watcher.core.rule import Rule

_TESTS = "tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """One rule as it stands in its file; `rule` is None when something in it is wrong."""

    name: str
    place: Place
    path: str
    rule: Rule | None
    node: MappingNode


def read_rules(node: Node | None, path: Steps, *, pack: str = "") -> tuple[tuple[RuleEntry, ...], tuple[Problem, ...]]:
    """The rules of a list that stands at `path` of its file, and what is wrong with each and with its tests."""
    entries: list[RuleEntry] = []
    problems: list[Problem] = []
    for index, item in enumerate(node.items if isinstance(node, SequenceNode) else ()):
        if not isinstance(item, MappingNode):
            continue
        here = (*path, index)
        problems += validated(RuleSection, item, here)[1]
        rule = _read_rule(item, pack)
        name = item.at("name")
        if isinstance(name, ScalarNode):
            entries.append(
                RuleEntry(name=name.text, place=name.place, path=render_path((*here, "name")), rule=rule, node=item)
            )
        if rule is not None:
            problems += failures(rule, item.at(_TESTS), (*here, _TESTS))
            problems += lint_rule(rule, item, here)
    return tuple(entries), tuple(problems)


def _read_rule(item: MappingNode, pack: str) -> Rule | None:
    """The rule without its tests: a mistake in one of them must not keep the others from being run."""
    rest = {key: entry for key, entry in item.entries.items() if key != _TESTS}
    section, _ = validated(RuleSection, MappingNode(place=item.place, entries=rest))
    return None if section is None else build_rule(section, pack=pack)


def repeated(entries: Iterable[RuleEntry]) -> Iterator[Problem]:
    """A problem for each rule that has the name of an earlier one; it names both."""
    first: dict[str, RuleEntry] = {}
    for entry in entries:
        if entry.name in first:
            hint = f"the first one stands at {first[entry.name].place}"
            message = f"{quoted(entry.name)} is the name of two rules"
            yield Problem(place=entry.place, path=entry.path, message=message, hint=hint)
        else:
            first[entry.name] = entry


def duplicates(entries: Iterable[RuleEntry]) -> Iterator[Problem]:
    """A warning for each rule that asks for the same as an earlier one under another name; it names both."""
    first: dict[tuple[object, ...], RuleEntry] = {}
    for entry in entries:
        rule = entry.rule
        if rule is None:
            continue
        asked = (rule.match, rule.unless, rule.message_id, rule.fields, frozenset(rule.where))
        known = first.setdefault(asked, entry)
        if known is not entry and known.name != entry.name:
            message = f"{quoted(entry.name)} asks for the same as {quoted(known.name)}: each counts what the other does"
            hint = f"the first one stands at {known.place}; leave one of them out"
            yield Problem(place=entry.place, path=entry.path, message=message, hint=hint, weight=Weight.WARNING)
