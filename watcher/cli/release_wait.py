"""`watcher release wait`: until the release has ended and its rollback is settled; the exit code is the verdict."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from watcher.cli import exits
from watcher.cli.client import Client, patiently
from watcher.cli.output import Output, output_of
from watcher.cli.reaching import address_of, client_of
from watcher.cli.release_lines import headline, is_open, progress
from watcher.core.duration import SECOND, parse_duration

_POLL_SECONDS = 30
_REDRAW_SECONDS = 1
_SLACK_SECONDS = 15.0
_MOVING = frozenset({"queued", "running"})


def wait(args: argparse.Namespace) -> int:
    """Wait for one release."""
    return wait_for(client_of(args), args.id, output_of(args), timeout=args.timeout)


def wait_for(client: Client, release_id: str, output: Output, *, timeout: str | None) -> int:
    """Wait for the end; shows the progress on a terminal, and each change elsewhere. Returns the exit code."""
    address = address_of(release_id)
    deadline = None if timeout is None else time.monotonic() + parse_duration(timeout) / SECOND
    view = _View(output)
    reply = patiently(lambda: client.read(address), output.message)
    while True:
        release = reply.json
        if is_settled(release):
            view.end()
            output.data(release, [headline(release, output)])
            return exit_code_of(release)
        view.show(release)
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            view.end()
            output.message(f"{release_id} is still {release['phase']}: the wait timed out")
            return exits.TIMED_OUT
        span = _REDRAW_SECONDS if view.is_live else _POLL_SECONDS
        span_ms = int(1000 * (span if left is None else max(min(span, left), 0.001)))
        seen, question = reply.headers.get("etag"), f"{address}?wait={span_ms}ms"
        reply = patiently(
            lambda question=question, seen=seen: client.read(question, etag=seen, seconds=span + _SLACK_SECONDS),  # type: ignore[misc]
            output.message,
        )


def is_settled(release: Mapping[str, Any]) -> bool:
    """Whether the release has ended and no rollback is under way."""
    return not is_open(release) and release["rollback"]["state"] not in _MOVING


def exit_code_of(release: Mapping[str, Any]) -> int:
    """The contract's exit code of a settled release."""
    match release["phase"]:
        case "passed":
            return exits.OK
        case "failed":
            return exits.FAILED if release["rollback"]["state"] == "succeeded" else exits.HUMAN
        case "inconclusive":
            return exits.INCONCLUSIVE
        case _:
            return exits.REPLACED


class _View:
    """How far it is: one line that is drawn again on a terminal; elsewhere a line for each change of phase or count."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._told: tuple[Any, ...] = ()
        self.is_live = sys.stderr.isatty() and not output.is_json

    def show(self, release: Mapping[str, Any]) -> None:
        """The release as it is now."""
        if self.is_live:
            sys.stderr.write(f"\r\033[K{progress(release, self._output)}")
            sys.stderr.flush()
            return
        counts = tuple(one.get("now", one["count"]) for one in release["thresholds"])
        now = (release["phase"], release["rollback"]["state"], release["ends_at"], counts)
        if now != self._told:
            self._told = now
            self._output.message(f"{release['id']}: {progress(release, self._output)}")

    def end(self) -> None:
        """Take the line away."""
        if self.is_live:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
