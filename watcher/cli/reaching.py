"""From the options of a verb to what it asks the daemon."""

from __future__ import annotations

import argparse

from watcher.cli.client import Client
from watcher.cli.exits import UsageError
from watcher.core.names import is_safe_name
from watcher.core.text import shown
from watcher.paths import Paths

_SHOWN = 64


def client_of(args: argparse.Namespace) -> Client:
    """Speaks to the daemon that the options name."""
    return Client(Paths.choose(config=args.config, state=args.state_dir, socket=args.socket).socket)


def address_of(release: str, *more: str) -> str:
    """The address of a release.

    Raises UsageError where the text can't be an id, so that nothing but a name gets into an address.
    """
    if not is_safe_name(release):
        raise UsageError(f"{shown(release, limit=_SHOWN)}: no such release", hint="`watcher release list` shows them")
    return "/".join(("/api/v1/releases", release, *more))


def query_of(job: str | None, limit: int) -> str:
    """The address of the newest releases, of one job or of all.

    Raises UsageError where the text can't be a job's name.
    """
    if job is not None and not is_safe_name(job):
        raise UsageError(f"{shown(job, limit=_SHOWN)}: no such job", hint="`watcher status` shows the configured jobs")
    return f"/api/v1/releases?limit={limit}" + ("" if job is None else f"&job={job}")
