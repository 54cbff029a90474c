"""What works on events: agents, live, cold and keeper, and the stores that they fill."""

from collections.abc import Iterator

from infra.aws.cost.item import Item, Terms
from infra.aws.cost.traffic import DAYS, GIB, HOURS, SECONDS

_VCPU_OF_HOST = 2  # of a c7i.large
_SPAN_S = 20.0  # [cold] span_s
_LEAST_AWAKE_S = 60.0  # that Redshift Serverless bills
_MIB_OF_VCPU = 1769.0  # of memory, for which Lambda gives a whole one
_FUNCTION_GIB = 0.5
_CALLS_A_SHARD = 1.0  # a second, with a batching window of 1 s


def agent(of: Terms) -> Iterator[Item]:
    """Its share of the shop's own hosts."""
    cpu = of.traffic.rate * of.size("agent_cpu" if of.traffic.is_packed else "agent_cpu_plain") / 1e6
    vcpu = of.usd("ec2.c7i.large") / _VCPU_OF_HOST * HOURS
    yield Item(stage="agent", name="EC2, its share of the hosts", usd=cpu / of.sizing.utilisation * vcpu)


def live(of: Terms) -> Iterator[Item]:
    """Tasks of Fargate, as many as lag asks for."""
    cpu = of.traffic.rate * of.size("live_cpu") / 1e6
    yield Item(stage="live", name="Fargate", usd=of.fargate(of.sizing.live, cpu))


def function(of: Terms) -> float:
    """The same as a Lambda function, dollars a month: a vCPU there comes with its memory."""
    seconds = of.traffic.rate * of.size("live_cpu") / 1e6 * _MIB_OF_VCPU / 1024 / _FUNCTION_GIB
    calls = of.traffic.shards(whole=True) * _CALLS_A_SHARD
    compute = (seconds + calls * of.size("function_wait")) * _FUNCTION_GIB * of.usd("lambda.compute")
    return SECONDS * (compute + calls / 1e6 * of.usd("lambda.request"))


def opensearch(of: Terms) -> Iterator[Item]:
    """Its nodes do not come and go by the hour: they are made for the peak."""
    sizing = of.sizing
    cpu = of.traffic.rate * sizing.peak * of.size("opensearch_cpu") / 1e6 * sizing.copies / sizing.utilisation
    nodes = of.pieces(cpu / sizing.node_vcpu, least=sizing.nodes)
    kept = of.traffic.rate * of.size("opensearch_stored") * sizing.copies * sizing.hot_days * 86_400 / GIB
    yield Item(stage="OpenSearch", name="nodes", usd=nodes * HOURS * of.usd(sizing.node))
    yield Item(stage="OpenSearch", name="masters", usd=sizing.masters * HOURS * of.usd(sizing.master))
    yield Item(stage="OpenSearch", name="disks", keeps=True, usd=kept / sizing.disk_fill * of.usd("opensearch.gp3"))


def cold(of: Terms) -> Iterator[Item]:
    """Tasks of Fargate, and what they put."""
    cpu = of.traffic.rate * of.size("cold_cpu") / 1e6
    shards = of.traffic.shards(whole=of.whole)
    spans = shards * SECONDS / _SPAN_S
    yield Item(stage="cold", name="Fargate", usd=of.fargate(of.sizing.cold, cpu))
    yield Item(stage="cold", name="S3, puts", usd=spans * of.size("span_objects") / 1e6 * of.usd("s3.put"))


def lake(of: Terms) -> Iterator[Item]:
    """Rows in S3 until they are too old, originals for a month."""
    sizing = of.sizing
    rows = of.traffic.rate * of.size("lake_stored") * SECONDS / GIB
    raw = of.traffic.rate * of.size("raw_stored") * SECONDS / GIB
    young = min(sizing.standard_months, sizing.lake_months)
    old = max(0.0, sizing.lake_months - max(young, sizing.season_months))
    between = sizing.lake_months - young - old
    yield Item(stage="lake", name="S3, rows", keeps=True, usd=rows * young * of.usd("s3.standard"))
    yield Item(
        stage="lake",
        name="S3, old rows",
        keeps=True,
        usd=rows * (between * of.usd("s3.infrequent") + old * of.usd("s3.glacier_ir")),
    )
    yield Item(stage="lake", name="S3, originals", keeps=True, usd=raw * sizing.raw_months * of.usd("s3.standard"))


def keeper(of: Terms) -> Iterator[Item]:
    """The same tasks at any rate, and the commits of the lake."""
    commits = SECONDS / of.sizing.lake_s * of.size("commit_objects") / 1e6
    yield Item(stage="keeper", name="Fargate", usd=of.task(of.sizing.keeper) * of.sizing.keeper.least)
    yield Item(stage="keeper", name="S3, puts", usd=commits * of.usd("s3.put"))


def warehouse(of: Terms) -> Iterator[Item]:
    """Redshift Serverless is paid while awake: a minute at least for each load, always where loads are dense."""
    awake_h = of.sizing.analyst_hours * DAYS + sum(
        DAYS * min(1.0, _load_s(of, every_s) / every_s) for every_s in of.choice.cadence.by_hour
    )
    kept = of.traffic.rate * of.size("warehouse_stored") * SECONDS / GIB * of.sizing.warehouse_months
    yield Item(
        stage="warehouse", name="Redshift, awake", usd=min(awake_h, HOURS) * of.sizing.rpu * of.usd("redshift.rpu")
    )
    yield Item(stage="warehouse", name="Redshift, stored", keeps=True, usd=kept * of.usd("redshift.storage"))


def _load_s(of: Terms, every_s: float) -> float:
    """Billed for the load of what came in `every_s`."""
    rows = of.traffic.rate * every_s * of.size("warehouse_rows")
    return max(_LEAST_AWAKE_S, of.size("warehouse_visit") + rows / of.size("warehouse_rate"))
