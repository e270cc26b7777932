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
_TEST = """examples:
  watcher rules test scenarios/*.yaml
  watcher rules test --junit results.xml scenarios/*.yaml

Each file is a story: entries of a job, which rules must count them, and the verdict on a release in which they come.
It goes through the daemon's own reading and judging. docs/rules.md shows how one is written.
Exit code: 0 when all is as expected, 1 when something is not, 78 when a file can't be used.
"""

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
    explain.add_argument("name", metavar="NAME", help="a rule, or PACK/RULE, or JOB/RULE for a job's own")
    _add_choice(explain)
    explain.set_defaults(run=_later("rules_explain", "run"))
    test = _parser(verbs, common, "test", "play scenario files", _TEST)
    test.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a scenario")
    test.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit's XML, for CI")
    test.set_defaults(run=_later("rules_test", "run"))


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
