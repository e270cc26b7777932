"""`watcher rules explain`: everything about a rule, from its RE2 to whether it may start a rollback."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from watcher.cli.choosing import catalog_of
from watcher.cli.output import LINE, output_of
from watcher.config.belief import believes, condition_in_words, may_roll_back, text_condition_in_words
from watcher.config.catalog import Catalog, KnownRule
from watcher.config.nodes import MappingNode
from watcher.config.rule_leaves import SampleLine
from watcher.config.rule_tests import fires, lines_of
from watcher.config.suggested_rule import yaml_text
from watcher.core.names import JobName
from watcher.core.text import shown

_PATTERNS = ("match", "unless", "until", "continues")


def run(args: argparse.Namespace) -> int:
    """Print every rule of that name."""
    catalog = catalog_of(args, every_pack=True)
    found = [_as_json(one, catalog) for one in catalog.named(args.name)]
    lines = [line for one in found for line in (*_in_words(one), "")]
    output_of(args).data({"schema": 1, "rules": found}, lines[:-1])
    return 0


def _as_json(known: KnownRule, catalog: Catalog) -> dict[str, Any]:
    rule, place = known.rule, known.entry.place
    return {
        "name": rule.name,
        "pack": rule.pack or None,
        "severity": rule.severity,
        "place": {"file": place.file, "line": place.line, "column": place.column},
        "match": rule.match,
        "unless": rule.unless,
        "until": rule.until,
        "continues": rule.continues,
        "fields": [text_condition_in_words(one) for one in rule.fields],
        "message_id": rule.message_id,
        "where": [condition_in_words(one) for one in rule.where],
        "once": rule.once,
        "capture": dict(rule.capture),
        "believes": list(believes(rule)),
        "jobs": [_job(known, job, catalog) for job in known.jobs],
        "tests": [_test(known, line, expected=expected) for line, expected in _tests(known)],
    }


def _job(known: KnownRule, job: str, catalog: Catalog) -> dict[str, Any]:
    assert catalog.settings is not None  # noqa: S101 - jobs come from it
    policy = catalog.settings.policies[JobName(job)]
    watched = next(one for one in catalog.settings.jobs if one.name == job)
    may, why = may_roll_back(known.rule, watched, policy)
    return {"job": job, "may_roll_back": may, "why": why}


def _tests(known: KnownRule) -> Iterator[tuple[SampleLine, bool]]:
    node = known.entry.node.at("tests")
    if isinstance(node, MappingNode):
        for key, expected in (("match", True), ("no_match", False)):
            yield from ((line, expected) for _, line in lines_of(node, key))


def _test(known: KnownRule, line: SampleLine, *, expected: bool) -> dict[str, Any]:
    given = line.text if line.fields is None else dict(line.fields)
    return {"given": given, "must_match": expected, "passes": fires(known.rule, line) is expected}


def _in_words(found: dict[str, Any]) -> Iterator[str]:
    place = found["place"]
    owner = f"pack {found['pack']}" if found["pack"] else "a job's own rule"
    yield f"{found['name']}: {found['severity']}, {owner}"
    yield from _row("stands in", [f"{place['file']}:{place['line']}:{place['column']}"])
    for key in _PATTERNS:
        yield from _row(key, [yaml_text(found[key])] if found[key] else [])
    yield from _row("fields", found["fields"])
    yield from _row("message id", [found["message_id"]] if found["message_id"] else [])
    yield from _row("where", found["where"])
    yield from _row("once", [f"for each {found['once']}"] if found["once"] else [])
    yield from _row("capture", [f"{name}: {yaml_text(pattern)}" for name, pattern in found["capture"].items()])
    yield from _row("believes", found["believes"])
    for job in found["jobs"]:
        verdict = "may roll back" if job["may_roll_back"] else "can't roll back"
        yield from _row(f"job {job['job']}", [f"{verdict}: {job['why']}"])
    if not found["jobs"]:
        yield from _row("jobs", ["no job uses it"])
    for test in found["tests"]:
        given = test["given"]
        text = given if isinstance(given, str) else " ".join(f"{name}={value}" for name, value in given.items())
        must = "must match" if test["must_match"] else "must not"
        yield from _row(must, [f"{'ok  ' if test['passes'] else 'FAILS '}{text}"])


def _row(name: str, texts: list[str]) -> Iterator[str]:
    for place, text in enumerate(texts):
        yield f"  {name if place == 0 else '':<12}{shown(text, limit=LINE)}"
