"""`python -m consumers drain`: workers settle what they hold, release their shards and stand by, until `--resume`."""

import contextlib
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.live import Live as Redrawn

from consumers.fleet.applications import Application, applications_of
from consumers.fleet.draining import Drain, Progress
from consumers.fleet.picture import FleetPicture
from consumers.fleet.settings import FleetSettings
from consumers.fleet.status_command import take, views_of
from consumers.fleet.unreachable import naming_the_unreachable
from consumers.fleet.wishes import EVERYONE, DynamoDbWishes
from consumers.sources.kinesis.table import DynamoDbLeaseTable, TableGone
from runtime.aws import client
from runtime.clock import Clock, SystemClock
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.outage import Stop

# What ECS gives a task at most to stop, and more than cold takes to put what it holds.
TIMEOUT_S = 120.0
_LOOK_S = 1.0
_CATCH_UP_LOOK_S = 2.0


@click.command()
@click.option("--application", "names", multiple=True, help="Lease table; may be repeated. Default: all.")
@click.option("--worker", help="Only this one, by the name that `status` shows; the others take its shards.")
@click.option("--resume", is_flag=True, help="The other way round: let them read again.")
@click.option("--caught-up", is_flag=True, help="First wait until all that has arrived before now is durable.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=TIMEOUT_S,
    show_default=True,
    help="Longest, in s.",
)
@click.option("--json", "as_object", is_flag=True, help="The outcome as JSON on stdout.")
@with_settings(FleetSettings)
def drain(
    settings: FleetSettings,
    names: Sequence[str],
    worker: str | None,
    resume: bool,
    caught_up: bool,
    timeout_s: float,
    as_object: bool,
) -> None:
    """Tell running workers, wherever they run, to settle what they have read, checkpoint it and release their shards;
    wait until they have. Their processes stay and stand by, also when they are started again, until --resume.

    Exit code 0: nobody holds a shard any more. 1: not within the time; who does is said, and still told to. 2: the
    settings or options are wrong. 3: a service could not be reached.
    """
    if settings.streams.transport == "kafka":
        raise ConfigError("the members of a Kafka group stand by for nobody: stop their processes, by SIGTERM")
    stop, clock = stop_on_signals(), SystemClock()
    give_up_s = clock.monotonic() + timeout_s
    with naming_the_unreachable():
        dynamodb = client("dynamodb", settings.aws)
        applications = _asked(dynamodb, applications_of(settings, names), worker)
        if resume:
            for application in applications:
                DynamoDbWishes(dynamodb, application.name).withdraw(worker)
            _say([], clock.monotonic(), clock.monotonic(), as_object=as_object, resumed=True)
            return
        if caught_up:
            _catch_up(settings, [each.name for each in applications], give_up_s, clock, stop)
        began_s = clock.monotonic()
        drains = [
            Drain(
                application,
                DynamoDbLeaseTable(dynamodb, application.name),
                DynamoDbWishes(dynamodb, application.name),
                clock,
                who=worker or EVERYONE,
                look_s=settings.operations.look_s,
            )
            for application in applications
        ]
        progress = _drained(drains, give_up_s, clock, stop)
    _say(progress, began_s, clock.monotonic(), as_object=as_object)
    sys.exit(0 if all(each.is_done for each in progress) else 1)


def _asked(dynamodb: Any, applications: Sequence[Application], worker: str | None) -> list[Application]:
    """Those that have a lease table, and the worker among its owners. Raises ConfigError where none has."""
    found: list[Application] = []
    owners: set[str] = set()
    for application in applications:
        try:
            leases = DynamoDbLeaseTable(dynamodb, application.name).read_all()
            wished = DynamoDbWishes(dynamodb, application.name).read()
        except TableGone:  # it never ran
            continue
        theirs = {lease.owner for lease in leases if lease.owner is not None} | wished
        owners |= theirs
        if worker is None or worker in theirs:
            found.append(application)
    if not found and worker is not None:
        raise ConfigError(f"no worker {worker!r} holds a lease; {', '.join(sorted(owners)) or 'nobody'} does")
    if not found:
        raise ConfigError("no application has a lease table yet: nothing runs, or [live] and [cold] name others")
    return found


def _drained(drains: Sequence[Drain], give_up_s: float, clock: Clock, stop: Stop) -> list[Progress]:
    """How far they are at the end: done, out of time, or stopped."""
    console = Console(stderr=True)
    with Redrawn(console=console, auto_refresh=False, transient=True) as shown:
        while True:
            progress = [each.look() for each in drains]
            if console.is_terminal:
                shown.update("\n".join(_line(each) for each in progress), refresh=True)
            is_over = all(each.is_done for each in progress) or clock.monotonic() >= give_up_s
            if is_over or stop.wait(min(_LOOK_S, max(0.0, give_up_s - clock.monotonic()))):
                return progress


def _catch_up(settings: FleetSettings, names: Sequence[str], give_up_s: float, clock: Clock, stop: Stop) -> None:
    """Wait until every record that has arrived before now is durable. Exits with 1 when the time is over first."""
    views, began_at = views_of(settings, names, clock, stop), clock.now()
    while True:
        waiting = oldest_waiting(take(views, clock))
        if waiting is None or waiting >= began_at:
            return
        behind_s = (began_at - waiting).total_seconds()
        if clock.monotonic() >= give_up_s or stop.wait(_CATCH_UP_LOOK_S):
            click.echo(f"not caught up within the time, {behind_s:.0f} s behind; nobody was told to stop", err=True)
            sys.exit(1)
        with contextlib.suppress(OSError):
            click.echo(f"{behind_s:.0f} s behind", err=True)


def oldest_waiting(fleet: FleetPicture) -> dt.datetime | None:
    """Arrival of the oldest record that is not durable; None: there is none. What cannot be seen is as old as time."""
    oldest: dt.datetime | None = None
    for application in fleet.applications:
        if application.unreachable is not None:
            return dt.datetime.min.replace(tzinfo=dt.UTC)
        for shard in application.shards:
            if shard.lag_ms:
                since = fleet.taken_at - dt.timedelta(milliseconds=shard.lag_ms)
                oldest = since if oldest is None else min(oldest, since)
    return oldest


def _say(
    progress: Sequence[Progress], began_s: float, ended_s: float, *, as_object: bool, resumed: bool = False
) -> None:
    is_done = all(each.is_done for each in progress)
    took_s = round(ended_s - began_s, 1)
    if as_object:
        told = {"drained": is_done and not resumed, "resumed": resumed, "took_s": took_s}
        click.echo(msgspec.json.encode({**told, "applications": [asdict(each) for each in progress]}))
        return
    for each in progress:
        click.echo(_line(each))
    if resumed:
        click.echo("workers read again within seconds")
    elif is_done:
        click.echo(f"drained in {took_s:g} s; `drain --resume` lets them read again")
    else:
        click.echo("NOT DRAINED in time; they are still told to stand by. What does not know wishes (the Java library,")
        click.echo("an earlier release) has to be stopped by SIGTERM")


def _line(progress: Progress) -> str:
    parts = [f"{worker} still holds {shards}" for worker, shards in progress.held.items()]
    parts += [
        f"{shards} of {worker} ran out: it did not stop in good order" for worker, shards in progress.ran_out.items()
    ]
    if not progress.held:
        parts.append("nobody reads" if progress.is_done else "released; waiting for workers that hold nothing")
    return f"{progress.application}: {'; '.join(parts)}"
