"""`python -m consumers status`: what the workers of each application do, and whether something is wrong."""

import dataclasses
import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import click
import msgspec
from rich.console import Console
from rich.live import Live as Redrawn

from consumers.fleet.applications import Application, applications_of
from consumers.fleet.kinesis import kinesis_views
from consumers.fleet.picture import ApplicationPicture, FleetPicture, fleet_of
from consumers.fleet.render import print_fleet, show_fleet
from consumers.fleet.settings import FleetSettings
from runtime.clock import Clock, SystemClock
from runtime.command import errors_alone, stop_on_signals, with_settings
from runtime.errors import ConfigError, StreamAbsent
from runtime.outage import Outage, Stop
from runtime.settings import Transport

WIDTH = 80  # where nobody looks


class View(Protocol):
    """One application, seen from outside."""

    @property
    def application(self) -> Application: ...

    @property
    def transport(self) -> Transport: ...

    def picture(self, *, quick: bool) -> ApplicationPicture:
        """`quick`: without a look at the stream's records, and without waiting for signs of life. Raises Outage,
        ConfigError."""
        ...


@click.command()
@click.option("--application", "names", multiple=True, help="Lease table or consumer group; may be repeated.")
@click.option("--json", "as_object", is_flag=True, help="One JSON object a look.")
@click.option("--all", "everything", is_flag=True, help="Finished shards too, also those that nothing waits for.")
@click.option("--quick", is_flag=True, help="The leases as they say: no lag, owners are believed to live.")
@click.option("--watch", "every_s", type=click.FloatRange(min=1), help="Look again every so many seconds.")
@click.option("--max-lag", "lag_s", type=click.FloatRange(min=0), help="Seconds. Default: [status] *_lag_s.")
@with_settings(FleetSettings)
def status(
    settings: FleetSettings,
    names: Sequence[str],
    as_object: bool,
    everything: bool,
    quick: bool,
    every_s: float | None,
    lag_s: float | None,
) -> None:
    """For each application: workers, shards, owners, lag and checkpoints; the tree of shards while it changes.

    It writes nothing, and takes one of the five reads a second that a shard answers. It takes a third of a failover
    until every owner has shown that it lives, and all of a failover where one does not.

    Exit code 0: healthy. 1: something is wrong, such as a shard without an owner, or behind. 2: the settings or options
    are wrong. 3: not everything could be looked at; the rest is healthy.
    """
    stop, clock = stop_on_signals(), SystemClock()
    with errors_alone("consumers"):
        views = views_of(settings, names, clock, stop, lag_s=lag_s)

        def look() -> FleetPicture:
            return take(views, clock, quick=quick)

        fleet = look() if every_s is None else _watched(look, every_s, stop, as_object=as_object, everything=everything)
    if every_s is None:
        _say(fleet, as_object=as_object, everything=everything)
    sys.exit(fleet.exit_code)


def views_of(
    settings: FleetSettings, names: Sequence[str], clock: Clock, stop: Stop, *, lag_s: float | None = None
) -> Sequence[View]:
    """A view of each application, on the transport that is set. Raises ConfigError."""
    applications = applications_of(settings, names)
    if lag_s is not None:
        applications = [dataclasses.replace(application, lag_s=lag_s) for application in applications]
    if settings.streams.transport == "kafka":
        from consumers.fleet.kafka import KafkaView  # half a second, for those who use it

        return [KafkaView(application, settings.kafka.servers, clock) for application in applications]
    at_once, rng = settings.status.looks_at_once, random.Random()
    return kinesis_views(applications, settings.aws, clock=clock, rng=rng, stop=stop, looks_at_once=at_once)


def take(views: Sequence[View], clock: Clock, *, quick: bool = False) -> FleetPicture:
    """One look at all of them, at the same time. Raises nothing that a service may raise: it is in the picture."""
    with ThreadPoolExecutor(max(1, len(views))) as pool:
        pictures = list(pool.map(lambda view: _picture(view, quick=quick), views))
    return fleet_of(pictures, clock.now())


def _picture(view: View, *, quick: bool) -> ApplicationPicture:
    try:
        return view.picture(quick=quick)
    except StreamAbsent as absent:
        wrong, unreachable = [str(absent)], None
    except (Outage, ConfigError) as trouble:
        wrong, unreachable = [], str(trouble)
    application = view.application
    return ApplicationPicture(
        application=application.name,
        stream=application.stream,
        transport=view.transport,
        path=application.path,
        wrong=wrong,
        unreachable=unreachable,
    )


def _say(fleet: FleetPicture, *, as_object: bool, everything: bool) -> None:
    if as_object:
        click.echo(msgspec.json.encode(fleet))
        return
    console = Console()
    print_fleet(fleet, console if console.is_terminal else Console(width=WIDTH), everything=everything)


def _watched(
    look: Callable[[], FleetPicture], every_s: float, stop: Stop, *, as_object: bool, everything: bool
) -> FleetPicture:
    """Until a signal; the last look."""
    console = Console()
    if as_object or not console.is_terminal:
        while True:
            fleet = look()
            _say(fleet, as_object=as_object, everything=everything)
            if stop.wait(every_s):
                return fleet
    with Redrawn(console=console, auto_refresh=False) as shown:
        while True:
            fleet = look()
            shown.update(show_fleet(fleet, everything=everything), refresh=True)
            if stop.wait(every_s):
                return fleet
