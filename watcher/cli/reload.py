"""`watcher reload`: the daemon reads its configuration again, and says whether it took it."""

from __future__ import annotations

import argparse
from typing import Any

from watcher.cli import exits
from watcher.cli.output import output_of, words

_EXAMPLES = """examples:
  watcher reload            waits for the answer; a broken configuration is refused, the old one stays: exit code 78
"""
_SECONDS = 310.0


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "reload",
        parents=[common],
        help="read the configuration again",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, and wait for the answer."""
    from watcher.cli.reaching import client_of  # noqa: PLC0415 - only the verbs that speak to the daemon need it

    answer = client_of(args).change("/-/reload", {}, seconds=_SECONDS).json
    output_of(args).data(answer, [f"configuration {words(answer.get('config_hash'))} is in use"])
    return exits.OK
