"""The pages that both sockets have: the status page, the metrics, healthy and ready.

Knows what each shows; nothing here changes anything, runs a script or loads a thing from elsewhere.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from watcher.adapters.front import Front
from watcher.adapters.metrics import CONTENT_TYPE, exposition, registry_of
from watcher.adapters.overview import overview, with_standing
from watcher.adapters.reads import only
from watcher.core.duration import SECOND, Usec, format_duration
from watcher.core.text import shown

_LAST_RELEASES = 20
_LONGEST = 200
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def add_pages(app: web.Application, front: Front) -> None:
    """Give `app` the routes of this file, and every answer of it the headers that keep a browser from doing more."""
    pages = _Pages(front)
    app.router.add_get("/", pages.status)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/-/healthy", pages.healthy)
    app.router.add_get("/-/ready", pages.ready)
    app.on_response_prepare.append(_protect)


def status_page(front: Front) -> str:
    """The status page as HTML; every text in it that somebody else wrote is shown escaped and short."""
    now = front.now()
    last = [with_standing(release, now, for_deployers=False) for release in front.list(None, _LAST_RELEASES)]
    page = _templates().get_template("status.html")
    return page.render(daemon=overview(front, for_deployers=False), last=last)


class _Pages:
    def __init__(self, front: Front) -> None:
        self._front = front
        self._registry = registry_of(front)

    async def status(self, request: web.Request) -> web.Response:
        only(request)
        return web.Response(text=status_page(self._front), content_type="text/html")

    async def metrics(self, _: web.Request) -> web.Response:
        """A scrape may carry a query, which says nothing here."""
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})

    async def healthy(self, _: web.Request) -> web.Response:
        """The loop turns, or this would not be answered."""
        return web.Response(text="healthy\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Whether the journal is really being read, or why not."""
        trouble = "the daemon is stopping" if self._front.stopping() else self._front.trouble()
        if trouble is None:
            return web.Response(text="ready\n")
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text=f"not ready: {trouble}\n")


async def _protect(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("watcher.adapters", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["shown"] = _shown
    templates.filters["span"] = _span
    return templates


def _shown(text: Any) -> str:
    return shown(str(text), limit=_LONGEST)


def _span(seconds: float) -> str:
    return format_duration(Usec(int(seconds * SECOND)))
