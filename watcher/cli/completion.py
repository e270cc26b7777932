"""`watcher completion`: the script that makes a shell complete this command, and the names that it asks for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from watcher.cli import exits
from watcher.cli.exits import UsageError
from watcher.core.errors import WatcherError
from watcher.paths import Paths

_EXAMPLES = """examples:
  source <(watcher completion bash)                                      in this shell
  watcher completion bash > /etc/bash_completion.d/watcher               for everybody
  watcher completion zsh > ~/.zfunc/_watcher                             with ~/.zfunc in fpath
  watcher completion fish > ~/.config/fish/completions/watcher.fish

Verbs and options are in the script; jobs, releases, units, packs and rules are asked for when they are needed.
"""
SHELLS = ("bash", "zsh", "fish")
_NAMES = ("jobs", "releases", "units", "packs", "rules")
_RELEASES = 100


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "completion",
        parents=[common],
        help="print the completion script of a shell",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("shell", nargs="?", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    parser.add_argument("--names", choices=_NAMES, help="print these names instead, one a line: the scripts ask so")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the script, or the names."""
    if args.names is not None:
        sys.stdout.write("".join(f"{name}\n" for name in _names(args)))
        return exits.OK
    if args.shell is None:
        raise UsageError("for which shell?", hint="`watcher completion bash`, zsh or fish")
    from watcher.cli import shells  # noqa: PLC0415 - only this verb needs it
    from watcher.cli.grammar import grammar_of  # noqa: PLC0415 - the same
    from watcher.cli.main import parser  # noqa: PLC0415 - it loads this module by name

    sys.stdout.write(shells.script(args.shell, grammar_of(parser())))
    return exits.OK


def _names(args: argparse.Namespace) -> Iterable[str]:
    from watcher.cli.reaching import client_of, query_of  # noqa: PLC0415 - a script is printed without a daemon

    if args.names == "releases":
        return [str(one["id"]) for one in client_of(args).read(query_of(None, _RELEASES)).json["releases"]]
    if args.names == "units":
        from watcher.adapters.systemd import loaded_services  # noqa: PLC0415 - starts a process: slow to load

        return loaded_services()
    if args.names in ("packs", "rules"):
        from watcher.cli.choosing import every_name  # noqa: PLC0415 - slow to load

        return every_name(args, args.names)
    try:
        return sorted(client_of(args).read("/api/v1/status").json["jobs"])
    except WatcherError:  # no daemon, or not for this user: the configuration knows them as well
        from watcher.config.load import load_settings  # noqa: PLC0415 - slow to load

        path = Paths.choose(config=args.config, state=args.state_dir, socket=args.socket).config
        return sorted(job.name for job in load_settings(path).jobs)
