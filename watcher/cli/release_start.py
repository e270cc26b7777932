"""`watcher release start`: backup and check first, where the job has them, then the registration."""

from __future__ import annotations

import argparse
from typing import Any

from watcher.cli import exits
from watcher.cli.client import Client, RefusedError
from watcher.cli.exits import UsageError
from watcher.cli.inside import rollback_around
from watcher.cli.output import LINE, Output, output_of
from watcher.cli.reaching import address_of, client_of, query_of
from watcher.cli.unit_losses import UnitLosses
from watcher.core.text import shown


def run(args: argparse.Namespace) -> int:
    """Register, and print the id."""
    output = output_of(args)
    found = register(args, client_of(args), output)
    output.data(found, [shown(found["id"], limit=LINE)])
    return exits.OK


def register(args: argparse.Namespace, client: Client, output: Output) -> dict[str, Any]:
    """The release as the daemon shows it.

    Raises UsageError, BackupError (nothing was registered), GitError, and what the client raises.
    """
    body: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("job", "version", "previous", "id", "reason", "owner", "window", "mode", "rollback_note", "files")
    }
    if args.git is not None:
        _ask_git(body, args, client, output)
    if body["version"] is None:
        raise UsageError("a release needs a version", hint="give --version V, or --git DIR")
    if args.force and not (args.reason or "").strip():  # the subject of a commit is none for this
        raise UsageError("--force needs a reason", hint="give --reason TEXT")
    known = client.read("/api/v1/status").json
    job = known["jobs"].get(args.job, {})  # one that it does not know is the registration's to refuse
    losses = UnitLosses(args.job, job.get("units", ()), known["journal"]["source"])
    try:
        if (job.get("backup") or job.get("check")) and not _is_known(client, args.id):
            from watcher.cli.errands import run_errands  # noqa: PLC0415 - starts processes: slow to load

            body |= run_errands(job, body, output)
        body |= {"prepare": args.prepare or None, "force": args.force or None, "inside_rollback": rollback_around()}
        found = client.change("/api/v1/releases", body).json
        for warning in losses.warnings():
            output.message(warning)
    finally:
        losses.drop()
    if found["mode_reason"] is not None:
        output.message(f"WARNING: {found['mode_reason']}")
    return found


def _ask_git(body: dict[str, Any], args: argparse.Namespace, client: Client, output: Output) -> None:
    """Fill in what the command line leaves open."""
    from watcher.cli.git import Checkout  # noqa: PLC0415 - starts processes: slow to load

    checkout = Checkout.at(args.git)
    if body["version"] is None:
        body["version"] = checkout.version()
    if body["reason"] is None:
        body["reason"] = checkout.subject()
    if body["files"] is None:
        files, left_out = checkout.changed_files(since=args.previous or _last_version(client, args.job))
        body["files"] = list(files)
        if left_out:
            output.message(f"{args.git}: {left_out} more files changed than a release can name")


def _last_version(client: Client, job: str) -> str | None:
    """The version of the job's newest release."""
    try:
        found = client.read(query_of(job, 1)).json["releases"]
    except RefusedError:
        return None  # the registration will say what is wrong with the job
    return found[0]["version"] if found else None


def _is_known(client: Client, release: str | None) -> bool:
    """Whether this is the same call again: a second backup could save what the new version has broken."""
    if release is None:
        return False
    try:
        client.read(address_of(release))
    except RefusedError as error:
        if error.kind == "unknown-release":
            return False
        raise
    return True
