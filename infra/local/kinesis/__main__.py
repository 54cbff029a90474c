"""`python -m infra.local.kinesis`: serve one data folder on 127.0.0.1 until SIGTERM or Ctrl-C."""

import asyncio
import fcntl
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from pathlib import Path

import click
import trustme
import uvloop

from infra.local.kinesis.bodies import BodyBudget
from infra.local.kinesis.clock import SystemClock
from infra.local.kinesis.errors import StartError
from infra.local.kinesis.front import Front
from infra.local.kinesis.http1 import Open
from infra.local.kinesis.operations import Api
from infra.local.kinesis.service import Service
from infra.local.kinesis.streams import Streams

_HOST = "127.0.0.1"
_EXIT_START = 2
_FAREWELL_S = 2.0  # answers that a client does not take in this time after SIGTERM are dropped


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=4567, show_default=True, help="0 takes a free one.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".storepulse/data/kinesis"),
    show_default=True,
    help="Folder of the streams; made if absent.",
)
@click.option("--no-limits", is_flag=True, help="Do not throttle: no shard and account rates.")
@click.option("--tls", is_flag=True, help="HTTPS under a certificate of its own, which no client knows.")
@click.option("--region", default="eu-west-2", show_default=True, help="Region in the ARNs.")
@click.option("--account-id", default="000000000000", show_default=True, help="Account in the ARNs, 12 digits.")
def main(port: int, data: Path, no_limits: bool, tls: bool, region: str, account_id: str) -> None:
    """A local Kinesis Data Streams on 127.0.0.1. Any credentials will do.

    Prints its address when it answers; GET /health says so too. Exit code 2: it could not start, and the line says why.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        if len(account_id) != 12 or not account_id.isdecimal():
            raise StartError(f"--account-id {account_id}: must be 12 digits")
        sock = _listen(port)
        _lock(data)
        _raise_file_limit()
        clock = SystemClock()
        streams = Streams(data, clock, limits=not no_limits)
    except (StartError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(_EXIT_START)
    service = Service(streams=streams, clock=clock, region=region, account_id=account_id, limits=not no_limits)
    uvloop.run(_serve(Api(service), sock, data, _certified() if tls else None))


async def _serve(api: Api, sock: socket.socket, data: Path, tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    budget, connections = BodyBudget(), set[Open]()
    server = await loop.create_server(lambda: Front(api, budget, connections), sock=sock, ssl=tls)
    click.echo(f"kinesis on http{'s' if tls else ''}://{_HOST}:{sock.getsockname()[1]}, data in {data}")
    await stop.wait()
    server.close()
    for connection in list(connections):
        connection.finish()
    deadline = loop.time() + _FAREWELL_S
    while connections and loop.time() < deadline:
        await asyncio.sleep(0.01)


def _certified() -> ssl.SSLContext:
    """A certificate for this start alone; its key is on disk for as long as it takes to load it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(_HOST, "localhost").configure_cert(context)
    return context


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((_HOST, port))
        sock.listen(128)
    except OSError as error:
        raise StartError(f"cannot listen on {_HOST}:{port}: {error.strerror}; choose another --port") from error
    return sock


def _lock(data: Path) -> None:
    """Keep the folder to this process; the lock goes with the process, however that ends."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartError(f"{data} is in use by another server; stop it or choose another --data") from None
    except OSError as error:
        raise StartError(f"cannot use --data {data}: {error.strerror}") from error


def _raise_file_limit() -> None:
    """One file a shard: take what the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
