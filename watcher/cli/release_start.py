"""`watcher release start`, `deployed` and `exec`: what a release script calls."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from watcher.cli import exits
from watcher.cli.client import Client
from watcher.cli.exits import BackupError, UsageError
from watcher.cli.output import LINE, Output, output_of
from watcher.cli.process import capture, run_here
from watcher.cli.reaching import address_of, client_of
from watcher.cli.release_lines import headline
from watcher.cli.release_wait import wait_for
from watcher.clock import wall_clock
from watcher.core.shell import command_line
from watcher.core.text import shown

_SHOWN = 64


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the checkout adds to the options."""

    version: str
    reason: str
    files: tuple[str, ...]


def start(args: argparse.Namespace) -> int:
    """Register a release and print its id."""
    client, output = client_of(args), output_of(args)
    release = _register(args, client, output, prepare=args.prepare)
    output.data(release, [release["id"]])
    return exits.OK


def deployed(args: argparse.Namespace) -> int:
    """Start the clock of a prepared release."""
    release, output = client_of(args).change(address_of(args.id, "deployed"), {}).json, output_of(args)
    output.data(release, [headline(release, output)])
    return exits.OK


def execute(args: argparse.Namespace) -> int:
    """Register, run the command that deploys, start the clock, wait; the exit code tells which of them ended it."""
    command = args.tail or args.command
    if not command:
        raise UsageError(
            "exec needs the command that deploys", hint="put it after `--`: … --version 2.4.1 -- make deploy"
        )
    client, output = client_of(args), output_of(args)
    release = _register(args, client, output, prepare=True)
    output.message(f"release {release['id']} is prepared")
    code = run_here(command)
    if code != exits.OK:
        reason = f"the deploying command ended with exit code {code}"
        client.change(address_of(release["id"], "cancel"), {"reason": reason})
        output.message(f"release {release['id']} is cancelled: {reason}")
        return code
    client.change(address_of(release["id"], "deployed"), {})
    return wait_for(client, release["id"], output, timeout=args.timeout)


def _register(args: argparse.Namespace, client: Client, output: Output, *, prepare: bool) -> dict[str, Any]:
    facts = _facts(args)
    backup = None if _is_registered(args, client) else _back_up(args.job, client, output)
    body = {
        "job": args.job,
        "version": facts.version,
        "id": args.id,
        "previous": args.previous,
        "owner": args.owner,
        "reason": facts.reason,
        "rollback_note": args.rollback_note,
        "files": list(facts.files) or None,
        "mode": args.mode,
        "window": args.window,
        "prepare": prepare,
        "backup": backup,
    }
    return client.change("/api/v1/releases", body).json


def _is_registered(args: argparse.Namespace, client: Client) -> bool:
    """Whether a release of the given id is there already: its backup was made when it came."""
    if args.id is None:
        return False
    from watcher.cli.client import RefusedError  # noqa: PLC0415 - for this one question

    try:
        client.read(address_of(args.id))
    except RefusedError as error:
        if error.kind == "unknown-release":
            return False
        raise
    return True


def _facts(args: argparse.Namespace) -> _Facts:
    """The options, and where they are silent the checkout."""
    if args.git is None:
        if args.version is None:
            raise UsageError("--version is missing", hint="give --version V, or --git DIR to take it from a checkout")
        return _Facts(args.version, args.reason or "", tuple(args.file))
    from watcher.cli.git import look  # noqa: PLC0415 - only with --git

    found = look(args.git, args.previous)
    files = tuple(args.file) or found.files
    return _Facts(args.version or found.version, args.reason or found.reason, files)


def _back_up(job: str, client: Client, output: Output) -> Mapping[str, Any] | None:
    """Run the job's backup command, if it has one; None if not. Raises BackupError: nothing may be registered."""
    jobs: dict[str, Any] = client.read("/api/v1/status").json["jobs"]
    command = jobs.get(job, {}).get("backup") or []
    if not command:
        return None
    line = shown(command_line(command), limit=LINE)
    output.message(f"backup: {line}")
    started_at = wall_clock()
    ended = capture(command)
    if ended.exit_code != 0:
        for text in ended.output.splitlines():
            output.message(f"  {text}")
        raise BackupError(
            f"the backup of job {shown(job, limit=_SHOWN)} ended with exit code {ended.exit_code}: nothing is registered",
            hint=f"make it work, then try again: {line}",
        )
    return {
        "command": list(command),
        "exit_code": ended.exit_code,
        "started_at": started_at,
        "finished_at": wall_clock(),
        "output": ended.output.replace("\0", ""),
    }
