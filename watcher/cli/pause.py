"""`watcher pause` and `watcher resume`: hold every automatic rollback, and let them happen again."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from watcher.cli import exits
from watcher.cli.output import Output, output_of, words

_PAUSE = """examples:
  watcher pause --reason "migration tonight" --for 6h     of all jobs; measuring and verdicts go on
  watcher pause import --reason "looking into it"         of one job, until `watcher resume import`
"""
_RESUME = """examples:
  watcher resume             ends the pause of all jobs
  watcher resume import      ends the pause of one job; rollbacks that are held stay held
"""


DISARMED = (
    "every rollback, also a person's: the off switch is on; `rm` the file `disarm` (`watcher doctor` tells where)"
)
"""The off switch holds more than a pause does, and it is not the daemon's to take away."""


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register both verbs."""
    parser = _parser(subparsers, common, "pause", "hold every automatic rollback", _PAUSE)
    parser.add_argument("--reason", required=True, metavar="T", help="why, for whoever looks at it later")
    parser.add_argument("--for", dest="span", metavar="D", help="how long, as in 90m; default: until `watcher resume`")
    parser.set_defaults(run=pause)
    _parser(subparsers, common, "resume", "let automatic rollbacks happen again", _RESUME).set_defaults(run=resume)


def pause(args: argparse.Namespace) -> int:
    """Hold automatic rollbacks."""
    return _ask(args, "/api/v1/pause", {"job": args.job, "reason": args.reason, "for": args.span}, [])


def resume(args: argparse.Namespace) -> int:
    """Let them happen again."""
    return _ask(
        args, "/api/v1/resume", {"job": args.job}, ["nothing is paused any more; a rollback that is held stays held"]
    )


def pause_lines(pauses: list[Mapping[str, Any]], output: Output) -> list[str]:
    """What is paused, a line each."""
    return [
        f"{output.coloured('paused')}: {words(one['job'] or 'all jobs')}"
        f", by {words(one['author'])} since {words(one['since'])}"
        f"{', until ' + words(one['until']) if one['until'] else ''}: {words(one['reason'])}"
        for one in pauses
    ]


def _parser(subparsers: Any, common: argparse.ArgumentParser, verb: str, what: str, examples: str) -> Any:
    parser = subparsers.add_parser(
        verb,
        parents=[common],
        help=what,
        description=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("job", nargs="?", metavar="JOB", help="default: all jobs")
    return parser


def _ask(args: argparse.Namespace, address: str, body: Mapping[str, Any], otherwise: list[str]) -> int:
    from watcher.cli.reaching import client_of  # noqa: PLC0415 - only the verbs that speak to the daemon need it

    answer, output = client_of(args).change(address, body).json, output_of(args)
    output.data(answer, pause_lines(answer["pauses"], output) or otherwise)
    return exits.OK
