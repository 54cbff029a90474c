"""The board's web application: the page, its stream of snapshots, its static files, its health."""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.board.feed import Feed
from dashboards.board.snapshot import Storefront

_HERE = Path(__file__).parent

_HEADERS = {
    # Nothing inline, nothing from elsewhere: a product name or an order id can never become script.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # Figures are never kept; files are asked about again and answered "unchanged".
    "cache-control": "no-cache",
}


class SecurityHeaders:
    """Puts `_HEADERS` on every answer that has not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def create_app(
    feed: Feed, shop: Storefront, *, echarts: Path, viewers: int, trouble: Callable[[], list[str]]
) -> Starlette:
    """The application. `echarts` is the library's file, `viewers` the most open streams, `trouble` what is wrong."""
    pages = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True)
    html = pages.get_template("board.html").render(currency=shop.currency, time_zone=shop.zone.key)

    async def page(_: Request) -> Response:
        return HTMLResponse(html)

    async def events(request: Request) -> Response:
        if feed.viewers >= viewers:
            return PlainTextResponse("too many open boards\n", status_code=503, headers={"retry-after": "30"})
        stream = feed.events(request.headers.get("last-event-id"))
        # nginx holds answers back until its buffer is full unless told otherwise.
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def library(_: Request) -> Response:
        return FileResponse(echarts, media_type="text/javascript")

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "viewers": feed.viewers, "trouble": trouble()})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/events", events),
            Route("/health", health),
            Route("/echarts.js", library),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        middleware=[Middleware(SecurityHeaders)],
    )
