"""The routes that change nothing: both sockets have them.

Knows the HTTP of the contract; what is answered comes from the daemon's state and store.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from aiohttp import web

from watcher.adapters.front import Front
from watcher.adapters.overview import overview, with_standing
from watcher.adapters.problem import RequestError, refused
from watcher.core.messages import RefusalCode, Refused
from watcher.core.names import JobName, ReleaseId, is_safe_name
from watcher.core.release import Release
from watcher.core.shown import SCHEMA, shown_release
from watcher.core.text import shown

LIST_DEFAULT, LIST_MOST = 50, 1000
PIECE = 10
"""Releases that are read from the store in one go: at most some hundredths of a second."""
_SHOWN_NAME = 64


class Reads:
    """`/api/v1/status`, `/api/v1/releases` and `/api/v1/releases/ID`."""

    def __init__(self, front: Front, *, for_deployers: bool) -> None:
        self._front = front
        self._for_deployers = for_deployers

    async def status(self, request: web.Request) -> web.Response:
        """The daemon at a glance."""
        only(request)
        return to_json(overview(self._front, for_deployers=self._for_deployers))

    async def releases(self, request: web.Request) -> web.Response:
        """The newest releases first."""
        only(request, "job", "limit")
        job = request.query.get("job")
        limit = _limit(request.query.get("limit", str(LIST_DEFAULT)))
        if job is not None and not is_safe_name(job):
            return refused(unknown_job(job))
        found = await self._newest(None if job is None else JobName(job), limit)
        if job is not None and not found and job not in self._front.state.policies:
            return refused(unknown_job(job))
        return to_json({"schema": SCHEMA, "releases": found})

    async def _newest(self, job: JobName | None, limit: int) -> list[dict[str, Any]]:
        """A few at a time: a record may be large, and whoever asks for a thousand shall not hold up a verdict."""
        found: list[dict[str, Any]] = []
        piece, before = self._front.list(job, min(limit, PIECE)), None
        while piece:
            now, before = self._front.now(), piece[-1].id
            found += (with_standing(one, now, for_deployers=self._for_deployers) for one in piece)
            await asyncio.sleep(0)  # noqa: TID251 - no wait: it is the turn of the others
            piece = self._front.list(job, min(limit - len(found), PIECE), before)
        return found

    async def release(self, request: web.Request) -> web.Response:
        """One release."""
        only(request)
        found = find(self._front, request)
        return self.shown(found) if isinstance(found, Release) else refused(found)

    def shown(self, release: Release, *, status: int = 200) -> web.Response:
        """The release as an answer; its ETag changes with its record."""
        shown_now = with_standing(release, self._front.now(), for_deployers=self._for_deployers)
        answer = to_json(shown_now, status=status)
        answer.headers["ETag"] = etag(release)
        return answer


def find(front: Front, request: web.Request) -> Release | Refused:
    """The release that the address names."""
    name = request.match_info["id"]
    found = front.find(ReleaseId(name)) if is_safe_name(name) else None
    return unknown_release(name) if found is None else found


def unknown_release(name: str) -> Refused:
    """No release of that id was ever registered."""
    return Refused(
        code=RefusalCode.UNKNOWN_RELEASE,
        message=f"{shown(name, limit=_SHOWN_NAME)}: no such release",
        hint="`watcher release list` shows them",
    )


def unknown_job(name: str) -> Refused:
    """The configuration has no job of that name, and there is no old release of one."""
    return Refused(
        code=RefusalCode.UNKNOWN_JOB, message=f"{shown(name, limit=_SHOWN_NAME)}: no such job in the configuration"
    )


def etag(release: Release) -> str:
    """A word that differs whenever anything in the shown record does."""
    record = json.dumps(shown_release(release), sort_keys=True)
    return f'"{hashlib.sha256(record.encode()).hexdigest()[:32]}"'


def only(request: web.Request, *known: str) -> None:
    """Raises RequestError when the address has a query that is not known, or one of them twice."""
    names = list(request.query)
    odd = [name for name in names if name not in known]
    if odd:
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise RequestError(f"{shown(odd[0], limit=_SHOWN_NAME)}: unknown in the query of {request.path}", hint=takes)
    if len(names) > len(set(names)):
        raise RequestError("the same word stands twice in the query", hint="give each once")


def to_json(value: dict[str, Any], *, status: int = 200) -> web.Response:
    """An answer of JSON."""
    return web.Response(status=status, text=json.dumps(value) + "\n", content_type="application/json")


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(LIST_MOST)) and 0 < int(text) <= LIST_MOST):
        raise RequestError(f"limit: not a number from 1 to {LIST_MOST}", hint="leave it out for 50")
    return int(text)
