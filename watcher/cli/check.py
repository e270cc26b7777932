"""`watcher check`: looks at configuration and packs without running anything, and tells everything that is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

OK = 0
BAD_CONFIG = 78

_EPILOG = """examples:
  watcher check                          the configuration, its drop-ins and packs
  watcher check rules.d/ours.yaml        one pack, with its own tests
  watcher check -o json | jq .problems   for programs

A file that says `pack:` or `rules:` at its top is a pack, every other one a configuration.
Exit code: 0 when everything can be used (there may be warnings), 78 when not.
"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "check",
        help="check the configuration, the rules and the rules' own tests",
        description=_EPILOG,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: the file that --config names")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Checks the files and prints what is wrong with them."""
    from watcher.config.checkup import check_file  # noqa: PLC0415 - pydantic is slow to load
    from watcher.config.problem import in_order  # noqa: PLC0415 - goes with it

    checkups = [check_file(path) for path in args.files or [Path(args.config)]]
    problems = in_order(problem for checkup in checkups for problem in checkup.problems)
    if args.output == "json":
        files = [checkup.to_json() for checkup in checkups]
        answer = {"schema": 1, "files": files, "problems": [problem.to_json() for problem in problems]}
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        sys.stderr.flush()
        sys.stdout.write("".join(f"{checkup}\n" for checkup in checkups))
    return OK if all(checkup.is_usable for checkup in checkups) else BAD_CONFIG
