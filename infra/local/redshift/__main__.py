"""`python -m infra.local.redshift`: serve one data folder on 127.0.0.1 until SIGTERM or Ctrl-C."""

import _thread
import fcntl
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import click

from infra.local.redshift.backend import Upstream
from infra.local.redshift.errors import StartError, Stopped
from infra.local.redshift.history import History
from infra.local.redshift.postgres import Postgres
from infra.local.redshift.preparing import prepare
from infra.local.redshift.s3 import S3
from infra.local.redshift.server import Front
from infra.local.redshift.serving import Server

_HOST = "127.0.0.1"
_EXIT_START = 2
_EXIT_DIED = 1
_LOOK_S = 0.5


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=5439, show_default=True, help="0 takes a free one.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".storepulse/data/redshift"),
    show_default=True,
    help="Folder of the database; made if absent.",
)
@click.option("--database", default="dev", show_default=True, help="Made if absent.")
@click.option("--user", default="admin", show_default=True, help="Owner of the database; made if absent.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Its first line is the user's password.",
)
@click.option("--s3-endpoint", required=True, help="URL of the S3 that COPY and UNLOAD use.")
@click.option("--region", default="eu-west-2", show_default=True, help="Region of that S3.")
@click.option(
    "--access-key-id", required=True, help="For that S3. The IAM roles that statements name are not looked at."
)
@click.option(
    "--secret-access-key",
    required=True,
    envvar="REDSHIFT_S3_SECRET_ACCESS_KEY",
    show_envvar=True,
    help="For that S3; from the environment, others on this machine cannot read it.",
)
def main(
    port: int,
    data: Path,
    database: str,
    user: str,
    password_file: Path,
    s3_endpoint: str,
    region: str,
    access_key_id: str,
    secret_access_key: str,
) -> None:
    """A local Amazon Redshift on 127.0.0.1.

    Prints its address when it answers. Exit code 2: it could not start, and the line says why; 1: PostgreSQL died.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    stop = _on_signals()
    postgres = Postgres(data)
    code = 0
    try:
        sock = _bound(port)
        _lock(data)
        password = _password(password_file)
        s3 = _s3(s3_endpoint, region, access_key_id, secret_access_key)
        postgres.start(stop)
        prepare(postgres.upstream, database=database, user=user, password=password)
        front = _serve(sock, postgres.upstream, s3)
        click.echo(f"redshift on {_HOST}:{sock.getsockname()[1]}, database {database}, data in {data}")
        while not stop.wait(_LOOK_S):
            if postgres.ended():
                click.echo(f"error: PostgreSQL died; see {data / 'postgres.log'}", err=True)
                code = _EXIT_DIED
                break
        front.stop()
    except Stopped:
        pass
    except (StartError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        code = _EXIT_START
    finally:
        postgres.stop()
    sys.exit(code)


def _serve(sock: socket.socket, upstream: Upstream, s3: S3) -> Front:
    front = Front(sock, upstream, Server(s3, History(upstream)))
    front.start()
    return front


def _on_signals() -> threading.Event:
    """Set by a signal. Nothing is raised, which between a process's start and its note would leave it running."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # In a thread: this one may hold the event's lock, inside `stop.wait`.
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))
    return stop


def _bound(port: int) -> socket.socket:
    """Bound, not listening: nobody is let in before all is ready, and nobody else can take the port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((_HOST, port))
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


def _s3(endpoint: str, region: str, access_key_id: str, secret_access_key: str) -> S3:
    try:
        return S3(endpoint, region, access_key_id, secret_access_key)
    except ValueError as error:
        raise StartError(f"--s3-endpoint {endpoint}: {error}") from error


def _password(file: Path) -> str:
    lines = file.read_text().splitlines()
    if not lines or not lines[0]:
        raise StartError(f"--password-file {file}: its first line must be the password")
    return lines[0]


if __name__ == "__main__":
    main()
