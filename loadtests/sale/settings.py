"""Settings of a rehearsal: those of the stack that it runs against."""

from dataclasses import dataclass
from pathlib import Path

from consumers.account.settings import Accounting
from consumers.fleet.settings import FleetSettings, Status
from consumers.settings import Cold, ColdFleet, Live, Operations
from consumers.sources.kinesis.settings import KinesisSourceSettings
from infra.local.settings import Local
from producers.agent.settings import Spooling
from runtime.settings import Aws, Kafka, Lake, OpenSearch, Reference, Shop, Streams, Warehouse, load


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleSettings:
    """What `python -m loadtests sale-day`, `proof` and `drill` read."""

    local: Local = Local()
    aws: Aws = Aws()
    streams: Streams = Streams()
    kafka: Kafka = Kafka()
    opensearch: OpenSearch = OpenSearch()
    lake: Lake = Lake()
    warehouse: Warehouse = Warehouse()
    reference: Reference = Reference()
    shop: Shop = Shop()
    agent: Spooling = Spooling()
    fleet: KinesisSourceSettings = KinesisSourceSettings()
    cold_fleet: ColdFleet = ColdFleet()
    live: Live = Live()
    cold: Cold = Cold()
    operations: Operations = Operations()
    status: Status = Status()
    account: Accounting = Accounting()

    def of_fleet(self) -> FleetSettings:
        """Those of `python -m consumers status`."""
        return FleetSettings(
            aws=self.aws,
            streams=self.streams,
            kafka=self.kafka,
            fleet=self.fleet,
            cold_fleet=self.cold_fleet,
            live=self.live,
            cold=self.cold,
            operations=self.operations,
            status=self.status,
        )


def settings_in(file: str) -> SaleSettings:
    """Of a stack that wrote them, or of an account. Raises ConfigError."""
    return load(SaleSettings, file=Path(file))
