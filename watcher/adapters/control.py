"""The control socket: HTTP on a unix socket, where scripts and people register releases and decide about them.

A route reads the request strictly, hands one event in and shows the answer. Who asks is what the kernel says of the
socket's other end; nothing in a request can claim to be somebody else.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from watcher.adapters.accounts import Accounts
from watcher.adapters.bodies import BODY_LIMIT, Decided, Held, Nothing, Registration, Resumed, duration, read_body
from watcher.adapters.front import Front, FrontError, StoppingError
from watcher.adapters.gate import Limits, gate_of
from watcher.adapters.listener import listening as open_listener
from watcher.adapters.overview import shown_pause
from watcher.adapters.pages import add_pages
from watcher.adapters.problem import RequestError, problems, refused
from watcher.adapters.reads import Reads, etag, find, only, to_json, unknown_release
from watcher.adapters.server import Server, inherited
from watcher.core.duration import SECOND, Usec, parse_duration
from watcher.core.errors import WatcherError
from watcher.core.messages import (
    Event,
    Judgement,
    PauseRequested,
    PersonDecided,
    RefusalCode,
    Refused,
    ReleaseDeployed,
    ReleaseRequested,
    ResumeRequested,
)
from watcher.core.names import JobName, ReleaseId, is_safe_name
from watcher.core.release import Phase, Release, RollbackState
from watcher.core.shown import SCHEMA, shown_release

LIMITS = Limits(connections=32, each_user=8, polls=64, polls_each_user=32)
LONGEST_WAIT = Usec(60 * SECOND)
RELOAD_SECONDS = 300.0
_ENDING = frozenset({RollbackState.QUEUED, RollbackState.RUNNING})
_OPEN = frozenset({Phase.PREPARING, Phase.WATCHING})


class ControlServer(Server):
    """The control socket at `path`, or the one that was inherited, served while this context is open.

    Opening raises SocketError.
    """

    def __init__(
        self, front: Front, path: Path, *, limits: Limits = LIMITS, listener: socket.socket | None = None
    ) -> None:
        listening = partial(open_listener, path) if listener is None else inherited(listener)
        super().__init__(lambda: _application(front), listening, limits)


def _application(front: Front) -> web.Application:
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[problems])
    add_pages(app, front)
    reads, writes = Reads(front, for_deployers=True), _Writes(front)
    app.router.add_get("/api/v1/status", reads.status)
    app.router.add_get("/api/v1/releases", reads.releases)
    app.router.add_get("/api/v1/releases/{id}", writes.release)
    app.router.add_get("/api/v1/releases/{id}/note", writes.note)
    app.router.add_post("/api/v1/releases", writes.taking(writes.register))
    app.router.add_post("/api/v1/releases/{id}/deployed", writes.taking(writes.deployed))
    for judgement in Judgement:
        app.router.add_post(f"/api/v1/releases/{{id}}/{judgement}", writes.taking(writes.judging(judgement)))
    app.router.add_post("/api/v1/pause", writes.taking(writes.pause))
    app.router.add_post("/api/v1/resume", writes.taking(writes.resume))
    app.router.add_post("/-/reload", writes.taking(writes.reload))
    return app


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Writes:
    """The routes that only this socket has."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._reads = Reads(front, for_deployers=True)
        self._accounts = Accounts()

    def taking(self, handler: Handler) -> Handler:
        """`handler` while the daemon takes something in; once its shutdown began, a 503 of kind `stopping`."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._front.stopping():
                raise StoppingError
            return await handler(request)

        return handle

    async def release(self, request: web.Request) -> web.Response:
        """One release; with `?wait=60s` as soon as it differs from what `If-None-Match` names, or from now."""
        only(request, "wait")
        found = find(self._front, request)
        if isinstance(found, Refused):
            return refused(found)
        wait = _wait(request.query.get("wait"))
        known = request.headers.get("If-None-Match")
        gate = gate_of(request)
        if wait and gate is not None and not _has_settled(found) and known in (None, etag(found)):
            seconds = wait / SECOND
            await gate.wait(self._front.changed(found.id, seconds), seconds)
            found = self._front.find(found.id) or found
        return self._reads.shown(found)

    async def note(self, request: web.Request) -> web.Response:
        """The final note, as Markdown."""
        only(request)
        found = find(self._front, request)
        if isinstance(found, Refused):
            return refused(found)
        text = await self._front.note(found.id)
        if text is None:
            hint = "it is written when the release ends" if found.phase in _OPEN else "try again in a moment"
            message = f"release {found.id} is {found.phase} and has no note yet"
            return refused(Refused(code=RefusalCode.WRONG_PHASE, message=message, hint=hint))
        return web.Response(text=text, content_type="text/markdown")

    async def register(self, request: web.Request) -> web.StreamResponse:
        """A release is registered."""
        body = read_body(await request.read(), Registration)
        asked = body.request(await self._author(request))
        now, fresh_id = self._front.now(), self._front.fresh_id(JobName(body.job))
        event = ReleaseRequested(at=now, request=asked, fresh_id=fresh_id, dry_run=body.dry_run)
        return await (self._rehearse(event) if body.dry_run else self._ask(event))

    async def _rehearse(self, event: ReleaseRequested) -> web.StreamResponse:
        """Answers a dry run: whether the release is there already, its mode, why it is not the mode asked for."""
        answer = await self._front.ask(event)
        if isinstance(answer, Refused):
            return refused(answer)
        would = answer.release
        if would is None:
            raise FrontError("a registration was answered without a release")
        shown = shown_release(would)
        known = self._front.find(would.id) is not None
        return to_json({"schema": SCHEMA, "known": known, **{key: shown[key] for key in ("mode", "mode_reason")}})

    async def deployed(self, request: web.Request) -> web.StreamResponse:
        """A prepared release is out."""
        read_body(await request.read(), Nothing)
        name = _id(request)
        if isinstance(name, Refused):
            return refused(name)
        author = await self._author(request)
        return await self._ask(ReleaseDeployed(at=self._front.now(), release=name, author=author))

    def judging(self, judgement: Judgement) -> Handler:
        """The route of one kind of decision."""

        async def handle(request: web.Request) -> web.StreamResponse:
            body = read_body(await request.read(), Decided)
            if (body.by is not None) is not (judgement is Judgement.EXTEND):
                raise RequestError(
                    f"by: {'missing' if body.by is None else 'not a member of this request'}",
                    hint="`by` is how much longer the window shall be, for `extend` and nothing else",
                )
            name = _id(request)
            if isinstance(name, Refused):
                return refused(name)
            author = await self._author(request)
            event = PersonDecided(
                at=self._front.now(),
                release=name,
                judgement=judgement,
                reason=body.reason,
                author=author,
                by=duration(body.by),
            )
            return await self._ask(event)

        return handle

    async def pause(self, request: web.Request) -> web.StreamResponse:
        """Automatic rollbacks are held."""
        body = read_body(await request.read(), Held)
        author, span = await self._author(request), duration(body.for_)
        now = self._front.now()
        event = PauseRequested(
            at=now,
            job=None if body.job is None else JobName(body.job),
            reason=body.reason,
            author=author,
            until=None if span is None else Usec(now + span),
        )
        return await self._ask(event)

    async def resume(self, request: web.Request) -> web.StreamResponse:
        """Automatic rollbacks may happen again."""
        body = read_body(await request.read(), Resumed)
        job = None if body.job is None else JobName(body.job)
        author = await self._author(request)
        return await self._ask(ResumeRequested(at=self._front.now(), job=job, author=author))

    async def reload(self, request: web.Request) -> web.StreamResponse:
        """The configuration is read again; answered when it is in use, or refused."""
        read_body(await request.read(), Nothing)
        gate = gate_of(request)
        if gate is not None:
            gate.allow(RELOAD_SECONDS)
        await self._front.reload()
        return to_json({"schema": SCHEMA, "config_hash": self._front.facts().config_hash})

    async def _author(self, request: web.Request) -> str:
        """The name of the user at the other end, `uid N` where it can't be told.

        Raises FrontError when the client is gone: a decision without an author is not taken in.
        """
        gate = gate_of(request)
        if gate is None or gate.uid is None:
            raise FrontError("the client is gone", hint="ask again")
        return await self._accounts.name(gate.uid)

    async def _ask(self, event: Event) -> web.StreamResponse:
        answer = await self._front.ask(event)
        if isinstance(answer, Refused):
            return refused(answer)
        if answer.release is None:
            pauses = [shown_pause(pause) for pause in self._front.state.pauses]
            return to_json({"schema": SCHEMA, "pauses": pauses})
        is_new = isinstance(event, ReleaseRequested) and answer.release.registered_at == event.at
        return self._reads.shown(answer.release, status=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


def _id(request: web.Request) -> ReleaseId | Refused:
    name = request.match_info["id"]
    return ReleaseId(name) if is_safe_name(name) else unknown_release(name)


def _wait(text: str | None) -> Usec:
    if text is None:
        return Usec(0)
    try:
        return min(parse_duration(text), LONGEST_WAIT)
    except WatcherError as error:
        raise RequestError(f"wait: {error.message}", hint=error.hint) from error


def _has_settled(release: Release) -> bool:
    return release.phase not in _OPEN and release.rollback.state not in _ENDING
