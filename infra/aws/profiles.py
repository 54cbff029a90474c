"""Sizes: `dev`, for trying a release for little money, and `prod`, for a shop that must not stop."""

from dataclasses import dataclass, field
from typing import Any


def size(default: Any, reason: str) -> Any:
    """A number with its reason; `default` is prod's."""
    return field(default=default, metadata={"reason": reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """One service's tasks on Fargate."""

    cpu: int  # 1,024 are one core
    memory_mib: int
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One deployment's sizes. What has no unit is a count."""

    name: str
    keeps_data: bool = size(True, "RETAIN and termination protection: deleting a stack must not delete sales")
    zones: int = size(3, "availability zones; Redshift Serverless wants subnets in three")
    endpoint_zones: int = size(2, "zones that hold interface endpoints: one may fail; each costs 8 $ a month and zone")
    log_days: int = size(90, "of log groups: as long as somebody may ask what happened on the sale day")
    shop_instance: str = size("c7i.large", "two cores: nginx, shop, agent; the agent takes 5 CPU-s a million orders")
    shop_least: int = size(2, "one host may be replaced while the other sells")
    shop_most: int = size(12, "ten times an ordinary day with 60 % CPU a host, and a host for each zone that fails")
    shop_disk_gib: int = size(
        100, "spool and logs of a day at 1,000 orders/s without a stream: 366 B an order, 2x logs"
    )
    live: Tasks = size(
        Tasks(cpu=1024, memory_mib=2048, least=2, most=16),
        "a core decodes and writes 4,000 orders/s; two, so that a killed task's shards are read on in failover_s",
    )
    cold: Tasks = size(
        Tasks(cpu=1024, memory_mib=3072, least=2, most=8),
        "512 MiB of open spans in Arrow and twice that while Parquet is written",
    )
    keeper: Tasks = size(
        Tasks(cpu=1024, memory_mib=4096, least=1, most=1),
        "one works under the lease, a second one would wait; 256 MiB rounds in DuckDB and pyiceberg",
    )
    board: Tasks = size(
        Tasks(cpu=512, memory_mib=1024, least=2, most=2),
        "200 viewers take a tenth of a core; two for a zone that fails",
    )
    lag_s: int = size(10, "a lag past which a task is added: five times the board's promise, and no mere hiccup")
    search_instance: str = size("r7g.large.search", "16 GiB: 14 days of orders and hits at 100 orders/s, half as heap")
    search_nodes: int = size(3, "a copy of each shard in another zone, with one zone away")
    search_masters: int = size(3, "dedicated: an index's load must not lose the cluster its head")
    search_disk_gib: int = size(200, "gp3 a node: 14 days at 100 orders/s are 250 GB with copies")
    warehouse_rpu: int = size(8, "base capacity: 128 GB of memory for a day's dashboards; 4 is the least")
    warehouse_rpu_most: int = size(64, "what a query may grow to: an unbounded one costs by the second")
    warehouse_rpu_hours_day: int = size(96, "RPU-hours a day: 8 RPU awake for 12 hours; past it queries are refused")
    warehouse_cadence: str = size("00-07:900,07-24:300", "keeper's visits: the warehouse is billed while it is awake")
    athena_gib: int = size(50, "scanned by one query: 0.25 $; a month of orders at 100 orders/s")
    originals_backup: bool = size(True, "Firehose's second path: a fault of ours in cold cannot touch it")
    budget_dollars: int = size(3000, "a month: twice what docs/deploy.md reckons at 100 orders/s; mail at 80 and 100 %")


PROD = Profile(name="prod")
DEV = Profile(
    name="dev",
    keeps_data=False,  # tried and thrown away
    endpoint_zones=1,  # half of what endpoints cost
    log_days=7,
    shop_instance="t3.small",  # 2 GiB: the three processes take 0.6
    shop_least=1,
    shop_most=2,  # one that is replaced
    shop_disk_gib=20,
    live=Tasks(cpu=512, memory_mib=1024, least=1, most=2),
    cold=Tasks(cpu=512, memory_mib=2048, least=1, most=2),
    keeper=Tasks(cpu=512, memory_mib=2048, least=1, most=1),
    board=Tasks(cpu=256, memory_mib=512, least=1, most=1),
    search_instance="t3.small.search",  # the least that has fine-grained access
    search_nodes=1,
    search_masters=0,
    search_disk_gib=20,
    warehouse_rpu=4,  # the least there is
    warehouse_rpu_most=8,
    warehouse_rpu_hours_day=8,  # 2 hours awake
    warehouse_cadence="3600",  # an hour: seldom awake
    athena_gib=5,
    budget_dollars=500,
)
PROFILES = {profile.name: profile for profile in (DEV, PROD)}
