"""`python -m producers storefront`: run the demo shop."""

import os
import signal
import socket
from pathlib import Path
from uuid import uuid4

import click
import uvicorn

from producers.emit import Spool
from producers.storefront.app import storefront as application
from producers.storefront.settings import Storefront, StorefrontSettings
from producers.storefront.shelf import SHIPPED, shelf_from
from runtime.clock import SystemClock
from runtime.command import log_to_stderr, stop_on_signals, with_settings
from runtime.errors import ConfigError

DRAIN_S = 5  # how long a stop waits for answers on their way


@click.command()
@with_settings(StorefrontSettings)
def storefront(settings: StorefrontSettings) -> None:
    """Run the demo shop: pages for shoppers, orders to the spool, requests to the access log."""
    log_to_stderr()
    place = settings.storefront
    shelf = shelf_from(Path(place.catalogue) if place.catalogue else SHIPPED)
    access_log = Path(place.access_log)
    _writable(access_log)
    with _listening(place) as listener:
        spool = _spool(place)
        try:
            app = application(
                shelf=shelf, spool=spool, access_log=access_log, clock=SystemClock(), new_id=lambda: uuid4().hex
            )
            click.echo(f"shop: http://{place.host}:{listener.getsockname()[1]}/ ({len(shelf.offers)} products)")
            _serve(app, listener)
        finally:
            spool.close()


def _serve(app: object, listener: socket.socket) -> None:
    stop_on_signals()  # uvicorn raises a caught signal again once it has stopped: let that be the end of it
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # Starlette is one; uvicorn's own union spells ASGI differently
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = uvicorn.Server(config)
    signal.signal(signal.SIGHUP, server.handle_exit)
    server.run(sockets=[listener])


def _listening(place: Storefront) -> socket.socket:
    """Raises ConfigError where the address is taken or not ours."""
    listener = socket.socket(socket.AF_INET6 if ":" in place.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((place.host, place.port))
        listener.listen(socket.SOMAXCONN)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"[storefront] cannot listen on {place.host}:{place.port}: {error}; set another port"
        ) from error
    return listener


def _spool(place: Storefront) -> Spool:
    """Raises ConfigError where the folder cannot be made."""
    try:
        return Spool(place.spool)
    except OSError as error:
        raise ConfigError(f"[storefront] spool {place.spool}: cannot be made: {error.strerror}") from error


def _writable(file: Path) -> None:
    """Make the folder and the file. Raises ConfigError where that is not possible."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640))
    except OSError as error:
        raise ConfigError(f"[storefront] access_log {file}: cannot be written: {error.strerror}") from error
