"""How much of everything a profile runs, and what an operator may choose."""

from dataclasses import dataclass
from typing import Literal

from consumers.keeper.cadence import Cadence
from consumers.keeper.settings import Keeper
from infra.aws import profiles
from infra.aws.profiles import Profile
from infra.aws.profiles import Tasks as Sized
from infra.resources import DOCUMENTS_DAYS, ORIGINALS_DAYS, RETENTION_H

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


ENDPOINTS = 10  # interface endpoints: those of `infra.aws.stacks.network`
_MANAGER = "opensearch.m7g.medium"
_NODE_VCPU = 2  # of both profiles' nodes


def sizing_of(profile: Profile, region: str = "eu-west-2") -> Sizing:
    """What `profile` deploys, and how it is used, which is reckoned: no account was asked."""
    prod = profile.keeps_data
    return Sizing(
        region=region,
        zones=profile.zones,
        hosts=profile.shop_least,
        peak=2.5,
        utilisation=0.6,
        shards=4,
        live=_tasks(profile.live),
        cold=_tasks(profile.cold),
        keeper=_tasks(profile.keeper),
        board=_tasks(profile.board),
        nodes=profile.search_nodes,
        node=_of_search(profile.search_instance),
        node_vcpu=_NODE_VCPU,
        masters=profile.search_masters,
        master=_MANAGER if profile.search_masters else _of_search(profile.search_instance),
        copies=2 if profile.search_nodes > 1 else 1,
        disk_fill=0.75,
        hot_days=float(DOCUMENTS_DAYS),
        raw_months=ORIGINALS_DAYS / 30,
        standard_months=3.0,
        season_months=12.0,
        lake_months=13.0 if prod else 1.0,
        warehouse_months=13.0 if prod else 1.0,
        backup_months=1.0,
        retention_days=RETENTION_H / 24,
        rpu=profile.warehouse_rpu,
        analyst_hours=1.0 if prod else 0.25,
        athena_tb=0.05 if prod else 0.01,
        endpoints=ENDPOINTS,
        endpoint_zones=profile.endpoint_zones,
        lake_s=float(Keeper().lake_cadence),
        cadence=profile.warehouse_cadence,
        alarms=30,
        secrets=4,
        keys=3,
        log_gib=10.0 if prod else 1.0,
    )


def _tasks(size: Sized) -> Tasks:
    return Tasks(vcpu=size.cpu / 1024, gib=size.memory_mib / 1024, least=size.least)


def _of_search(instance: str) -> str:
    """Its name among the prices."""
    return f"opensearch.{instance.removesuffix('.search')}"


PROD, DEV = sizing_of(profiles.PROD), sizing_of(profiles.DEV)
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
