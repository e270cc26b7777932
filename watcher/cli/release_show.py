"""`watcher release list`, `show` and `note`: looking at releases."""

from __future__ import annotations

import argparse

from watcher.cli import exits
from watcher.cli.client import RefusedError
from watcher.cli.output import LINE, SCHEMA, output_of
from watcher.cli.reaching import address_of, client_of, query_of
from watcher.cli.release_lines import details, table
from watcher.core.text import shown


def list_releases(args: argparse.Namespace) -> int:
    """The newest first."""
    found, output = client_of(args).read(query_of(args.job, args.limit)).json, output_of(args)
    output.data(found, [] if output.is_json else table(found["releases"], output))
    return exits.OK


def show(args: argparse.Namespace) -> int:
    """Everything about one."""
    found, output = client_of(args).read(address_of(args.id)).json, output_of(args)
    output.data(found, [] if output.is_json else details(found, output))
    return exits.OK


def note(args: argparse.Namespace) -> int:
    """The final note as Markdown; while there is none, asking again later is right."""
    try:
        text = client_of(args).read(address_of(args.id, "note")).body.decode(errors="backslashreplace")
    except RefusedError as error:
        if error.kind == "wrong-phase":
            error.exit_code = exits.TRY_AGAIN
        raise
    lines = [shown(line, limit=LINE * 10) for line in text.removesuffix("\n").split("\n")]
    output_of(args).data({"schema": SCHEMA, "id": args.id, "note": text}, lines)
    return exits.OK
