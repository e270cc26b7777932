"""The command `watcher`: reads the options, runs one verb, and turns what went wrong into an exit code.

Knows every verb by its file and loads none of what a verb needs; only `entry` ends the process.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from watcher import __version__
from watcher.cli import exits
from watcher.cli.exits import UsageError, exit_code
from watcher.cli.output import report
from watcher.core.errors import WatcherError
from watcher.core.text import shown
from watcher.paths import CONFIG

_EXAMPLES = """examples:
  watcher check                                      look at the configuration before it is used
  watcher run                                        the daemon, in the foreground
  id=$(watcher release start import --version 2.4.1) register a release and watch it
  watcher release wait "$id"                         wait for the verdict: 0 passed, 1 failed and rolled back
  watcher release exec import --version 2.4.1 -- make deploy
                                                     the same around the command that deploys
  watcher status                                     what goes on

Exit codes: 64 usage, 69 no daemon, 70 internal, 75 try again, 77 not permitted, 78 configuration, 130 interrupted;
those of a verdict: `watcher release wait --help`.
"""
_VERBS = {
    "run": "run",
    "check": "check",
    "reload": "reload",
    "status": "status",
    "release": "release",
    "pause": "pause",
    "resume": "pause",
    "replay": "replay",
    "job": "job",
    "rules": "rules",
    "schema": "schema",
    "doctor": "doctor",
    "init": "init",
    "completion": "completion",
}
"""Each verb's file; only that one is loaded."""
_WITH_VALUE = frozenset({"--config", "--state-dir", "--socket", "-o", "--output"})
_SHOWN = 500
_INSTANTS = frozenset({"--since", "--until", "--release-at"})
_BROKEN_PIPE = 141


class _Shown(Exception):  # noqa: N818 - no error: help or version was printed
    """The options asked for a text alone."""


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(shown(message, limit=_SHOWN), hint=f"`{self.prog} --help` shows how it is used")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's signature
        raise _Shown


def entry() -> NoReturn:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # they are text files here
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE
    if code == _BROKEN_PIPE:  # nobody reads any more: what is left must not be written again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def main(argv: Sequence[str]) -> int:
    """Run the verb that `argv` names; returns the exit code."""
    own = argv[: argv.index("--")] if "--" in argv else argv
    is_json, is_verbose = _asks_for_json(own), any(word in ("-v", "--verbose") for word in own)
    try:
        # argparse hands `JOB --version V -- CMD` to nobody: a command of `exec` is kept away from it
        args = parser(_verb_of(own)).parse_args(_instants_joined(own if "exec" in own else argv))
        args.tail = argv[len(own) + 1 :] if len(own) < len(argv) else None
        code: int = args.run(args)
    except _Shown:
        return exits.OK
    except WatcherError as error:
        code = exit_code(error)
        report(error, code, is_json=is_json, to=sys.stderr)
    except KeyboardInterrupt:
        sys.stderr.write("watcher: interrupted\n")
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the top of the process
        return _unexpected(error, is_json=is_json, is_verbose=is_verbose)
    return code


def _instants_joined(argv: Sequence[str]) -> list[str]:
    """`--since -7d` as `--since=-7d`: to argparse, a value that begins with a dash is an option."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in _INSTANTS and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """The options of one verb, or of all; the common ones may stand before or after it."""
    whole = _Parser(
        prog="watcher",
        description=_EXAMPLES,
        parents=[_common(suppressed=False)],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"watcher {__version__}")
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", required=True)
    common = _common(suppressed=True)
    wanted = [_VERBS[verb]] if verb in _VERBS else dict.fromkeys(_VERBS.values())
    for name in wanted:
        import_module(f"watcher.cli.{name}").add(verbs, common)
    return whole


def _verb_of(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor an option's value; it may be no verb at all."""
    rest = iter(words)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None


def _common(*, suppressed: bool) -> argparse.ArgumentParser:
    """The options that every verb knows. `suppressed`: without defaults, which would undo what stands before a verb."""

    def default(value: Any) -> Any:
        return argparse.SUPPRESS if suppressed else value

    common = _Parser(add_help=False, allow_abbrev=False)
    options = common.add_argument_group("options of every verb")
    options.add_argument("--config", type=Path, metavar="FILE", default=default(CONFIG), help=f"default: {CONFIG}")
    options.add_argument("--state-dir", type=Path, metavar="DIR", default=default(None), help="run by hand: all state")
    options.add_argument("--socket", type=Path, metavar="PATH", default=default(None), help="the control socket")
    options.add_argument("-o", "--output", choices=("text", "json"), default=default("text"), help="default: text")
    options.add_argument("--no-color", action="store_true", default=default(value=False), help="as NO_COLOR=1")
    options.add_argument("-v", "--verbose", action="store_true", default=default(value=False), help="tell more")
    return common


def _asks_for_json(words: Sequence[str]) -> bool:
    """Whether errors shall be JSON; asked before the options are read, as they may be what is wrong."""
    return any(
        word in ("-ojson", "-o=json", "--output=json") or (word in ("-o", "--output") and after == "json")
        for word, after in pairwise([*words, ""])
    )


def _unexpected(error: Exception, *, is_json: bool, is_verbose: bool) -> int:
    if isinstance(error, PermissionError):
        refused = WatcherError(f"{error.filename}: {error.strerror}", hint="run it as a user who may")
        report(refused, exits.NOT_PERMITTED, is_json=is_json, to=sys.stderr)
        return exits.NOT_PERMITTED
    if is_verbose:
        import traceback  # noqa: PLC0415 - slow to load, and almost never needed

        traceback.print_exception(error)
    bug = WatcherError(f"internal error: {type(error).__name__}: {error}", hint="" if is_verbose else "-v shows where")
    report(bug, exits.INTERNAL, is_json=is_json, to=sys.stderr)
    return exits.INTERNAL
