"""`watcher run`: the daemon, in the foreground."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from watcher.paths import Paths

_EXAMPLES = """examples:
  watcher run                                             as the service does
  watcher run --config job.yaml --state-dir ./state       by hand, without root
"""


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "run",
        parents=[common],
        help="the daemon, in the foreground",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--rollback-dir",
        type=Path,
        metavar="DIR",
        help="rollbacks are run by root's dispatcher, which leaves claims and results in DIR; without it the daemon "
        "runs them itself",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; errors that a person must mend come out as WatcherError."""
    from watcher.adapters.log import start_logging  # noqa: PLC0415 - a client verb must not pay for the daemon
    from watcher.launch import serve  # noqa: PLC0415 - the same

    start_logging(verbose=bool(args.verbose))
    serve(Paths.choose(config=args.config, state=args.state_dir, socket=args.socket, rollbacks=args.rollback_dir))
    return 0
