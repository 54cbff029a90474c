"""The streams, their leases, and Firehose behind them."""

from collections.abc import Iterator

from infra.aws.cost.item import Item, Terms
from infra.aws.cost.traffic import (
    APPLICATIONS,
    DAYS,
    FIREHOSE_UNIT,
    GIB,
    HOURS,
    MINUTES,
    ON_DEMAND_UNIT,
    PUT_UNIT,
    SECONDS,
    STREAMS,
)

_STAGE = "streams"


def stream(of: Terms) -> Iterator[Item]:
    """As transport and mode have it."""
    if of.choice.transport == "kafka":
        yield from _kafka(of)
    elif of.choice.mode == "on-demand":
        yield from _on_demand(of)
    else:
        yield from _provisioned(of)


def _on_demand(of: Terms) -> Iterator[Item]:
    traffic = of.traffic
    stored_gib = traffic.billed(ON_DEMAND_UNIT) * SECONDS / GIB
    beyond_a_day = max(0.0, of.sizing.retention_days - 1) / DAYS
    yield Item(stage=_STAGE, name="streams, open", usd=STREAMS * HOURS * of.usd("kinesis.on_demand.stream"))
    yield Item(stage=_STAGE, name="written", usd=stored_gib * of.usd("kinesis.on_demand.in"))
    yield Item(stage=_STAGE, name="read", usd=of.choice.readers * traffic.gib * of.usd("kinesis.on_demand.out"))
    yield Item(
        stage=_STAGE,
        name="kept past a day",
        keeps=True,
        usd=stored_gib * beyond_a_day * of.usd("kinesis.on_demand.retention"),
    )


def _provisioned(of: Terms) -> Iterator[Item]:
    shards = of.traffic.shards(whole=of.whole) + (STREAMS - 1)
    kept = of.usd("kinesis.provisioned.retention") if of.sizing.retention_days > 1 else 0.0
    units = of.traffic.billed(PUT_UNIT) / PUT_UNIT * SECONDS / 1e6
    yield Item(stage=_STAGE, name="shards", usd=shards * HOURS * of.usd("kinesis.provisioned.shard"))
    yield Item(stage=_STAGE, name="written", usd=units * of.usd("kinesis.provisioned.put"))
    yield Item(stage=_STAGE, name="read", usd=0.0)
    yield Item(stage=_STAGE, name="kept past a day", keeps=True, usd=shards * HOURS * kept)


def _kafka(of: Terms) -> Iterator[Item]:
    partitions = of.traffic.shards(whole=of.whole) * STREAMS
    kept_gib = of.traffic.gib * of.sizing.retention_days / DAYS
    yield Item(stage=_STAGE, name="cluster", usd=HOURS * of.usd("msk.serverless.cluster"))
    yield Item(stage=_STAGE, name="partitions", usd=partitions * HOURS * of.usd("msk.serverless.partition"))
    yield Item(stage=_STAGE, name="written", usd=of.traffic.gib * of.usd("msk.serverless.in"))
    yield Item(stage=_STAGE, name="read", usd=of.choice.readers * of.traffic.gib * of.usd("msk.serverless.out"))
    yield Item(stage=_STAGE, name="kept", keeps=True, usd=kept_gib * of.usd("msk.serverless.storage"))


def leases(of: Terms) -> Iterator[Item]:
    """Kafka keeps its consumer groups itself; the keeper's one lease is too small to show."""
    if of.choice.transport == "kafka":
        return
    # The quiet stream's shards are held as well.
    quiet = float(of.sizing.shards if of.choice.mode == "on-demand" else 1) * (STREAMS - 1)
    held = (of.traffic.shards(whole=of.whole) + quiet) * APPLICATIONS
    looked = (of.sizing.live.least + of.sizing.cold.least) * STREAMS * of.size("lease_looks")
    reads = looked * (1 + held / APPLICATIONS / STREAMS / of.size("leases_a_read"))
    yield Item(
        stage="leases",
        name="DynamoDB, written",
        usd=held * of.size("lease_writes") * MINUTES / 1e6 * of.usd("dynamodb.write"),
    )
    yield Item(stage="leases", name="DynamoDB, read", usd=reads * MINUTES / 1e6 * of.usd("dynamodb.read"))


def backup(of: Terms) -> Iterator[Item]:
    """Firehose counts each record up to 5 KiB; its share of the stream's reads stands there."""
    if not of.choice.is_backed_up:
        return
    taken_gib = of.traffic.billed(FIREHOSE_UNIT) * SECONDS / GIB
    kept_gib = of.traffic.rate * of.size("raw_stored") * SECONDS / GIB * of.sizing.backup_months
    yield Item(stage="backup", name="Firehose", usd=taken_gib * of.usd("firehose.in"))
    yield Item(stage="backup", name="S3", keeps=True, usd=kept_gib * of.usd("s3.standard"))
