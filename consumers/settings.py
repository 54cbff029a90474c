"""Settings of the consumer processes."""

from dataclasses import dataclass

from consumers.sources.kinesis.settings import KinesisSourceSettings
from runtime.settings import Aws, OpenSearch, Shop, Streams, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`[identity]`: how people are kept out of the stores."""

    key_file: str = setting("", "JSON file with key_id and secret (base64, 32 bytes or more) of customer hashes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`[reference]`: what events are judged by."""

    catalogue: str = setting("", "NDJSON file of the shop's products; empty: SKUs are not checked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """`[live]`: the way to OpenSearch."""

    application: str = setting(
        "storepulse-live-transactions", "name of the lease table; another one reads from the start"
    )
    window_days: int = setting(
        14,
        "orders dated further than this from their arrival share one index, or an import makes hundreds",
        unit="days",
    )
    refresh_ms: int = setting(
        500, "until a written document can be found; less costs CPU, more costs freshness", unit="ms"
    )
    replicas: str = setting("0-1", "copies of each document: as many as there are nodes for (auto_expand_replicas)")
    report_s: float = setting(60.0, "between two lines of counts in the log", unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """What `python -m consumers live` reads."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    opensearch: OpenSearch = OpenSearch()
    shop: Shop = Shop()
    identity: Identity = Identity()
    reference: Reference = Reference()
    fleet: KinesisSourceSettings = KinesisSourceSettings()
    live: Live = Live()
