"""Settings of the consumer processes."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from consumers.sources.kinesis.settings import KinesisSourceSettings
from runtime.settings import Aws, OpenSearch, Reference, Seconds, Shop, Streams, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`[identity]`: how people are kept out of the stores."""

    key_file: str = setting("", "JSON file with key_id and secret (base64, 32 bytes or more) of customer hashes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """`[live]`: the way to OpenSearch."""

    application: str = setting(
        "storepulse-live-transactions", "name of the lease table; another one reads from the start"
    )
    window_days: Annotated[int, Meta(ge=0)] = setting(
        14,
        "orders dated further than this from the day they were read share one index, or an import makes hundreds",
        unit="days",
    )
    refresh_ms: Annotated[int, Meta(gt=0)] = setting(
        500, "until a written document can be found; less costs CPU, more costs freshness", unit="ms"
    )
    replicas: str = setting("0-1", "copies of each document: as many as there are nodes for (auto_expand_replicas)")
    start_patience_s: Seconds = setting(
        60.0,
        "how long a start waits for OpenSearch: longer than it takes to restart; then the process ends, and a service"
        " manager starts it again",
        unit="s",
    )
    report_s: Seconds = setting(60.0, "between two lines of counts in the log", unit="s")


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
