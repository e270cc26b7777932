"""What `watcher rules match` prints: an object for programs, lines for people, or a pack of suggested rules."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from watcher.cli.output import LINE
from watcher.config.catalog import KnownRule
from watcher.config.suggested_rule import SuggestedRule, as_pack
from watcher.core.severity import Severity
from watcher.core.shown import shown_coverage, shown_instant
from watcher.core.text import shown
from watcher.matching import Kind, Matching, Sample

Ranked = list[tuple[tuple[Kind, Severity], SuggestedRule | None]]
"""Kinds of lines in the order in which they are shown, each with how bad it looks and a rule if one can be made."""
_SAMPLE, _TEMPLATE = 160, 160


def report(
    matching: Matching,
    known: dict[str, KnownRule],
    kinds: Ranked,
    args: argparse.Namespace,
    *,
    has_times: bool,
) -> dict[str, Any]:
    """Everything, with texts as they were logged: JSON escapes them. Kinds are there if they were asked for.

    Without `has_times`, of lines, every `at` is null.
    """
    report: dict[str, Any] = {
        "schema": 1,
        "entries": matching.entries,
        "matched": matching.matched,
        "joined": matching.joined,
        "counted_before": matching.again,
        "unmatched": matching.unmatched,
        "coverage": shown_coverage(matching.gaps),
        "rules": [
            _rule_json(known[label], hits.count, _samples_json(hits.samples, args, has_times=has_times))
            for label, hits in _by_count(matching)
        ],
    }
    if args.unmatched or args.as_pack is not None:
        report["kinds"] = [
            _kind_json(kind, severity, rule, _samples_json(kind.samples, args, has_times=has_times))
            for (kind, severity), rule in kinds
        ]
        report["kinds_left_out"] = len(matching.kinds) - len(kinds) + bool(matching.other_kinds)
    return report


def _rule_json(known: KnownRule, count: int, samples: list[dict[str, Any]]) -> dict[str, Any]:
    rule = known.rule
    return {
        "name": rule.name,
        "pack": rule.pack or None,
        "severity": rule.severity,
        "count": count,
        "samples": samples,
    }


def _kind_json(
    kind: Kind, severity: Severity, rule: SuggestedRule | None, samples: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "template": kind.template,
        "level": None if kind.level is None else kind.level[1],
        "count": kind.count,
        "looks_like": severity,
        "priority": kind.priority,
        "samples": samples,
        "rule": None if rule is None else {"name": rule.name, "match": rule.match, "yaml": rule.yaml},
    }


def _samples_json(samples: list[Sample], args: argparse.Namespace, *, has_times: bool) -> list[dict[str, Any]]:
    return [_sample_json(one, has_times=has_times) for one in samples[: args.samples]]


def _sample_json(sample: Sample, *, has_times: bool) -> dict[str, Any]:
    return {"at": shown_instant(sample.at) if has_times else None, "message": sample.text}


def _by_count(matching: Matching) -> list[tuple[str, Any]]:
    return sorted(matching.hits.items(), key=lambda one: (-one[1].count, one[0]))


def in_words(
    matching: Matching, known: dict[str, KnownRule], args: argparse.Namespace, *, has_times: bool
) -> list[str]:
    """How many of which, each rule with its first samples."""
    parts = [f"{matching.matched} match"]
    parts += [f"{matching.joined} are joined to them"] if matching.joined else []
    parts += [f"{matching.again} tell of a run that is counted"] if matching.again else []
    parts.append(f"{matching.unmatched} match no rule")
    lines = [f"{matching.entries} entr{'y' if matching.entries == 1 else 'ies'}: {', '.join(parts)}"]
    if matching.gaps:
        lines.append(f"{len(matching.gaps)} gaps: the counts are a lower bound")
    for label, hits in _by_count(matching):
        lines.append(f"{hits.count:>7}  {known[label].rule.severity:<8}  {label}")
        lines += [_sample_line(one, has_times=has_times) for one in hits.samples[: args.samples]]
    return lines


def _sample_line(sample: Sample, *, has_times: bool) -> str:
    at = f"{(shown_instant(sample.at) or '')[:19]}Z  " if has_times else ""
    return f"{'':9}{at}{shown(sample.text, limit=_SAMPLE)}"


def unmatched_in_words(matching: Matching, kinds: Ranked, *, has_times: bool) -> list[str]:
    """The kinds of lines that no rule knows, as YAML to paste from, what is no rule in comments."""
    if not kinds:
        return []
    lines = [
        "",
        "What no rule knows, by kind; to watch for one, put its rule under `rules:` and mend name and severity:",
    ]
    for (kind, _), rule in kinds:
        lines += ["", f"# {kind.count} x {shown(_titled(kind), limit=_TEMPLATE)}"]
        if has_times:
            lines.append(f"# first {(shown_instant(kind.samples[0].at) or '')[:19]}Z")
        lines += ["# too little in common for a rule"] if rule is None else list(_safe_yaml(rule))
    left = len(matching.kinds) - len(kinds)
    if left or matching.other_kinds:
        lines += [
            "",
            f"# {left}{'+' if matching.other_kinds else ''} more kind{'' if left == 1 else 's'}: --limit shows more",
        ]
    return lines


def _titled(kind: Kind) -> str:
    if kind.marks:
        return ", ".join(f"{name} {value}" for name, value in kind.marks)
    return kind.template if kind.level is None else f"{kind.level[0]} {kind.level[1]}: {kind.template}"


def _safe_yaml(rule: SuggestedRule) -> Iterator[str]:
    """Its text is printable already: whatever isn't stands in escapes that YAML reads back."""
    yield from (shown(f"  {line}", limit=LINE) for line in rule.yaml.splitlines())


def pack(name: str, rules: Sequence[SuggestedRule]) -> str:
    """The suggested rules as a pack."""
    return as_pack(name, "suggested by `watcher rules match`: mend names and severities", rules).rstrip("\n")
