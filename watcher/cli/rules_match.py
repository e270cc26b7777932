"""`watcher rules match`: lines, recorded entries or the journal against rules, and what no rule knows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from watcher.cli.choosing import catalog_of
from watcher.cli.exits import UsageError
from watcher.cli.instants import parse_instant
from watcher.cli.output import output_of
from watcher.cli.progress import Progress
from watcher.cli.rules_match_lines import Ranked, in_words, pack, report, unmatched_in_words
from watcher.cli.sight import warn_if_blind
from watcher.clock import wall_clock
from watcher.config.catalog import Catalog, KnownRule
from watcher.config.suggested_rule import suggest_rule
from watcher.core.names import RuleName, is_safe_name
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.core.suspicion import guessed_severity
from watcher.journal.recorded import Form, read_recorded
from watcher.journal.source import Source
from watcher.matching import Kind, Matching, job_for, match_journal, match_recorded, rules_for_lines

_SINCE = "-1d"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def run(args: argparse.Namespace) -> int:
    """Match, and print what came of it."""
    _check(args)
    catalog = catalog_of(args, every_pack=True)
    known = {_label(one): one for one in catalog.rules if args.job is None or args.job in one.jobs}
    rules = tuple(replace(one.rule, name=RuleName(label)) for label, one in known.items())
    is_journal = bool(_asked(args))
    if is_journal:
        matching, form = _match_journal(args, catalog, rules), None
    else:
        matching, form = _match_stream(args, catalog, rules)
    output = output_of(args)
    if form is Form.LINES and _is_short_form(matching):
        output.message("these lines look like `journalctl`'s short form; rules see the message alone: use -o cat")
    has_times = form is not Form.LINES
    kinds = _ranked(matching, args.limit, taken={str(one.rule.name) for one in catalog.rules})
    if args.as_pack is not None:
        rules_made = [rule for (_, severity), rule in kinds if rule is not None and severity is not Severity.INFO]
        if not rules_made:
            raise UsageError("nothing that no rule knows looks like an error", hint="--unmatched shows what there is")
        whole = report(matching, known, kinds, args, has_times=has_times)
        output.data(whole, [pack(args.as_pack, rules_made)])
        return 0
    lines = in_words(matching, known, args, has_times=has_times)
    if args.unmatched:
        lines += unmatched_in_words(matching, kinds, has_times=has_times)
    output.data(report(matching, known, kinds, args, has_times=has_times), lines)
    return 0


def _check(args: argparse.Namespace) -> None:
    asked = _asked(args)
    if args.files and asked:
        raise UsageError(f"{asked[0]} is for the journal, and {args.files[0]} is a file", hint="give one of them")
    if args.job is not None and (args.units or args.identifiers):
        raise UsageError("--job brings its own units", hint="leave --unit and --identifier out")
    if args.as_pack is not None and not is_safe_name(args.as_pack):
        raise UsageError(f"{args.as_pack!a} is not a name for a pack", hint="letters, digits, dots, dashes and _")
    if not args.files and not asked and sys.stdin.isatty():
        raise UsageError(
            "there is nothing to match", hint="give a FILE, lines on standard input, or --since for the journal"
        )


def _asked(args: argparse.Namespace) -> list[str]:
    """The options that only the journal knows, as far as they were given: one of them is enough to mean it."""
    given = {
        "--unit": args.units,
        "--identifier": args.identifiers,
        "--since": args.since,
        "--until": args.until,
        "--directory": args.directory,
    }
    return [option for option, value in given.items() if value]


def _label(known: KnownRule) -> str:
    return known.full_name


# ----------------------------------------------------------------------------------------------------- reading


def _match_journal(args: argparse.Namespace, catalog: Catalog, rules: Sequence[Rule]) -> Matching:
    now = wall_clock()
    since = parse_instant(args.since or _SINCE, now)
    until = now if args.until is None else parse_instant(args.until, now)
    if until <= since:
        raise UsageError("--until is not after --since", hint="give the earlier instant to --since")
    settings = catalog.settings
    directory = None if settings is None or settings.journal_directory is None else str(settings.journal_directory)
    if args.directory is not None:
        directory = str(args.directory)
    source = Source(directory=directory, namespace=None if settings is None else settings.journal_namespace)
    warn_if_blind(source, output_of(args))
    progress = Progress(since, until)
    matching = match_journal(
        _job(args, catalog, rules),
        source,
        since=since,
        until=until,
        seen=lambda reading: progress.show(reading.entries, reading.read_until),
        groups=_wants_groups(args),
    )
    progress.end()
    return matching


def _match_stream(args: argparse.Namespace, catalog: Catalog, rules: Sequence[Rule]) -> tuple[Matching, Form]:
    if len(args.files) > 1:
        raise UsageError("one file at a time", hint="cat them: cat FILES | watcher rules match")
    name = str(args.files[0]) if args.files and args.files[0] != Path("-") else "standard input"
    with _opened(args.files) as stream:
        recorded = read_recorded(stream, name)
        if recorded.form is Form.LINES:
            job = job_for(rules_for_lines(rules), units=["lines.service"])
        else:
            job = _job(args, catalog, rules)
        return match_recorded(job, recorded.entries, groups=_wants_groups(args)), recorded.form


def _opened(files: Sequence[Path]) -> IO[bytes]:
    if not files or files[0] == Path("-"):
        return sys.stdin.buffer
    try:
        return files[0].open("rb")
    except OSError as error:
        raise UsageError(f"{files[0]}: can't be read: {error.strerror}", hint="give another FILE, or -") from error


def _job(args: argparse.Namespace, catalog: Catalog, rules: Sequence[Rule]) -> WatchedJob:
    """The configured job, or one of the units that are asked for; without any, all entries."""
    if args.job is not None and catalog.settings is not None:
        job = next(one for one in catalog.settings.jobs if one.name == args.job)
        return replace(job, rules=tuple(rules))
    units = args.units or ([] if args.identifiers else ["*"])
    return job_for(rules, units=units, identifiers=args.identifiers)


def _wants_groups(args: argparse.Namespace) -> bool:
    return bool(args.unmatched) or args.as_pack is not None


def _is_short_form(matching: Matching) -> bool:
    """Whether most of what no rule knows begins as in `Nov 24 22:00:01 host unit[1]: `."""
    texts = [sample.text for sample in matching.first_unmatched]
    return bool(texts) and 2 * sum(map(_has_prefix, texts)) > len(texts)


def _has_prefix(text: str) -> bool:
    words = text.split(" ", 5)
    return words[0] in _MONTHS and len(words) > 4 and words[2].count(":") == 2 and "]: " in text[:200]  # noqa: PLR2004 - its parts


# ------------------------------------------------------------------------------------------------------- kinds


def _ranked(matching: Matching, limit: int, *, taken: set[str]) -> Ranked:
    """The kinds of lines that no rule knows, each with a rule for it if one can be made.

    Those that look bad come first, the most frequent of them before the others; of the rest the rare ones do: what a
    healthy program says again and again is not what one looks for.
    """
    judged = [(kind, _guessed(kind)) for kind in matching.kinds.values()]
    order = {severity: rank for rank, severity in enumerate(Severity)}
    judged.sort(key=lambda one: (order[one[1]], one[0].count if one[1] is Severity.INFO else -one[0].count))
    ranked: Ranked = []
    for kind, severity in judged[:limit]:
        others = [other.samples[0].text for other, level in judged if level is Severity.INFO and other is not kind][
            ::-1
        ]
        texts = [sample.text for sample in kind.samples]
        template = "" if kind.marks else kind.template
        fields = kind.marks or (() if kind.level is None else (kind.level,))
        rule = suggest_rule(template, texts, severity, taken=taken, others=others[:_OTHERS], fields=fields)
        if rule is not None:
            taken = taken | {rule.name}
        ranked.append(((kind, severity), rule))
    return ranked


def _guessed(kind: Kind) -> Severity:
    """By the words that its lines have in common: names of hosts and what stands in quotes say nothing."""
    level = "" if kind.level is None else kind.level[1]
    text = " ".join(value for _, value in kind.marks) if kind.marks else f"{level} {kind.template}"
    return guessed_severity(text, kind.priority, level=level)


_OTHERS = 50
"""Healthy lines among which a near miss is looked for."""
