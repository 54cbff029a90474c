"""Running the board: what must be right before it starts, the web server beside the poller, a clean end."""

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event

import msgspec
import uvicorn

from contract.catalogue import products_from_ndjson
from contract.money import is_currency
from dashboards.board.app import create_app
from dashboards.board.feed import Feed
from dashboards.board.poller import Poller
from dashboards.board.search import OpenSearchSearcher
from dashboards.board.settings import BoardSettings
from dashboards.board.snapshot import Storefront
from runtime.clock import Clock
from runtime.errors import ConfigError

# The build with bars, axes, tooltip and the SVG renderer, and little else.
_ECHARTS = Path(__file__).parent / "node_modules/echarts/dist/echarts.common.min.js"
_SIGNAL_LOOK_S = 0.1

log = logging.getLogger(__name__)


def serve(settings: BoardSettings, stop: Event, *, clock: Clock, started: Callable[[str], None]) -> None:
    """Serve until `stop` is set. `started` gets the page's URL once it can be opened.

    Raises ConfigError where a setting cannot work or the chart library is not installed.
    """
    if not _ECHARTS.exists():
        raise ConfigError("the board's chart library is not installed: run `make`")
    if settings.board.refresh_s <= 0 or settings.board.patience_s <= 0:
        raise ConfigError("[board] refresh_s and patience_s must be above 0")
    shop = storefront(settings)
    with _listen(settings.board.host, settings.board.port) as listener:
        host, port = settings.board.host, listener.getsockname()[1]
        started(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        asyncio.run(_serve(settings, shop, listener, stop, clock))


def storefront(settings: BoardSettings) -> Storefront:
    """How figures are shown. Raises ConfigError for an unknown time zone or currency and an unreadable catalogue."""
    zone = settings.shop.zone()
    if not is_currency(settings.shop.currency):
        raise ConfigError(f"[shop] currency: {settings.shop.currency!r} is no ISO 4217 code")
    return Storefront(currency=settings.shop.currency, zone=zone, names=_names(settings.reference.catalogue))


def _names(catalogue: str) -> dict[str, str]:
    """Product names by SKU. Names are a nicety: without a catalogue the board shows SKUs, a broken one is a fault."""
    if not catalogue:
        return {}
    try:
        products = products_from_ndjson(Path(catalogue).read_bytes())
    except FileNotFoundError:
        log.warning("%s: no catalogue yet, products are shown by SKU", catalogue)
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"[reference] catalogue: {catalogue} is not readable: {error}") from error
    return {product.sku: product.name for product in products}


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"[board] cannot listen on {host} port {port}: {error}; choose another port") from error


async def _serve(settings: BoardSettings, shop: Storefront, listener: socket.socket, stop: Event, clock: Clock) -> None:
    board = settings.board
    feed = Feed(run=f"{clock.now():%Y%m%dT%H%M%S}")
    searcher = OpenSearchSearcher(
        settings.opensearch.url, timeout_s=min(board.patience_s, settings.opensearch.timeout_s)
    )
    poller = Poller(searcher, feed, shop, clock=clock, refresh_s=board.refresh_s)
    app = create_app(feed, shop, echarts=_ECHARTS, viewers=board.viewers, trouble=lambda: poller.trouble)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=3
        )
    )
    try:
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(poller.run())
            serving = group.create_task(server.serve(sockets=[listener]))
            while not (stop.is_set() or server.should_exit or serving.done()):
                await asyncio.sleep(_SIGNAL_LOOK_S)
            # Streams end only when told to, and the server waits for them.
            feed.close()
            server.should_exit = True
            await serving
            polling.cancel()
    finally:
        searcher.close()
