"""Errors as RFC 9457 `application/problem+json`, each with a `hint`.

Knows which HTTP status a refusal has; knows nothing of how a refusal comes about.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from aiohttp import web

from watcher.adapters.front import FrontError, ReloadRefusedError, StoppingError
from watcher.adapters.gate import CrowdedError
from watcher.core.errors import WatcherError
from watcher.core.messages import RefusalCode, Refused

_STATUS = {
    RefusalCode.UNKNOWN_JOB: HTTPStatus.NOT_FOUND,
    RefusalCode.UNKNOWN_RELEASE: HTTPStatus.NOT_FOUND,
    RefusalCode.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    RefusalCode.CONFLICT: HTTPStatus.CONFLICT,
    RefusalCode.WRONG_PHASE: HTTPStatus.CONFLICT,
}
_TITLES = {
    RefusalCode.UNKNOWN_JOB: "unknown job",
    RefusalCode.UNKNOWN_RELEASE: "unknown release",
    RefusalCode.BAD_REQUEST: "bad request",
    RefusalCode.CONFLICT: "conflict with what is there",
    RefusalCode.WRONG_PHASE: "not possible in this phase",
}


class RequestError(WatcherError):
    """A request that is wrong by itself, whatever the state of things; `problems` names every fault in it."""

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


def problem(status: int, kind: str, title: str, detail: str, *, hint: str = "", **more: Any) -> web.Response:
    """The answer that says what is wrong; `kind` is the last word of its `type`, `more` further members."""
    body = {"type": f"urn:release-watcher:problem:{kind}", "title": title, "status": int(status), "detail": detail}
    text = json.dumps({**body, "hint": hint, **more}, ensure_ascii=False)
    return web.Response(status=status, text=text, content_type="application/problem+json")


def refused(refusal: Refused) -> web.Response:
    """The core's refusal as an answer."""
    return problem(
        _STATUS[refusal.code], refusal.code, _TITLES[refusal.code], refusal.message, hint=refusal.hint or _hint(refusal)
    )


@web.middleware
async def problems(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turns errors that a person can understand into answers; all others are bugs and stay exceptions."""
    try:
        answer: web.StreamResponse = await handler(request)
    except RequestError as error:
        return problem(
            HTTPStatus.BAD_REQUEST,
            RefusalCode.BAD_REQUEST,
            "bad request",
            error.message,
            hint=error.hint,
            problems=error.problems,
        )
    except ReloadRefusedError as error:
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "bad-config",
            "the new configuration is refused",
            error.message,
            hint=error.hint,
            problems=error.problems,
        )
    except StoppingError as error:
        return unavailable(error.message, hint=error.hint, kind="stopping")
    except CrowdedError as error:
        return unavailable(error.message, hint=error.hint, kind="busy")
    except FrontError as error:
        return unavailable(error.message, hint=error.hint)
    except web.HTTPException as error:
        return _of_http(request, error)
    return answer


def unavailable(detail: str, *, hint: str = "", kind: str = "unavailable") -> web.Response:
    """The daemon can't do it now, and will be able to later."""
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, kind, "not now", detail, hint=hint or "try again in a moment")
    answer.headers["Retry-After"] = "1"
    return answer


def _hint(refusal: Refused) -> str:
    if refusal.code is RefusalCode.UNKNOWN_JOB:
        return "`watcher status` shows the configured jobs"
    return ""


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    match error:
        case web.HTTPNotFound():
            answer = problem(
                error.status, "unknown-route", "no such address", f"{request.path}: nothing is here", hint="see GET /"
            )
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            answer = problem(
                error.status, "wrong-method", "wrong method", f"{request.method} {request.path}", hint=f"use {allowed}"
            )
            answer.headers["Allow"] = allowed
        case web.HTTPRequestEntityTooLarge():
            answer = problem(
                error.status, "too-large", "request too large", "the body is over 64 KiB", hint="name fewer files"
            )
        case _:
            answer = problem(error.status, "http", error.reason, error.text or error.reason)
    return answer
