"""`watcher release exec`: the whole of a release around the command that deploys it."""

from __future__ import annotations

import argparse
from typing import Any

from watcher.cli import exits
from watcher.cli.client import Client, RefusedError, patiently
from watcher.cli.command import exit_code_of, run_inherited
from watcher.cli.exits import UsageError
from watcher.cli.output import LINE, Output, output_of
from watcher.cli.reaching import address_of, client_of
from watcher.cli.release_lines import headline
from watcher.cli.release_start import register
from watcher.cli.release_wait import Limit, wait
from watcher.core.duration import parse_duration
from watcher.core.errors import WatcherError
from watcher.core.shell import command_line
from watcher.core.text import shown

_LONGEST_NAME = 200


def run(args: argparse.Namespace) -> int:
    """Prepare, run the command, start the clock, wait; returns the command's own code when it fails."""
    if not args.tail:
        raise UsageError(
            "no command to run", hint="write it after --, as in: release exec JOB --version V -- make deploy"
        )
    timeout = None if args.timeout is None else parse_duration(args.timeout)
    client, output = client_of(args), output_of(args)
    release = str(register(args, client, output)["id"])
    output.message(f"release {release} is prepared: {command_line(args.tail)}")
    try:
        code = _run(args.tail, output)
    except KeyboardInterrupt:  # between two steps of ours: while the command runs, Ctrl-C is the command's
        _cancel(client, release, "interrupted", output)
        raise
    if code != exits.OK:
        _cancel(client, release, f"{command_line(args.tail)} ended with exit code {code}", output)
        return code
    return wait(client, release, _deployed(client, release, output), Limit(timeout), output)


def _deployed(client: Client, release: str, output: Output) -> dict[str, Any]:
    """Start the clock. One that somebody ended meanwhile has none, and `wait` says how it ended."""
    try:
        return patiently(lambda: client.change(address_of(release, "deployed"), {}).json, output.message)
    except RefusedError as error:
        if error.kind != "wrong-phase":
            raise
        output.message(error.message)
        return client.read(address_of(release)).json
    except WatcherError:
        output.message(f"the command has succeeded, but the clock of {release} did not start")
        output.message(f"when the daemon is back: watcher release deployed {release}")
        raise


def _run(command: list[str], output: Output) -> int:
    try:
        return run_inherited(command)
    except OSError as error:
        output.message(f"{command[0]}: {error.strerror}")
        return exit_code_of(error)


def _cancel(client: Client, release: str, why: str, output: Output) -> None:
    """The command's exit code is what the caller must get, so that a cancelling that fails is only told."""
    body = {"reason": shown(why, limit=_LONGEST_NAME)}
    try:
        found = patiently(lambda: client.change(address_of(release, "cancel"), body).json, output.message)
    except WatcherError as error:
        output.message(f"release {release} is not cancelled: {error.message}")
        return
    output.message(shown(headline(found, Output(is_json=False, has_colour=False)), limit=LINE))
