"""Settings of the account."""

from dataclasses import dataclass

from consumers.settings import Cold, Live
from runtime.settings import Aws, Kafka, Lake, OpenSearch, Seconds, Streams, Warehouse, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """`[account]`: what the account calls a gap."""

    window_days: Seconds = setting(
        2.0,
        "how far back it looks without --from: a daily check overlaps with the one before, and what is lost can still"
        " be read from the stream",
        unit="days",
    )
    quiet_s: Seconds = setting(
        180.0,
        "a file that is not final and a silent agent are a gap after so long: three times the longest pause between"
        " two heartbeats of an agent that lives",
        unit="s",
    )
    in_flight_s: Seconds = setting(
        7200.0,
        "records that a store has not taken for so long are a gap: twice the slowest cadence of the warehouse",
        unit="s",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What `python -m consumers account` reads."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    kafka: Kafka = Kafka()
    opensearch: OpenSearch = OpenSearch()
    lake: Lake = Lake()
    warehouse: Warehouse = Warehouse()
    live: Live = Live()
    cold: Cold = Cold()
    account: Accounting = Accounting()
