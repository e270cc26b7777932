"""`watcher release …`: the options of its verbs; what they do is in `release_*.py`, loaded when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_EXAMPLES = """examples:
  id=$(watcher release start import --version 2.4.1 --previous 2.4.0 --reason "faster parser")
  watcher release wait "$id" --timeout 20m
  watcher release exec import --git . -- make deploy       around the command that deploys
  watcher release list --job import
  watcher release note "$id"
  watcher release rollback "$id" --reason "seen by the on-call"
"""
_START = """examples:
  watcher release start import --version 2.4.1 --previous 2.4.0
  watcher release start import --git /srv/import           version, reason and files from the repository
  watcher release start import --version 2.4.1 --prepare   the clock starts with `watcher release deployed ID`

Prints the id. The job's backup command runs first; if it fails, nothing is registered: exit code 1. Then the check of
its rollback command runs; if that fails, the release is only observed, and a warning says so.
"""
_EXEC = """examples:
  watcher release exec import --version 2.4.1 -- make deploy
  watcher release exec import --git . --timeout 20m -- ./deploy.sh --fast

Prepares the release, runs the command, starts the clock, waits. If the command fails, the release is cancelled and its
own exit code is returned; otherwise the codes are those of `watcher release wait`.
"""
_WAIT = """examples:
  watcher release wait import-20261123-1
  watcher release wait import-20261123-1 --timeout 20m

Exit codes: 0 passed, 1 failed and rolled back, 2 failed and a person must act, 3 inconclusive,
4 superseded or cancelled, 124 the wait timed out. A restart of the daemon does not end the wait; where none is
reached at the begin, it is tried again for 5 s.
"""
_DECISIONS = {
    "pass": "end the window: the release is good; after its end: the verdict was right, or was not",
    "fail": "end the window: the release is bad, and its rollback follows as the mode says; after its end: as `pass`",
    "extend": "make the window longer",
    "cancel": "stop judging the release, or drop its held rollback",
    "rollback": "roll back now, also where it is held",
}
_DEFAULT_LIMIT = 50

Run = Callable[[argparse.Namespace], int]


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb and its own verbs."""
    parser = _parser(subparsers, common, "release", "register releases, wait for them, decide about them", _EXAMPLES)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_start(verbs, common)
    _add_exec(verbs, common)
    _add_one(verbs, common, "deployed", "start the clock of a prepared release", _later("release_decide", "deployed"))
    wait = _parser(verbs, common, "wait", "wait for the end, showing progress", _WAIT)
    wait.add_argument("id", metavar="ID")
    _add_timeout(wait)
    wait.set_defaults(run=_later("release_wait", "run"))
    _add_list(verbs, common)
    _add_one(verbs, common, "show", "everything that is known of a release", _later("release_show", "show"))
    _add_one(verbs, common, "note", "the final note", _later("release_show", "note"))
    for verb, what in _DECISIONS.items():
        _add_decision(verbs, common, verb, what)


def _add_start(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = _parser(verbs, common, "start", "register a release and open its watch window", _START)
    _add_registration(parser)
    parser.add_argument("--prepare", action="store_true", help="checks now, the clock starts with `deployed`")
    parser.set_defaults(run=_later("release_start", "run"))


def _add_exec(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = _parser(verbs, common, "exec", "prepare, run a command, start the clock, wait", _EXEC)
    _add_registration(parser)
    _add_timeout(parser)
    parser.add_argument("command", nargs="*", metavar="-- CMD", help="the command that deploys, with its own options")
    parser.set_defaults(run=_later("release_exec", "run"), prepare=True)


def _add_registration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB")
    parser.add_argument("--version", metavar="V", help="what is deployed; may be left out with --git")
    parser.add_argument("--previous", metavar="V", help="what it replaces; default: the last version that passed")
    parser.add_argument("--id", metavar="ID", help="default: a new one; the same id and content is the same release")
    parser.add_argument("--reason", metavar="T", help="what changes, and why")
    parser.add_argument("--owner", metavar="O", help="whom to ask; default: the job's owner")
    parser.add_argument("--window", metavar="D", help="how long it is watched; default: the job's window")
    parser.add_argument("--mode", metavar="M", help="observe, ask or rollback; default: the job's mode")
    parser.add_argument("--rollback-note", metavar="T", help="what whoever rolls back should know")
    parser.add_argument("--force", action="store_true", help="also a version that was rolled back; needs --reason")
    parser.add_argument(
        "--file", dest="files", nargs="+", action="extend", metavar="PATH", help="a file that changes; may be repeated"
    )
    parser.add_argument("--git", type=Path, metavar="DIR", help="version, reason and files from this repository")


def _add_list(verbs: Any, common: argparse.ArgumentParser) -> None:
    examples = "examples:\n  watcher release list\n  watcher release list --job import --limit 5 -o json\n"
    parser = _parser(verbs, common, "list", "the newest releases first", examples)
    parser.add_argument("--job", metavar="JOB", help="of this job only")
    parser.add_argument("--limit", type=int, metavar="N", default=_DEFAULT_LIMIT, help="at most so many; default: 50")
    parser.set_defaults(run=_later("release_show", "list_releases"))


def _add_decision(verbs: Any, common: argparse.ArgumentParser, verb: str, what: str) -> None:
    by = " --by 15m" if verb == "extend" else ""
    examples = f'examples:\n  watcher release {verb} import-20261123-1{by} --reason "seen by the on-call"\n'
    parser = _parser(verbs, common, verb, what, examples)
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--reason", required=True, metavar="T", help="why; it stands in the final note, with your name")
    if by:
        parser.add_argument("--by", required=True, metavar="D", help="how much longer, as in 15m")
    parser.set_defaults(run=_later("release_decide", "decide"), judgement=verb, by=None)


def _add_one(verbs: Any, common: argparse.ArgumentParser, verb: str, what: str, run: Run) -> None:
    parser = _parser(verbs, common, verb, what, f"examples:\n  watcher release {verb} import-20261123-1\n")
    parser.add_argument("id", metavar="ID")
    parser.set_defaults(run=run)


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", metavar="D", help="wait no longer than this, as in 20m: exit code 124")


def _parser(subparsers: Any, common: argparse.ArgumentParser, verb: str, what: str, examples: str) -> Any:
    return subparsers.add_parser(
        verb,
        parents=[common],
        help=what,
        description=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _later(module: str, function: str) -> Run:
    """The function, its module loaded when it is called: no verb pays for another one."""

    def run(args: argparse.Namespace) -> int:
        code: int = getattr(import_module(f"watcher.cli.{module}"), function)(args)
        return code

    return run
