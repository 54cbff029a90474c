"""Figures that CloudWatch measures: what our processes say of themselves, and what AWS says of its own parts.

In dimensions a word in braces stands for the names where it is deployed: see `dashboards.cloudwatch.deployed`.
"""

from contract.figure import Alarm, Figure
from contract.formula import Metric, Unit

FLEET = "Storepulse/Fleet"  # what live and cold say, see docs/fleet.md
OURS = "Storepulse/Health"  # what keeper and agents say, see docs/metrics.md

_MS, _MIB, _HOUR = 0.001, 1 << 20, 1 / 3600
_LIVE, _COLD = (("Application", "{live}"),), (("Application", "{cold}"),)
_DOMAIN = (("DomainName", "{domain}"), ("ClientId", "{account}"))
_SERVICE = (("ClusterName", "{cluster}"), ("ServiceName", "{service}"))


def measured(figure: Figure) -> Metric:
    """Where CloudWatch has the figure. What is computed over rows and has an alarm, the keeper puts there each minute:
    an age as of then, everything else over the last minute.
    """
    if isinstance(figure.formula, Metric):
        return figure.formula
    return Metric(namespace=OURS, name=figure.name, statistic="Maximum")


def _of_rows(name: str) -> Metric:
    return Metric(namespace=OURS, name=name, statistic="Maximum")


LIVE_LAG = Figure(
    name="live_lag",
    title="Lag of live",
    meaning="How far the last answer that live read was behind the tip of its streams.",
    unit=Unit.SECONDS,
    formula=Metric(namespace=FLEET, name="Lag", statistic="Maximum", dimensions=_LIVE, scale=_MS),
    better="lower",
    target=2.0,
    alarm=Alarm(when="above", threshold=60, minutes=3, pages=True, missing_is_bad=True),
    kind="health",
)
LIVE_HELD = Figure(
    name="live_held",
    title="Held back by live",
    meaning="Since the oldest record arrived that live was given and has not stored: OpenSearch takes nothing.",
    unit=Unit.SECONDS,
    formula=Metric(namespace=FLEET, name="CheckpointAge", statistic="Maximum", dimensions=_LIVE, scale=_MS),
    better="lower",
    target=2.0,
    alarm=Alarm(when="above", threshold=60, minutes=2, pages=True),
    kind="health",
)
COLD_LAG = Figure(
    name="cold_lag",
    title="Lag of cold",
    meaning="How far the last answer that cold read was behind the tip of its streams.",
    unit=Unit.SECONDS,
    formula=Metric(namespace=FLEET, name="Lag", statistic="Maximum", dimensions=_COLD, scale=_MS),
    better="lower",
    target=2.0,
    alarm=Alarm(when="above", threshold=300, minutes=5, pages=True, missing_is_bad=True),
    kind="health",
)
COLD_HELD = Figure(
    name="cold_held",
    title="Held back by cold",
    meaning="Since the oldest record arrived that cold was given and has not put into the lake's bucket.",
    unit=Unit.SECONDS,
    formula=Metric(namespace=FLEET, name="CheckpointAge", statistic="Maximum", dimensions=_COLD, scale=_MS),
    better="lower",
    target=30.0,
    alarm=Alarm(when="above", threshold=300, minutes=5, pages=True),
    kind="health",
)
LAKE_BACKLOG = Figure(
    name="lake_backlog",
    title="Waiting for the lake",
    meaning="Since the oldest record arrived that lies in the bucket and is not in the lake's tables; 0: none.",
    unit=Unit.SECONDS,
    formula=_of_rows("lake_backlog"),
    better="lower",
    target=60.0,
    alarm=Alarm(when="above", threshold=900, minutes=5, pages=True, missing_is_bad=True),
    kind="health",
)
WAREHOUSE_BACKLOG = Figure(
    name="warehouse_backlog",
    title="Waiting for the warehouse",
    meaning="Since the oldest record arrived that lies in the bucket and is not in the warehouse; 0: none.",
    unit=Unit.SECONDS,
    formula=_of_rows("warehouse_backlog"),
    better="lower",
    target=60.0,
    alarm=Alarm(when="above", threshold=3600, minutes=5, pages=False, missing_is_bad=True),
    kind="health",
)
UNSENT_BYTES = Figure(
    name="unsent_bytes",
    title="Unsent by agents",
    meaning="Bytes in spools and access logs that the stream has not acknowledged, of the host that has most.",
    unit=Unit.BYTES,
    formula=_of_rows("unsent_bytes"),
    better="lower",
    kind="health",
)
UNSENT_AGE = Figure(
    name="unsent_age",
    title="Oldest unsent line",
    meaning="Since an agent last had sent all there was: no line of its has waited longer. Of the host that is worst.",
    unit=Unit.SECONDS,
    formula=_of_rows("unsent_age"),
    better="lower",
    target=2.0,
    alarm=Alarm(when="above", threshold=300, minutes=2, pages=True, missing_is_bad=True),
    kind="health",
)


def _of_aws(
    name: str, title: str, meaning: str, metric: Metric, alarm: Alarm, *, unit: Unit = Unit.COUNT, higher: bool = False
) -> Figure:
    return Figure(
        name=name,
        title=title,
        meaning=meaning,
        unit=unit,
        formula=metric,
        better="higher" if higher else "lower",
        alarm=alarm,
        kind="health",
    )


def _metric(
    service: str, name: str, statistic: str, *dimensions: tuple[str, str], scale: float = 1.0, minus: str = ""
) -> Metric:
    return Metric(namespace=service, name=name, statistic=statistic, dimensions=dimensions, scale=scale, minus=minus)


def _above(threshold: float, minutes: int, *, pages: bool = False) -> Alarm:
    return Alarm(when="above", threshold=threshold, minutes=minutes, pages=pages)


_STREAM, _TABLE = ("StreamName", "{stream}"), ("TableName", "{table}")

HEALTH: tuple[Figure, ...] = (
    LIVE_LAG,
    LIVE_HELD,
    COLD_LAG,
    COLD_HELD,
    LAKE_BACKLOG,
    WAREHOUSE_BACKLOG,
    UNSENT_BYTES,
    UNSENT_AGE,
    _of_aws(
        "stream_write_throttles",
        "Writes that Kinesis put off",
        "Records a minute that a stream refused because a shard had taken all it may; agents send them again.",
        _metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", _STREAM),
        _above(1000, 5),
    ),
    _of_aws(
        "stream_read_throttles",
        "Reads that Kinesis put off",
        "Reads a minute beyond what a shard gives to all its readers together.",
        _metric("AWS/Kinesis", "ReadProvisionedThroughputExceeded", "Sum", _STREAM),
        _above(100, 5),
    ),
    _of_aws(
        "stream_age",
        "Oldest record read",
        "Age of the oldest record that any reader was given. Records go after 7 days, read or not.",
        _metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum", _STREAM, scale=_MS),
        _above(86_400, 5, pages=True),
        unit=Unit.SECONDS,
    ),
    _of_aws(
        "search_red",
        "OpenSearch red",
        "1 while a primary shard is nowhere: what lies in it cannot be searched, and live waits.",
        _metric("AWS/ES", "ClusterStatus.red", "Maximum", *_DOMAIN),
        _above(0, 1, pages=True),
    ),
    _of_aws(
        "search_yellow",
        "OpenSearch yellow",
        "1 while a copy of a shard is nowhere: nothing is lost, one more node may not go.",
        _metric("AWS/ES", "ClusterStatus.yellow", "Maximum", *_DOMAIN),
        _above(0, 30),
    ),
    _of_aws(
        "search_free_storage",
        "Free storage of OpenSearch",
        "Of the node that has least. At about 15 % OpenSearch puts no more shards there, at 5 % it refuses writes.",
        _metric("AWS/ES", "FreeStorageSpace", "Minimum", *_DOMAIN, scale=_MIB),
        Alarm(when="below", threshold=10 * (1 << 30), minutes=5, pages=True),
        unit=Unit.BYTES,
        higher=True,
    ),
    _of_aws(
        "search_memory",
        "Heap of OpenSearch",
        "Java heap in use, of the node that uses most. Above 92 % for half an hour the domain refuses writes.",
        _metric("AWS/ES", "JVMMemoryPressure", "Maximum", *_DOMAIN),
        _above(85, 10),
        unit=Unit.PERCENT,
    ),
    _of_aws(
        "search_rejects",
        "Writes that OpenSearch refused",
        "Bulk requests a minute for which a node's queue had no room; live sends them again.",
        _metric("AWS/ES", "ThreadpoolWriteRejected", "Sum", *_DOMAIN),
        _above(100, 5),
    ),
    _of_aws(
        "warehouse_use",
        "Use of the warehouse",
        "What Redshift Serverless was awake for: its capacity by time, an hour's. Four an hour use up a day's 96, past"
        " which queries are refused.",
        Metric(
            namespace="AWS/Redshift-Serverless",
            name="ComputeSeconds",
            statistic="Sum",
            dimensions=(("Workgroup", "{workgroup}"),),
            scale=_HOUR,
            period_s=3600,
        ),
        _above(4, 180),
        unit=Unit.HOURS,
    ),
    _of_aws(
        "table_read_throttles",
        "Reads that DynamoDB put off",
        "Reads a minute of the tables of leases that DynamoDB refused; a worker that cannot read them stands still.",
        _metric("AWS/DynamoDB", "ReadThrottleEvents", "Sum", _TABLE),
        _above(60, 5),
    ),
    _of_aws(
        "table_write_throttles",
        "Writes that DynamoDB put off",
        "Writes a minute of the tables of leases that DynamoDB refused; a lease that is not renewed is lost.",
        _metric("AWS/DynamoDB", "WriteThrottleEvents", "Sum", _TABLE),
        _above(60, 5, pages=True),
    ),
    _of_aws(
        "function_errors",
        "Errors of the function",
        "Invocations a minute that ended in an error; the stream offers the same records again.",
        _metric("AWS/Lambda", "Errors", "Sum", ("FunctionName", "{function}")),
        _above(5, 5),
    ),
    _of_aws(
        "function_given_up",
        "Given up by the function",
        "Notes of batches that the event source gave up. The records are in the stream for 7 days.",
        _metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", ("QueueName", "{queue}")),
        _above(0, 1, pages=True),
    ),
    _of_aws(
        "backup_freshness",
        "Waiting for the raw backup",
        "Age of the oldest record that Firehose holds. It gives up after 24 hours.",
        _metric("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum", ("DeliveryStreamName", "{delivery}")),
        _above(1800, 10),
        unit=Unit.SECONDS,
    ),
    _of_aws(
        "shop_5xx",
        "5xx of the shop's hosts",
        "Requests a minute that a host behind the load balancer answered with 5xx.",
        _metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", ("LoadBalancer", "{balancer}")),
        _above(50, 2, pages=True),
    ),
    _of_aws(
        "shop_unhealthy",
        "Unhealthy hosts of the shop",
        "Hosts that the load balancer sends nobody to.",
        _metric(
            "AWS/ApplicationELB",
            "UnHealthyHostCount",
            "Maximum",
            ("TargetGroup", "{targets}"),
            ("LoadBalancer", "{balancer}"),
        ),
        _above(0, 5, pages=True),
    ),
    _of_aws(
        "tasks_missing",
        "Missing tasks",
        "Tasks of a service that ECS wants less those that run.",
        _metric("ECS/ContainerInsights", "DesiredTaskCount", "Maximum", *_SERVICE, minus="RunningTaskCount"),
        _above(0, 10, pages=True),
    ),
    _of_aws(
        "hosts_missing",
        "Missing hosts of the shop",
        "Hosts that the shop's group wants less those in service.",
        _metric(
            "AWS/AutoScaling",
            "GroupDesiredCapacity",
            "Maximum",
            ("AutoScalingGroupName", "{hosts}"),
            minus="GroupInServiceInstances",
        ),
        _above(0, 15),
    ),
)
