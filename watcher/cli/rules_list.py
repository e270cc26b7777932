"""`watcher rules list`: packs and rules with their severity, and which jobs use them."""

from __future__ import annotations

import argparse
from typing import Any

from watcher.cli.choosing import catalog_of
from watcher.cli.output import columns, output_of, words
from watcher.config.belief import condition_in_words, text_condition_in_words
from watcher.config.catalog import Catalog, KnownRule
from watcher.core.text import shown

_SHOWN = 90


def run(args: argparse.Namespace) -> int:
    """Print the rules that the options ask for."""
    catalog = catalog_of(args, every_pack=args.all)
    answer = {
        "schema": 1,
        "packs": [
            {"name": pack.name, "description": pack.description, "file": pack.place.file, "rules": len(pack.entries)}
            for pack in catalog.packs
        ],
        "rules": [_as_json(one) for one in catalog.rules],
    }
    output_of(args).data(answer, _in_words(catalog))
    return 0


def _as_json(known: KnownRule) -> dict[str, Any]:
    return {
        "name": known.rule.name,
        "pack": known.rule.pack or None,
        "severity": known.rule.severity,
        "jobs": list(known.jobs),
        "file": known.entry.place.file,
        "line": known.entry.place.line,
    }


def _in_words(catalog: Catalog) -> list[str]:
    lines: list[str] = []
    for pack in catalog.packs:
        of_pack = [one for one in catalog.rules if one.rule.pack == pack.name]
        users = next((one.jobs for one in of_pack), ())
        lines.append(f"{pack.name}: {words(pack.description)}{_used_by(users)}")
        lines += _rows(of_pack)
    for job in dict.fromkeys(one.owner for one in catalog.rules if not one.rule.pack):
        lines.append(f"job {job}: rules of its own")
        lines += _rows([one for one in catalog.rules if not one.rule.pack and one.owner == job])
    return lines or ["no rules"]


def _used_by(jobs: tuple[str, ...]) -> str:
    return f" (used by {', '.join(jobs)})" if jobs else ""


def _rows(rules: list[KnownRule]) -> list[str]:
    rows = [(str(one.rule.severity), str(one.rule.name), _what(one)) for one in rules]
    return [f"  {line}".rstrip() for line in columns(rows)]


def _what(known: KnownRule) -> str:
    rule = known.rule
    parts = [] if rule.match is None else [rule.match]
    parts += [text_condition_in_words(one) for one in rule.fields]
    parts += [] if rule.message_id is None else [f"message id {rule.message_id}"]
    parts += [condition_in_words(one) for one in rule.where]
    return shown(", ".join(parts), limit=_SHOWN)
