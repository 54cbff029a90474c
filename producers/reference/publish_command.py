"""`python -m producers reference publish`: a file as the next snapshot of its kind."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
import msgspec

from contract.reference import KINDS, Kind, Price, Snapshot
from producers.reference.publish import publish
from producers.reference.reading import read_entries
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.command import with_settings
from runtime.errors import ConfigError
from runtime.objects.s3 import S3Objects
from runtime.outage import Outage
from runtime.settings import Aws, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSettings:
    """What `python -m producers reference publish` reads."""

    aws: Aws = Aws()
    reference: Reference = Reference()


@click.command("publish")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--effective-at", help="When it begins to judge (RFC 3339). Default, and the earliest: in two minutes.")
@click.option("--at-once", is_flag=True, help="Let it judge from now on: only while no consumer runs.")
@click.option("--unpriced", is_flag=True, help="The SKUs of a catalogue without its prices: any price goes.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@with_settings(PublishSettings)
def publish_command(
    settings: PublishSettings,
    kind: Kind,
    file: Path,
    effective_at: str | None,
    at_once: bool,
    unpriced: bool,
    as_json: bool,
) -> None:
    """Publish FILE, one JSON object a line, as the next snapshot of the catalogue, the customers or the rates.

    The first snapshot of a kind judges at once. A file with a fault is refused whole, and the old snapshot stays.
    """
    if not settings.reference.bucket:
        raise ConfigError("[reference] bucket is not set: there is nowhere to publish to")
    entries = read_entries(file, kind)
    if unpriced and kind == "catalogue":
        entries = without_prices(entries)
    bucket = S3Objects(client("s3", settings.aws), settings.reference.bucket, setting="[reference] bucket")
    try:
        snapshot = publish(kind, entries, bucket, SystemClock(), effective_at=_time(effective_at), at_once=at_once)
    except Outage as outage:
        raise ConfigError(f"S3 is away ({outage}): nothing is published; try again") from outage
    click.echo(msgspec.json.encode(snapshot).decode() if as_json else sentence(snapshot))


def without_prices(prices: list[Price]) -> list[Price]:
    """Each SKU once, sold everywhere at any price."""
    return [
        Price(sku=sku, currency=currency, price=None)
        for sku, currency in dict.fromkeys((price.sku, price.currency) for price in prices)
    ]


def sentence(snapshot: Snapshot) -> str:
    """For people."""
    when = f"{snapshot.effective_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{snapshot.kind} {snapshot.version}: {snapshot.rows:,} entries, in force from {when}"


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--effective-at {text!r} is no time such as 2026-11-27T08:00:00Z") from None
    if time.tzinfo is None:
        raise ConfigError(f"--effective-at {text!r} has no zone: end it with Z, or with +01:00")
    return time
