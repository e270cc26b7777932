"""`watcher release deployed`, and a person's decisions: `pass`, `fail`, `extend`, `cancel`, `rollback`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from watcher.cli import exits
from watcher.cli.output import output_of
from watcher.cli.pause import DISARMED
from watcher.cli.reaching import address_of, client_of
from watcher.cli.release_lines import headline, until


def deployed(args: argparse.Namespace) -> int:
    """The prepared release is out."""
    _ask(args, "deployed", {})
    return exits.OK


def decide(args: argparse.Namespace) -> int:
    """One decision about one release."""
    found = _ask(args, args.judgement, {"reason": args.reason, "by": args.by})
    if args.judgement == "rollback":
        _tell(args, found["rollback"])
    return exits.OK


def _tell(args: argparse.Namespace, rollback: Mapping[str, Any]) -> None:
    """What came of the order where nothing follows: one run is all that a release has, and the off switch holds."""
    if rollback["state"] == "succeeded":
        output_of(args).message(f"nothing was run: the rollback had succeeded already, at {rollback['finished_at']}")
    elif rollback["state"] == "running":
        output_of(args).message(f"nothing more was run: the rollback has been running since {rollback['started_at']}")
    elif client_of(args).read("/api/v1/status").json["disarmed"]:
        output_of(args).message(f"held: {DISARMED}, then ask again")


def _ask(args: argparse.Namespace, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The release as it is after the order, which is printed."""
    found, output = client_of(args).change(address_of(args.id, what), body).json, output_of(args)
    output.data(found, [headline(found, output) + until(found)])
    return found
