"""`watcher release …`: register a release, wait for it, look at it, decide about it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from watcher.cli import exits
from watcher.cli.output import output_of

_RELEASE = """examples:
  id=$(watcher release start import --version 2.4.1 --reason "faster parser")
  watcher release wait "$id"                  0 passed, 1 rolled back, 2 a person must act, 3 inconclusive
  watcher release exec import --version 2.4.1 -- make deploy
  watcher release list --job import
  watcher release note "$id"
"""
_START = """examples:
  watcher release start import --version 2.4.1 --previous 2.4.0 --reason "faster parser" --owner data-team
  watcher release start import --git /srv/import          version, reason and files from the checkout
  watcher release start import --version 2.4.1 --prepare  the clock starts with `watcher release deployed ID`
Prints the id. With the same --id and the same content it is safe to run again. The job's `backup` command runs first;
if it fails, nothing is registered (exit code 1).
"""
_EXEC = """examples:
  watcher release exec import --version 2.4.1 -- make deploy
Registers the release, runs the command, starts the clock when it has succeeded, and waits for the verdict. If the command
fails, the release is cancelled and the exit code is the command's own; else the exit codes are those of `wait`.
"""
_WAIT = """examples:
  watcher release wait import-20261123-220000-4f1c --timeout 20m
Exit codes: 0 passed, 1 failed and rolled back, 2 failed and a person must act, 3 inconclusive, 4 superseded or cancelled,
124 the wait timed out.
"""
_DECISIONS = {
    "pass": "end the window: the release is good",
    "fail": "end the window: the release is bad; its mode decides about the rollback",
    "extend": "let the window be longer",
    "cancel": "stop judging, or let go of a rollback that is held",
    "rollback": "run the rollback now, once for ever",
}


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the noun with all of its verbs."""
    noun = _parser(subparsers, common, "release", "register, wait for, look at and decide about releases", _RELEASE)
    verbs = noun.add_subparsers(title="verbs", metavar="VERB", required=True)
    start = _parser(verbs, common, "start", "register a release and open its watch window", _START)
    _add_facts(start)
    start.add_argument("--prepare", action="store_true", help="do not start the clock yet")
    start.set_defaults(run=_later("release_start", "start"))
    deployed = _parser(verbs, common, "deployed", "start the clock of a prepared release", _RELEASE)
    deployed.add_argument("id", metavar="ID")
    deployed.set_defaults(run=_later("release_start", "deployed"))
    execute = _parser(verbs, common, "exec", "register, deploy with a command, and wait", _EXEC)
    _add_facts(execute)
    execute.add_argument("--timeout", metavar="D", help="how long to wait for the verdict")
    execute.add_argument("command", nargs="*", metavar="-- CMD", help="the command that deploys, with its arguments")
    execute.set_defaults(run=_later("release_start", "execute"))
    wait = _parser(verbs, common, "wait", "wait for the end of a release and of its rollback", _WAIT)
    wait.add_argument("id", metavar="ID")
    wait.add_argument("--timeout", metavar="D", help="give up after this time, with exit code 124")
    wait.set_defaults(run=_later("release_wait", "wait"))
    _add_views(verbs, common)
    for verb, what in _DECISIONS.items():
        _add_decision(verbs, common, verb, what)


def _add_facts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB")
    parser.add_argument("--version", metavar="V", help="what is deployed; left out, --git tells it")
    parser.add_argument("--previous", metavar="V", help="what it replaces; default: the job's last version that passed")
    parser.add_argument("--id", metavar="ID", help="an id of your own, which makes registering again harmless")
    parser.add_argument("--reason", metavar="T", help="why it is released")
    parser.add_argument("--owner", metavar="O", help="who answers for it; default: the job's owner")
    parser.add_argument("--window", metavar="D", help="length of the watch window; default: the job's")
    parser.add_argument("--mode", choices=("observe", "ask", "rollback"), help="default: the job's")
    parser.add_argument("--rollback-note", metavar="T", help="what to know before rolling back")
    parser.add_argument("--file", metavar="PATH", nargs="+", action="extend", default=[], help="files that it touches")
    parser.add_argument("--git", metavar="DIR", help="take version, reason and files from this checkout")


def _add_views(verbs: Any, common: argparse.ArgumentParser) -> None:
    listing = _parser(verbs, common, "list", "the newest releases", _RELEASE)
    listing.add_argument("--job", metavar="JOB", help="of this job only")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="default: 20")
    listing.set_defaults(run=show_list)
    for verb, what, run in (("show", "everything about a release", show), ("note", "its final note", show_note)):
        parser = _parser(verbs, common, verb, what, _RELEASE)
        parser.add_argument("id", metavar="ID")
        parser.set_defaults(run=run)


def _add_decision(verbs: Any, common: argparse.ArgumentParser, verb: str, what: str) -> None:
    parser = _parser(verbs, common, verb, what, f"example:\n  watcher release {verb} ID --reason 'looked at it'\n")
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--reason", required=True, metavar="T", help="why; it stands in the record with your name")
    if verb == "extend":
        parser.add_argument("--by", required=True, metavar="D", help="how much longer")
    parser.set_defaults(run=decide, verb=verb)


def show_list(args: argparse.Namespace) -> int:
    """The newest releases, a line each."""
    from watcher.cli.reaching import client_of, query_of  # noqa: PLC0415 - loads the client only when it is needed
    from watcher.cli.release_lines import table  # noqa: PLC0415 - the same

    answer, output = client_of(args).read(query_of(args.job, args.limit)).json, output_of(args)
    output.data(answer, table(answer["releases"], output) if answer["releases"] else [])
    return exits.OK


def show(args: argparse.Namespace) -> int:
    """Everything about one release."""
    from watcher.cli.reaching import address_of, client_of  # noqa: PLC0415 - as above
    from watcher.cli.release_lines import details  # noqa: PLC0415 - as above

    release, output = client_of(args).read(address_of(args.id)).json, output_of(args)
    output.data(release, details(release, output))
    return exits.OK


def show_note(args: argparse.Namespace) -> int:
    """The final note, as Markdown; in JSON under `note`."""
    from watcher.cli.reaching import address_of, client_of  # noqa: PLC0415 - as above

    text = client_of(args).read(address_of(args.id, "note")).body.decode("utf-8", "replace")
    output_of(args).data({"schema": 1, "id": args.id, "note": text}, [text.rstrip("\n")])
    return exits.OK


def decide(args: argparse.Namespace) -> int:
    """A person's decision about a release."""
    from watcher.cli.reaching import address_of, client_of  # noqa: PLC0415 - as above
    from watcher.cli.release_lines import headline  # noqa: PLC0415 - as above

    body = {"reason": args.reason, "by": getattr(args, "by", None)}
    release, output = client_of(args).change(address_of(args.id, args.verb), body).json, output_of(args)
    output.data(release, [headline(release, output)])
    return exits.OK


def _later(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """The verb of another file, which is loaded when the verb is run."""

    def run(args: argparse.Namespace) -> int:
        from importlib import import_module  # noqa: PLC0415 - that is the point

        code: int = getattr(import_module(f"watcher.cli.{module}"), function)(args)
        return code

    return run


def _parser(
    subparsers: Any, common: argparse.ArgumentParser, verb: str, what: str, examples: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        verb,
        parents=[common],
        help=what,
        description=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser
