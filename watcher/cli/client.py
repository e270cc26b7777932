"""The control socket from the other side: one HTTP/1.1 request, one answer, with the time that it may take.

By hand, since it is all that a verb needs and every library for it takes longer to load than the request takes. Knows
the daemon's error form (RFC 9457); knows no verb.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedIOBase
from pathlib import Path
from typing import Any, TypeVar

from watcher.cli import exits
from watcher.core.errors import WatcherError
from watcher.paths import SOCKET

SECONDS = 30.0
PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_SERVICE_START = "systemctl start release-watcher.service"
_STOPPING = "stopping"
_LONGEST_LINE = 64 * 1024
_CODES: Mapping[int, int] = {
    HTTPStatus.UNAUTHORIZED: exits.NOT_PERMITTED,
    HTTPStatus.FORBIDDEN: exits.NOT_PERMITTED,
    HTTPStatus.REQUEST_TIMEOUT: exits.TRY_AGAIN,
    HTTPStatus.UNPROCESSABLE_ENTITY: exits.BAD_CONFIG,
    HTTPStatus.TOO_MANY_REQUESTS: exits.TRY_AGAIN,
    HTTPStatus.SERVICE_UNAVAILABLE: exits.TRY_AGAIN,
}


class NoDaemonError(WatcherError):
    """Nobody listens at the socket."""

    exit_code = exits.NO_DAEMON


class NotPermittedError(WatcherError):
    """The socket is there, but not for this user."""

    exit_code = exits.NOT_PERMITTED


class LostError(WatcherError):
    """The daemon was reached and gave no whole answer: what was asked for may have been done or not."""

    exit_code = exits.TRY_AGAIN


class CutOffError(LostError):
    """The daemon was reached and went away in the middle."""


class RefusedError(WatcherError):
    """The daemon's own refusal; `kind` is the last word of its `type`, `problems` every fault if it names them."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title") or f"the daemon answered {status}"
        super().__init__(str(detail), hint=str(problem.get("hint") or ""))
        self.kind = str(problem.get("type", "")).rpartition(":")[2]
        self.problems = tuple(str(one) for one in problem.get("problems") or ())
        internal = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.exit_code = _CODES.get(status, exits.INTERNAL if internal else exits.USAGE)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no error; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The object in the body."""
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise LostError(f"the daemon's answer is no JSON: {error}", hint="is that the daemon's socket?") from error
        if not isinstance(found, dict):
            raise LostError("the daemon's answer is no JSON object", hint="is that the daemon's socket?")
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the daemon behind `path`."""

    path: Path

    def read(self, address: str, *, etag: str | None = None, seconds: float = SECONDS) -> Reply:
        """Look at something; nothing changes by it, so that a look that is cut off is taken once more.

        Raises NoDaemonError, NotPermittedError, LostError and RefusedError, as `change` does.
        """
        headers = {} if etag is None else {"If-None-Match": etag}
        try:
            return self._ask("GET", address, b"", headers, seconds)
        except CutOffError:
            return self._ask("GET", address, b"", headers, seconds)

    def change(self, address: str, body: Mapping[str, Any], *, seconds: float = SECONDS) -> Reply:
        """Ask for a change; members that are None are left out."""
        told = json.dumps({name: value for name, value in body.items() if value is not None}, ensure_ascii=False)
        # half a character, as a file name may hold, becomes a JSON escape, which the daemon refuses by its name
        content = told.encode("utf-8", "backslashreplace")
        return self._ask("POST", address, content, {"Content-Type": "application/json"}, seconds)

    def _ask(self, method: str, address: str, content: bytes, headers: Mapping[str, str], seconds: float) -> Reply:
        """Ask, and ask the next daemon if this one is just stopping: then nothing was taken in."""
        deadline, stopping = time.monotonic() + seconds, None
        while True:
            try:
                return self._ask_once(method, address, content, headers, seconds)
            except RefusedError as error:
                if error.kind != _STOPPING or time.monotonic() >= deadline:
                    raise
                stopping = error
            except NoDaemonError as error:
                raise stopping or error from None
            time.sleep(_PAUSE_SECONDS)

    def _ask_once(self, method: str, address: str, content: bytes, headers: Mapping[str, str], seconds: float) -> Reply:
        lines = [f"{method} {address} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
        lines += [*(f"{name}: {value}" for name, value in headers.items()), "Connection: close", "", ""]
        with self._connected(seconds) as connection:
            try:
                with suppress(BrokenPipeError):  # one connection too many is answered and closed without being read
                    connection.sendall("\r\n".join(lines).encode("ascii") + content)
                with connection.makefile("rb") as stream:
                    status, found, body = _answer(stream)
            except TimeoutError as error:
                hint = "try again; `systemctl status release-watcher` tells whether the daemon can start"
                raise LostError(f"{self.path}: no answer within {seconds:.0f} s", hint=hint) from error
            except OSError as error:
                is_look = method == "GET"
                hint = "try again" if is_look else "what was asked for may have been done or not: look, then try again"
                raise CutOffError(f"{self.path}: the daemon went away before it answered", hint=hint) from error
        if status >= HTTPStatus.BAD_REQUEST:
            raise RefusedError(status, _problem(body))
        return Reply(found, body)

    def _connected(self, seconds: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(str(self.path))
        except OSError as error:
            connection.close()
            raise unreachable(self.path, error) from error
        return connection


T = TypeVar("T")


def patiently(step: Callable[[], T], say: Callable[[str], None], *, seconds: float = PATIENCE_SECONDS) -> T:
    """The outcome of `step`, which may be done twice, tried again for so many seconds while the daemon is away.

    `say` is told once that it is. Raises the last error when the time is over.
    """
    deadline, is_told = time.monotonic() + seconds, False
    while True:
        try:
            return step()
        except (NoDaemonError, LostError, RefusedError) as error:
            away = error.exit_code in (exits.NO_DAEMON, exits.TRY_AGAIN) and getattr(error, "kind", "") != "wrong-phase"
            if not away or time.monotonic() >= deadline:
                raise
            if not is_told:
                say(f"{error.message}; trying again")
                is_told = True
        time.sleep(_PAUSE_SECONDS)


def unreachable(path: Path, error: OSError) -> WatcherError:
    """What it means for a person that nothing can be connected to there."""
    what = f"{path}: {error.strerror or error}"
    if isinstance(error, PermissionError):
        return NotPermittedError(what, hint="members of the group release-watcher-deploy may use it")
    if isinstance(error, BlockingIOError | TimeoutError):
        return LostError(f"{path}: the daemon takes no more connections", hint="try again in a moment")
    by_hand = "start it with `watcher run`, or say where it is with --state-dir or --socket"
    return NoDaemonError(
        f"{path}: no daemon listens there ({error.strerror or error})",
        hint=f"{_SERVICE_START}; by hand: {by_hand}" if path == SOCKET else by_hand,
    )


def _answer(stream: BufferedIOBase) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and whole body; an answer that ends too early is an OSError."""
    words = _line(stream).split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():  # noqa: PLR2004 - version and status
        raise ConnectionResetError("no HTTP answer")
    headers = {}
    while line := _line(stream):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return int(words[1]), headers, _chunked(stream)
    length = headers.get("content-length")
    return int(words[1]), headers, stream.read() if length is None else _exactly(stream, int(length))


def _chunked(stream: BufferedIOBase) -> bytes:
    body = b""
    while size := int(_line(stream).partition(";")[0], 16):
        body += _exactly(stream, size)
        _line(stream)
    while _line(stream):
        continue
    return body


def _exactly(stream: BufferedIOBase, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise ConnectionResetError("the answer ended too early")
    return found


def _line(stream: BufferedIOBase) -> str:
    line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the answer ended too early")
    return line.decode("latin-1").rstrip("\r\n")


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
