"""`watcher release start`: backup and check first, where the job has them, then the registration."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from watcher.cli import exits
from watcher.cli.client import Client, RefusedError
from watcher.cli.exits import UsageError
from watcher.cli.inside import rollback_around
from watcher.cli.output import LINE, Output, output_of
from watcher.cli.reaching import client_of, query_of
from watcher.cli.unit_losses import UnitLosses
from watcher.core.text import shown
from watcher.doctor.program import unusable


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
        body |= {"prepare": args.prepare or None, "force": args.force or None, "inside_rollback": rollback_around()}
        if job.get("backup") or job.get("check"):
            body |= _errands(client, job, body, output)
        found = client.change("/api/v1/releases", body).json
        for warning in (*losses.warnings(), *_rollback_warnings(job, found["mode"])):
            output.message(warning)
    finally:
        losses.drop()
    if found["mode_reason"] is not None:
        output.message(f"WARNING: {found['mode_reason']}")
    return found


def _rollback_warnings(job: Mapping[str, Any], mode: str) -> Iterator[str]:
    """That the command which may be needed can't be started, where that can be seen from here."""
    if mode == "observe" or not job.get("command"):
        return
    with suppress(PermissionError):
        trouble = unusable(job["command"])
        if trouble is not None:
            yield f"warning: as seen from here the rollback would fail: {trouble.what}; {trouble.hint}"


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


def _errands(client: Client, job: Mapping[str, Any], body: Mapping[str, Any], output: Output) -> dict[str, Any]:
    """What the job's commands did, each where it makes sense: never before it is known that the release will be taken.

    Nothing is run if this is the same call again (a second backup could save what the new version has broken), and no
    check of a rollback that can't be. Raises RefusedError as the registration would, and BackupError.
    """
    would = client.change("/api/v1/releases", {**body, "dry_run": True}).json
    if would["known"]:
        return {}
    from watcher.cli.errands import run_errands  # noqa: PLC0415 - starts processes: slow to load

    return run_errands(job if would["mode_reason"] is None else {**job, "check": None}, body, output)
