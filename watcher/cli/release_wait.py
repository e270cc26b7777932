"""`watcher release wait`: until the release has ended and its rollback is settled, through restarts of the daemon."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watcher.cli import exits
from watcher.cli.client import SECONDS, Client, LostError, patiently
from watcher.cli.output import Output, output_of
from watcher.cli.reaching import address_of, client_of
from watcher.cli.release_lines import headline, is_open, progress
from watcher.core.duration import SECOND, Usec, format_duration, parse_duration
from watcher.core.text import shown

_REDRAWN, _QUIET = 1.0, 30.0
_RESTART = 5.0
"""So long a daemon that was never reached may take to come: it may just be restarted, or none may run at all."""
_MARGIN = 15.0
_LEAST = 0.5
"""So long an answer may take that nothing had to be waited for."""
_ENDING = ("queued", "running")
_UNKNOWN_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Limit:
    """How long may be waited, from the moment that this is made; None: for ever."""

    timeout: Usec | None
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float | None:
        """The seconds that are left, at least 0."""
        return None if self.timeout is None else max(self.began + self.timeout / SECOND - time.monotonic(), 0.0)


def run(args: argparse.Namespace) -> int:
    """Wait, then print how it ended."""
    limit = Limit(None if args.timeout is None else parse_duration(args.timeout))
    client, output = client_of(args), output_of(args)

    def look() -> dict[str, Any]:
        left = limit.left
        seconds = SECONDS if left is None else min(SECONDS, left + _LEAST)
        return client.read(address_of(args.id), seconds=seconds).json

    left = limit.left
    patience = _RESTART if left is None else min(left, _RESTART)
    try:
        return wait(client, args.id, patiently(look, output.message, seconds=patience), limit, output)
    except LostError as error:  # a daemon that hangs
        if limit.left != 0:
            raise
        output.message(f"{args.id}: {error.message}")
        return exits.TIMED_OUT


def wait(client: Client, release: str, found: Mapping[str, Any], limit: Limit, output: Output) -> int:
    """Wait for the release, of which `found` is what is known so far; returns the contract's exit code."""
    watched = _Watched(client, release, output)
    try:
        while not is_settled(found):
            left = limit.left
            if left == 0:
                return _timed_out(found, limit.timeout or Usec(0), watched, output)
            watched.show(found)
            found = watched.next(left)
    finally:
        watched.end()
    output.data(found, [headline(found, output)])
    return verdict_code(found)


def is_settled(release: Mapping[str, Any]) -> bool:
    """Whether nothing more will happen to the release by itself."""
    return not is_open(release) and release["rollback"]["state"] not in _ENDING


def verdict_code(release: Mapping[str, Any]) -> int:
    """The contract's exit code for a release that is settled."""
    match release["phase"]:
        case "passed":
            return exits.OK
        case "failed":
            return exits.FAILED if release["rollback"]["state"] == "succeeded" else exits.HUMAN
        case "inconclusive":
            return exits.INCONCLUSIVE
        case _:
            return exits.REPLACED


def _timed_out(found: Mapping[str, Any], timeout: Usec, watched: _Watched, output: Output) -> int:
    watched.end()
    output.message(f"{found['id']} is {found['phase']} after {format_duration(timeout)}; it goes on being watched")
    if output.is_json:
        output.data(found, [])
    return exits.TIMED_OUT


class _Watched:
    """Follows one release by the long poll, and tells how it stands: on a terminal in one line that is redrawn."""

    def __init__(self, client: Client, release: str, output: Output) -> None:
        self._client, self._address, self._output = client, address_of(release), output
        self._is_terminal = sys.stderr.isatty()
        self._etag: str | None = None
        self._told = ""

    def next(self, left: float | None) -> dict[str, Any]:
        """The release when it has changed, or after a while; `left` are the seconds that this may take."""
        longest = _REDRAWN if self._is_terminal else _QUIET
        seconds = longest if left is None else max(min(longest, left), 0.001)
        poll = f"{self._address}?wait={max(int(seconds * 1000), 1)}ms"
        if self._etag is None:  # what is known may be old: look first
            poll = self._address

        def look() -> dict[str, Any]:
            reply = self._client.read(poll, etag=self._etag, seconds=seconds + _MARGIN)
            self._etag = reply.headers.get("etag")
            return reply.json

        return patiently(look, self._say) if left is None else patiently(look, self._say, seconds=min(left, 60.0))

    def show(self, found: Mapping[str, Any]) -> None:
        """Redraw the line; elsewhere a new line when more than the time has changed."""
        if self._is_terminal:
            line = shown(f"{found['id']}: {progress(found, _PLAIN)}", limit=_width() - 1)
            sys.stderr.write(f"\r{line}\033[K")
            sys.stderr.flush()
            return
        line = f"{found['id']}: {progress({**found, 'seconds_left': None}, _PLAIN)}"
        if line != self._told:
            self._output.message(line)
            self._told = line

    def end(self) -> None:
        """Take the line away."""
        if self._is_terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _say(self, text: str) -> None:
        self.end()
        self._output.message(text)


_PLAIN = Output(is_json=False, has_colour=False)


def _width() -> int:
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns or _UNKNOWN_WIDTH, 2)
    except OSError:
        return _UNKNOWN_WIDTH
