"""The storefront as an ASGI application."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from contract.money import display
from producers.storefront.access_log import AccessLog, LogRequests
from producers.storefront.basket import LARGEST_QUANTITY
from producers.storefront.checkout import FREE_SHIPPING_FROM
from producers.storefront.pages import LONGEST_QUERY, Shop
from producers.storefront.sessions import Sessions
from producers.storefront.shelf import Shelf
from producers.storefront.till import Spool, Till
from runtime.clock import Clock

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"
_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def storefront(*, shelf: Shelf, spool: Spool, access_log: Path, clock: Clock, new_id: Callable[[], str]) -> Starlette:
    """The shop over `shelf`. Orders go to `spool`, which stays the caller's to close; requests go to `access_log`.

    `new_id` makes 32 hex digits nobody can guess, for sessions, order tokens and request ids.
    """
    shop = Shop(shelf=shelf, till=Till(spool), clock=clock, new_id=new_id, templates=_templates(shelf.currency))
    log = AccessLog(access_log)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        log.flush()

    return Starlette(
        routes=[
            Route("/", shop.home),
            Route("/search", shop.search),
            Route("/product/{sku:path}", shop.product),
            Route("/cart", shop.cart),
            Route("/cart/add", shop.add, methods=["POST"]),
            Route("/cart/change", shop.change, methods=["POST"]),
            Route("/cart/remove", shop.remove, methods=["POST"]),
            Route("/checkout", shop.checkout),
            Route("/checkout", shop.buy, methods=["POST"]),
            Route("/thank-you/{order_id}", shop.thank_you),
            Route("/health", shop.health),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[
            Middleware(LogRequests, log=log, clock=clock, new_id=new_id),
            Middleware(Sessions, new_id=new_id),
        ],
        exception_handlers={HTTPException: shop.refuse, 500: shop.refuse},
        lifespan=lifespan,
    )


def _templates(currency: str) -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    symbol = _SYMBOLS.get(currency, currency + "\N{NO-BREAK SPACE}")
    templates.filters["money"] = lambda minor: symbol + display(minor, currency)
    templates.filters["quoted"] = lambda text: quote(text, safe="")
    templates.globals.update(
        largest_quantity=LARGEST_QUANTITY, longest_query=LONGEST_QUERY, free_shipping_from=FREE_SHIPPING_FROM
    )
    templates.globals["static"] = _addresses()
    return templates


def _addresses() -> dict[str, str]:
    """File name -> address that changes with the content, so that browsers may keep what they have."""
    return {
        file.name: f"/static/{file.name}?v={hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
        for file in _STATIC.iterdir()
    }
