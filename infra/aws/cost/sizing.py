"""How much of everything a profile runs, and what an operator may choose."""

from dataclasses import dataclass
from typing import Literal

from consumers.keeper.cadence import Cadence

Transport = Literal["kinesis", "kafka"]
Mode = Literal["on-demand", "provisioned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """One service's tasks on Fargate."""

    vcpu: float
    gib: float
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What a profile deploys, whatever the rate: the least of each, and how long things are kept."""

    region: str
    zones: int  # availability zones
    hosts: int  # of the storefront, each with an agent
    peak: float  # of the day against its mean: what does not scale by itself is made for it
    utilisation: float  # of CPUs, at most: the rest is for catching up
    shards: int  # a stream has at least so many
    live: Tasks
    cold: Tasks
    keeper: Tasks
    board: Tasks
    nodes: int  # of OpenSearch, at least
    node: str  # its instance type, a name in prices.toml
    node_vcpu: int
    masters: int  # dedicated ones, which hold no documents
    master: str
    copies: int  # of each document
    disk_fill: float  # of OpenSearch's disks, at most
    hot_days: float  # documents are kept in OpenSearch
    raw_months: float  # originals are kept in the restricted bucket
    standard_months: float  # rows in S3 Standard
    season_months: float  # and by then out of S3 Infrequent Access, into Glacier Instant Retrieval
    lake_months: float  # rows are kept altogether
    warehouse_months: float  # and in Redshift
    backup_months: float  # what Firehose wrote
    retention_days: float  # of the streams
    rpu: int  # base capacity of Redshift Serverless
    analyst_hours: float  # a day in which somebody asks the warehouse, beside the loads
    athena_tb: float  # scanned a month
    endpoints: int  # interface endpoints in each of their zones
    endpoint_zones: int
    lake_s: float  # between two commits to the lake
    cadence: str  # of the warehouse's loads, as [keeper] warehouse_cadence has it
    alarms: int
    secrets: int
    keys: int
    log_gib: float  # a month


PROD = Sizing(
    region="eu-west-2",
    zones=3,
    hosts=3,
    peak=2.5,
    utilisation=0.6,
    shards=4,
    live=Tasks(vcpu=1.0, gib=4.0, least=2),
    cold=Tasks(vcpu=1.0, gib=4.0, least=2),
    keeper=Tasks(vcpu=1.0, gib=4.0, least=2),
    board=Tasks(vcpu=0.5, gib=1.0, least=2),
    nodes=3,
    node="opensearch.r7g.large",
    node_vcpu=2,
    masters=3,
    master="opensearch.m7g.medium",
    copies=2,
    disk_fill=0.75,
    hot_days=14.0,
    raw_months=1.0,
    standard_months=3.0,
    season_months=12.0,
    lake_months=13.0,
    warehouse_months=13.0,
    backup_months=1.0,
    retention_days=7.0,
    rpu=8,
    analyst_hours=1.0,
    athena_tb=0.05,
    endpoints=11,
    endpoint_zones=3,
    lake_s=15.0,
    cadence="00-06:3600,06-23:300,23-24:900",
    alarms=30,
    secrets=4,
    keys=3,
    log_gib=10.0,
)
DEV = Sizing(
    region="eu-west-2",
    zones=2,
    hosts=1,
    peak=2.5,
    utilisation=0.6,
    shards=4,
    live=Tasks(vcpu=0.25, gib=1.0, least=1),
    cold=Tasks(vcpu=0.25, gib=2.0, least=1),
    keeper=Tasks(vcpu=0.25, gib=1.0, least=1),
    board=Tasks(vcpu=0.25, gib=0.5, least=1),
    nodes=2,
    node="opensearch.t3.small",
    node_vcpu=2,
    masters=0,
    master="opensearch.t3.small",
    copies=2,
    disk_fill=0.75,
    hot_days=14.0,
    raw_months=1.0,
    standard_months=3.0,
    season_months=12.0,
    lake_months=1.0,
    warehouse_months=1.0,
    backup_months=1.0,
    retention_days=7.0,
    rpu=4,
    analyst_hours=0.25,
    athena_tb=0.01,
    endpoints=11,
    endpoint_zones=2,
    lake_s=60.0,
    cadence="00-07:21600,07-20:3600,20-24:21600",
    alarms=30,
    secrets=4,
    keys=3,
    log_gib=1.0,
)
PROFILES = {"dev": DEV, "prod": PROD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The levers."""

    transport: Transport
    mode: Mode  # of Kinesis; MSK Serverless knows no other
    aggregated: bool  # many orders in one record of the stream; Kafka batches by itself
    cadence: Cadence  # of the warehouse's loads
    backup: bool  # a second raw copy by Firehose, which reads Kinesis alone

    @property
    def is_backed_up(self) -> bool:
        return self.backup and self.transport == "kinesis"

    @property
    def readers(self) -> int:
        """Of each stream: live and cold, and Firehose."""
        return 2 + self.is_backed_up
