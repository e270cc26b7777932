"""`watcher check`: looks at configuration and packs without running anything, and tells everything that is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from watcher.cli.doctor import lines_of
from watcher.cli.output import output_of
from watcher.doctor.finding import Finding, is_wrong
from watcher.paths import Paths

OK = 0
BAD_CONFIG = 78

_EPILOG = """examples:
  watcher check                          the configuration, its drop-ins and packs
  watcher check rules.d/ours.yaml        one pack, with its own tests
  watcher check --system                 also the jobs' units, the journal, and the way that a rollback takes
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
    parser.add_argument("--system", action="store_true", help="also this machine, for the file that --config names")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Checks the files and prints what is wrong with them."""
    from watcher.config.checkup import check_file  # noqa: PLC0415 - pydantic is slow to load
    from watcher.config.problem import in_order  # noqa: PLC0415 - goes with it

    checkups = [check_file(path) for path in args.files or [Path(args.config)]]
    problems = in_order(problem for checkup in checkups for problem in checkup.problems)
    findings = _of_system(args) if args.system else ()
    if args.output == "json":
        files = [checkup.to_json() for checkup in checkups]
        answer = {"schema": 1, "files": files, "problems": [problem.to_json() for problem in problems]}
        if args.system:
            answer["findings"] = [finding.to_json() for finding in findings]
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        sys.stderr.flush()
        sys.stdout.write("".join(f"{checkup}\n" for checkup in checkups))
        if args.system:
            sys.stdout.write("".join(f"{line}\n" for line in lines_of(findings, output_of(args))))
    usable = all(checkup.is_usable for checkup in checkups) and not any(map(is_wrong, findings))
    return OK if usable else BAD_CONFIG


def _of_system(args: argparse.Namespace) -> tuple[Finding, ...]:
    """What the doctor finds without a daemon; the configuration's own problems are told with the files."""
    from watcher.doctor.examination import CONFIG, system_findings  # noqa: PLC0415 - asked for by --system alone

    paths = Paths.choose(config=args.config, state=args.state_dir, socket=args.socket)
    return tuple(finding for finding in system_findings(paths) if finding.check != CONFIG)
