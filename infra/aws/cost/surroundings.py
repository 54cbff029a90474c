"""What stands around the way of an event: catalogue, network, board, CloudWatch, secrets and keys."""

from collections.abc import Iterator

from infra.aws.cost.item import Item, Terms
from infra.aws.cost.traffic import APPLICATIONS, GIB, HOURS, MINUTES, SECONDS, STREAMS

_CALLS_A_COMMIT = 10  # to the lake: it asks for a few tables and sets them
_FREE_CALLS = 1.0  # million a month, of Glue's catalogue
_PROCESS_METRICS = 4  # an application and host, docs/fleet.md
_AGENT_METRICS = 10  # of KPL's names, a stream and host


def catalogue(of: Terms) -> Iterator[Item]:
    """Glue's requests beyond the free ones, and Athena's scans."""
    calls = SECONDS / of.sizing.lake_s * _CALLS_A_COMMIT / 1e6
    yield Item(stage="catalogue", name="Glue", usd=max(0.0, calls - _FREE_CALLS) * of.usd("glue.request"))
    yield Item(stage="catalogue", name="Athena", usd=of.sizing.athena_tb * of.usd("athena.scan"))


def network(of: Terms) -> Iterator[Item]:
    """Interface endpoints, and what crosses from a zone to another: live writes to nodes of every zone.

    The streams are written and read through an endpoint; S3 and DynamoDB by gateways, which cost nothing. MSK has its
    own interfaces in the VPC. Firehose reads outside of it.
    """
    through = of.traffic.gib * (1 + APPLICATIONS)
    sent = of.traffic.rate * of.size("opensearch_sent") * SECONDS / GIB
    crossing = sent * (1 - 1 / of.sizing.zones)
    is_kinesis = of.choice.transport == "kinesis"
    zones = of.sizing.zones
    crossing += 0.0 if is_kinesis else through * (1 - 1 / zones)
    yield Item(
        stage="network",
        name="endpoints",
        usd=of.sizing.endpoints * of.sizing.endpoint_zones * HOURS * of.usd("vpc.endpoint"),
    )
    yield Item(stage="network", name="through them", usd=is_kinesis * through * of.usd("vpc.endpoint.data"))
    yield Item(stage="network", name="between zones", usd=crossing * 2 * of.usd("transfer.between_zones"))


def board(of: Terms) -> Iterator[Item]:
    """Small tasks behind a load balancer."""
    yield Item(stage="board", name="Fargate", usd=of.task(of.sizing.board) * of.sizing.board.least)
    yield Item(stage="board", name="load balancer", usd=HOURS * (of.usd("alb.hour") + of.usd("alb.unit")))


def watching(of: Terms) -> Iterator[Item]:
    """Metrics of shards, processes (by their logs) and agents (by a call a minute), alarms, a dashboard, logs."""
    sizing = of.sizing
    quiet = float(sizing.shards if of.choice.mode == "on-demand" else 1) * (STREAMS - 1)
    shards = (of.traffic.shards(whole=of.whole) + quiet) * APPLICATIONS
    processes = sizing.live.least + sizing.cold.least + sizing.keeper.least
    metrics = shards * of.size("shard_metrics") + processes * _PROCESS_METRICS + sizing.hosts * STREAMS * _AGENT_METRICS
    calls = sizing.hosts * MINUTES / 1e6
    yield Item(stage="CloudWatch", name="metrics", usd=metrics * of.usd("cloudwatch.metric"))
    yield Item(stage="CloudWatch", name="calls", usd=calls * of.usd("cloudwatch.call"))
    yield Item(
        stage="CloudWatch",
        name="alarms, dashboard",
        usd=sizing.alarms * of.usd("cloudwatch.alarm") + of.usd("cloudwatch.dashboard"),
    )
    yield Item(stage="CloudWatch", name="logs", usd=sizing.log_gib * of.usd("cloudwatch.logs"))


def guarding(of: Terms) -> Iterator[Item]:
    """Secrets and keys."""
    yield Item(
        stage="secrets",
        name="secrets, keys",
        usd=of.sizing.secrets * of.usd("secrets.secret") + of.sizing.keys * of.usd("kms.key"),
    )
