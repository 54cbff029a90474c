"""Who is shopping: a random session id in a cookie, nothing kept on the server."""

import re
from collections.abc import Callable
from http.cookies import SimpleCookie

from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "sid"

_SESSION = re.compile(r"[0-9a-f]{32}")
_WITHOUT = ("/static/", "/health")  # neither pages nor shoppers


class Sessions:
    """ASGI middleware: puts the visitor's id into `scope["session_id"]`, and sets the cookie where it was missing."""

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_WITHOUT):
            await self._app(scope, receive, send)
            return
        known = _session_in(scope)
        scope["session_id"] = known or self._new_id()

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", _cookie(scope))
            await send(message)

        await self._app(scope, receive, send if known else send_with_cookie)


def _session_in(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"cookie":
            session = cookie_parser(value.decode("latin-1")).get(COOKIE, "")
            if _SESSION.fullmatch(session):
                return session
    return None


def _cookie(scope: Scope) -> str:
    cookie: SimpleCookie = SimpleCookie({COOKIE: scope["session_id"]})
    cookie[COOKIE].update({"path": "/", "httponly": True, "samesite": "Lax", "secure": scope["scheme"] == "https"})
    return cookie[COOKIE].OutputString()
