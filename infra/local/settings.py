"""Settings of the local stack."""

from dataclasses import dataclass, replace

from runtime.settings import Lake, Reference, Shop, Streams, Transport, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """The parts that stand in for AWS on one machine."""

    home: str = setting(".storepulse", "folder of all local data, logs and downloads")
    downloads: str = setting("", "folder of downloads, may be shared by several homes; empty: inside home")
    min_free_mib: int = setting(1024, "refuse to start with less disk space: downloads and a day of play", unit="MiB")
    opensearch_heap_mib: int = setting(512, "OpenSearch's heap: enough for 4,000 orders a second", unit="MiB")
    opensearch_java_options: str = setting("", "further options of OpenSearch's Java, separated by spaces")
    drain_s: float = setting(
        60.0,
        "longest wait for the demo's last orders in all stores: 15 s when all is well, a failover more after a crash",
        unit="s",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What `python -m infra.local` reads."""

    local: Local = Local()
    streams: Streams = Streams()
    shop: Shop = Shop()
    lake: Lake = Lake()
    reference: Reference = Reference(bucket="storepulse-reference")

    def over(self, transport: Transport | None) -> "LocalSettings":
        """With the streams over `transport`; None: as set."""
        return replace(self, streams=replace(self.streams, transport=transport)) if transport else self
