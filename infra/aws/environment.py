"""The settings of each process on AWS, as environment variables: pure, and loaded by the process's own class in a test.

What is secret comes from Secrets Manager, by the names in SECRETS, and is never in a template.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.aws.inputs import Inputs
from infra.aws.profiles import Profile
from infra.resources import Names
from runtime.settings import Lake, Reference, Streams

IDENTITY_SECRET = "storepulse/identity"
AGENT_STATE, SPOOL = "/var/lib/storepulse/agent", "/var/spool/storepulse"
BOARD_PORT, SHOP_PORT, AGENT_HEALTH_PORT = 8081, 8080, 8091

Environment = dict[str, str]

# Variables that ECS takes from a secret, by process.
SECRETS: Mapping[str, tuple[str, ...]] = {
    "live": ("STOREPULSE_OPENSEARCH_URL",),
    "cold": (),
    "keeper": ("STOREPULSE_OPENSEARCH_URL", "STOREPULSE_WAREHOUSE_PASSWORD"),
    "operator": ("STOREPULSE_OPENSEARCH_URL", "STOREPULSE_WAREHOUSE_PASSWORD"),
    "board": ("STOREPULSE_OPENSEARCH_URL",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What is known once things are made: tokens of CloudFormation, or texts in a test."""

    warehouse_host: str
    warehouse_role: str
    kafka_servers: str = ""


def names_of(inputs: Inputs) -> Names:
    """The names of this deployment: the defaults, but for buckets."""
    return Names(
        streams=Streams(transport="kafka" if inputs.transport == "kafka" else "kinesis"),
        lake=Lake(bucket=inputs.bucket("lake"), restricted_bucket=inputs.bucket("restricted")),
        reference=Reference(bucket=inputs.bucket("reference")),
        reports_bucket=inputs.bucket("reports"),
    )


def environments(inputs: Inputs, profile: Profile, at: Addresses) -> dict[str, Environment]:
    """By process: live, cold, keeper, operator, board, function, agent, storefront."""
    names = names_of(inputs)
    base = {"STOREPULSE_AWS_REGION": inputs.region}
    shop = {"STOREPULSE_SHOP_TIME_ZONE": inputs.time_zone, "STOREPULSE_SHOP_CURRENCY": inputs.currency}
    streams = {
        "STOREPULSE_STREAMS_TRANSACTIONS": names.streams.transactions,
        "STOREPULSE_STREAMS_ACCESS": names.streams.access,
        "STOREPULSE_STREAMS_TRANSPORT": names.streams.transport,
    }
    if at.kafka_servers:
        streams["STOREPULSE_KAFKA_SERVERS"] = at.kafka_servers
    judging = {
        "STOREPULSE_IDENTITY_KEY": f"secretsmanager:{IDENTITY_SECRET}",
        "STOREPULSE_REFERENCE_BUCKET": names.reference.bucket,
    }
    lake = {
        "STOREPULSE_LAKE_BUCKET": names.lake.bucket,
        "STOREPULSE_LAKE_RESTRICTED_BUCKET": names.lake.restricted_bucket,
        "STOREPULSE_LAKE_DATABASE": names.lake.database,
    }
    metrics = {"STOREPULSE_METRICS_TO": "cloudwatch"}
    live = {
        "STOREPULSE_LIVE_APPLICATION": names.live.application,
        "STOREPULSE_LIVE_ACCESS_APPLICATION": names.live.access_application,
    }
    cold = {
        "STOREPULSE_COLD_APPLICATION": names.cold.application,
        "STOREPULSE_COLD_ACCESS_APPLICATION": names.cold.access_application,
    }
    warehouse = {
        "STOREPULSE_WAREHOUSE_HOST": at.warehouse_host,
        "STOREPULSE_WAREHOUSE_DATABASE": "storepulse",
        "STOREPULSE_WAREHOUSE_USER": "storepulse",
        "STOREPULSE_WAREHOUSE_IAM_ROLE": at.warehouse_role,
    }
    keeper = {
        "STOREPULSE_KEEPER_LEASE_TABLE": names.keeper.lease_table,
        "STOREPULSE_KEEPER_APPLICATIONS": f"{names.cold.application},{names.cold.access_application}",
        "STOREPULSE_KEEPER_WAREHOUSE_CADENCE": profile.warehouse_cadence,
    }
    functions = {key: value for key, value in streams.items() if not key.startswith("STOREPULSE_KAFKA")}
    return {
        "live": base | shop | streams | judging | metrics | live,
        "cold": base | shop | streams | judging | lake | metrics | cold,
        "keeper": base
        | shop
        | streams
        | lake
        | warehouse
        | keeper
        | metrics
        | {"STOREPULSE_REFERENCE_BUCKET": names.reference.bucket},
        "operator": base | shop | streams | judging | lake | warehouse | live | cold,
        "board": shop | {"STOREPULSE_BOARD_HOST": "0.0.0.0", "STOREPULSE_BOARD_PORT": str(BOARD_PORT)},
        "function": base | shop | functions | judging,
        "agent": base | streams | metrics | _agent(),
        "storefront": {
            "STOREPULSE_STOREFRONT_PORT": str(SHOP_PORT),
            "STOREPULSE_STOREFRONT_SPOOL": SPOOL,
            "STOREPULSE_STOREFRONT_ACCESS_LOG": "/var/log/storepulse/storefront.log",
        },
    }


def _agent() -> Environment:
    return {
        "STOREPULSE_AGENT_SPOOL": SPOOL,
        "STOREPULSE_AGENT_ACCESS_LOGS": "/var/log/nginx/shop.access.log*",
        "STOREPULSE_AGENT_STATE": AGENT_STATE,
        "STOREPULSE_AGENT_COMPRESSED": "true",
        "STOREPULSE_AGENT_HEALTH_PORT": str(AGENT_HEALTH_PORT),
        "STOREPULSE_AGENT_METRICS_NAMESPACE": "KinesisProducerLibrary",
    }
