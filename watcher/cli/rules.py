"""`watcher rules …`: the options of its verbs; what they do is in `rules_*.py`, loaded when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_EXAMPLES = """examples:
  watcher rules list                                  the rules of the configuration's jobs, or all shipped ones
  watcher rules explain python/traceback              everything about one rule
  journalctl -u import -o cat | watcher rules match   which rules match these lines
  watcher rules match --job import --since -1d --unmatched
                                                      and which lines of the job no rule knows
  watcher rules test scenarios/*.yaml                 stories: entries, and the verdict that they must lead to
"""
_LIST = """examples:
  watcher rules list                    the rules of the configuration's jobs; without one, all shipped ones
  watcher rules list --all              every pack that there is, also those that no job uses
  watcher rules list --job import       the rules of one job
  watcher rules list --pack python --pack ./ours.yaml
"""
_EXPLAIN = """examples:
  watcher rules explain traceback
  watcher rules explain python/traceback        when several packs have a rule of that name
  watcher rules explain --pack ./ours.yaml half-imported
"""
_MATCH = """examples:
  journalctl -u import -o cat | watcher rules match        lines, against every pack
  watcher rules match --pack python --pack ./ours.yaml app.log
  watcher rules match --job import --since -7d             the journal of a job, against the job's rules
  watcher rules match --unit nginx.service --since today --unmatched
  watcher rules match --unmatched --as-pack ours app.log > rules.d/ours.yaml
                                                           a first pack for a program that nobody knows yet

A line has no journal fields: its PRIORITY is 6, or what stands as <3> in front of it, and what else a rule asks in
`where` is taken as met. What `journalctl -o json` and `-o export` print has all fields, and is known by its beginning.
"""
_TEST = """examples:
  watcher rules test scenarios/*.yaml
  watcher rules test --junit results.xml scenarios/*.yaml

Each file is a story: entries of a job, which rules must count them, and the verdict on a release in which they come.
It goes through the daemon's own reading and judging. docs/rules.md shows how one is written.
Exit code: 0 when all is as expected, 1 when something is not, 78 when a file can't be used.
"""

_DIGITS = 4

Run = Callable[[argparse.Namespace], int]


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb and its own verbs."""
    parser = _parser(subparsers, common, "rules", "look at rules, try them on lines, test them", _EXAMPLES)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    listing = _parser(verbs, common, "list", "packs and rules", _LIST)
    _add_choice(listing)
    listing.add_argument("--all", action="store_true", help="every pack, also those that no job uses")
    listing.set_defaults(run=_later("rules_list", "run"))
    explain = _parser(verbs, common, "explain", "everything about one rule", _EXPLAIN)
    explain.add_argument("name", metavar="RULE", help="its name, or PACK/RULE, or JOB/RULE for a job's own")
    _add_choice(explain)
    explain.set_defaults(run=_later("rules_explain", "run"))
    _add_match(_parser(verbs, common, "match", "which rules match these lines or journal entries", _MATCH))
    test = _parser(verbs, common, "test", "play scenario files", _TEST)
    test.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a scenario")
    test.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit's XML, for CI")
    test.set_defaults(run=_later("rules_test", "run"))


def _add_match(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="lines; default, and -: standard input")
    _add_choice(parser)
    journal = parser.add_argument_group("the journal instead of lines")
    journal.add_argument(
        "-u", "--unit", dest="units", action="append", default=[], metavar="UNIT", help="as journalctl takes it"
    )
    journal.add_argument(
        "-t", "--identifier", dest="identifiers", action="append", default=[], metavar="TEXT", help="SYSLOG_IDENTIFIER"
    )
    journal.add_argument("--since", metavar="T", help="the first instant, as journalctl takes it; default: -1d")
    journal.add_argument("--until", metavar="T", help="the instant after the last one; default: now")
    journal.add_argument("-D", "--directory", type=Path, metavar="DIR", help="journal files; default: the configured")
    parser.add_argument("--samples", type=_number, default=1, metavar="N", help="entries to show of each; default: 1")
    parser.add_argument("--unmatched", action="store_true", help="what no rule knows, by kind, with a rule for each")
    parser.add_argument("--limit", type=_number, default=10, metavar="N", help="kinds to show; default: 10")
    parser.add_argument("--as-pack", metavar="NAME", help="print the rules for what looks bad alone, as a pack")
    parser.set_defaults(run=_later("rules_match", "run"))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise argparse.ArgumentTypeError(f"{text!a} is not a whole number from 0 to 9999")
    return int(text)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--job", metavar="JOB", help="of this job of the configuration")
    parser.add_argument(
        "--pack", dest="packs", action="append", default=[], metavar="PACK", help="a pack, or ./FILE; may be repeated"
    )


def _parser(
    verbs: Any, common: argparse.ArgumentParser, name: str, what: str, examples: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        parents=[common],
        help=what,
        description=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser


def _later(module: str, function: str) -> Run:
    """A verb whose file is loaded when it is run."""

    def run(args: argparse.Namespace) -> int:
        code: int = getattr(import_module(f"watcher.cli.{module}"), function)(args)
        return code

    return run
