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
    return _ask(args, "deployed", {})


def decide(args: argparse.Namespace) -> int:
    """One decision about one release."""
    code = _ask(args, args.judgement, {"reason": args.reason, "by": args.by})
    if args.judgement == "rollback" and client_of(args).read("/api/v1/status").json["disarmed"]:
        output_of(args).message(f"held: {DISARMED}, then ask again")
    return code


def _ask(args: argparse.Namespace, what: str, body: Mapping[str, Any]) -> int:
    found, output = client_of(args).change(address_of(args.id, what), body).json, output_of(args)
    output.data(found, [headline(found, output) + until(found)])
    return exits.OK
