"""The applications that the settings name: which stream each reads, under which lease table or consumer group."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from consumers.fleet.settings import FleetSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from runtime.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One application on one stream."""

    name: str  # of its lease table, or consumer group
    stream: str
    path: Literal["live", "cold"]
    fleet: KinesisSourceSettings  # how its workers share the shards
    lag_s: float  # past which it is behind


def applications_of(settings: FleetSettings, names: Collection[str] = ()) -> list[Application]:
    """Those of the streams that are set; only `names` where any are given. Raises ConfigError for an unknown name."""
    streams, live, cold, status = settings.streams, settings.live, settings.cold, settings.status
    every = [
        Application(name=name, stream=stream, path="live", fleet=settings.fleet, lag_s=status.live_lag_s)
        for name, stream in ((live.application, streams.transactions), (live.access_application, streams.access))
        if stream
    ] + [
        Application(name=name, stream=stream, path="cold", fleet=settings.cold_fleet, lag_s=status.cold_lag_s)
        for name, stream in ((cold.application, streams.transactions), (cold.access_application, streams.access))
        if stream
    ]
    known = [application.name for application in every]
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no application {name!r}; the settings name {', '.join(known)}")
    return [application for application in every if not names or application.name in names]
