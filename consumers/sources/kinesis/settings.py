"""Settings of the Kinesis source."""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta

from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint, Rank
from runtime.errors import ConfigError
from runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class KinesisSourceSettings:
    """`[fleet]`: how this worker shares shards with others, and how it reads them."""

    worker: str = setting("", "name in the lease table, a random part is added; empty: the host's name")
    initial_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] = setting(
        "TRIM_HORIZON",
        "where a stream without leases is entered; the oldest record, so that nothing is left out. LATEST: what arrives"
        " from the first start on, whenever it is read; AT_TIMESTAMP: what arrived from initial_time on",
    )
    initial_time: str = setting(
        "", "goes with AT_TIMESTAMP, ISO 8601 with its offset: 2026-11-27T08:00:00Z; read when leases are created"
    )
    max_leases: Annotated[int, Meta(ge=0)] = setting(
        0, "shards that this worker reads at the same time, at most: each takes a thread and a buffer; 0: its share"
    )
    failover_s: float = setting(
        10.0,
        "a lease that is not renewed for so long is taken by others; a checkpoint renews, or else a write every third"
        " of it",
        unit="s",
    )
    scan_s: float = setting(
        1.0, "how often leases are looked at; a stopped worker's shards are taken over within 2 s", unit="s"
    )
    read_units_s: Annotated[float, Meta(gt=0)] = setting(
        200.0,
        "what all workers together may read of the lease table at rest (ten leases a unit); where a look a scan_s by"
        " each would cost more, they look less often, at least every second failover_s, and ring for each other",
        unit="DynamoDB read units/s",
    )
    discover_s: float = setting(
        60.0,
        "how long hash keys may lack a lease before the stream is asked for its shards, which a reshard in good order"
        " does not need; and how often finished leases are tidied away",
        unit="s",
    )
    poll_s: float = setting(
        0.333, "between two reads of a shard, which takes five a second from all its readers; ours is three", unit="s"
    )
    checkpoint_s: float = setting(
        2.0, "between two checkpoints of a shard; a crash repeats at most what was read in between", unit="s"
    )
    start_patience_s: float = setting(
        60.0,
        "how long a start waits for Kinesis or DynamoDB: longer than a part takes to restart; then the process ends,"
        " and a service manager starts it again",
        unit="s",
    )
    cool_down_s: float = setting(30.0, "before a shard whose path failed is tried again", unit="s")
    after_trim: Literal["stop", "read_on"] = setting(
        "stop", "when records after a checkpoint are gone: leave the shard alone, or accept the gap and read on"
    )

    @property
    def initial_since(self) -> datetime:
        """What initial_time says, aware UTC. Raises ConfigError for a time that is none."""
        try:
            since = datetime.fromisoformat(self.initial_time)
        except ValueError:
            since = None
        if since is None or since.tzinfo is None:
            raise ConfigError(
                f"initial_time {self.initial_time!r} is no ISO 8601 time with an offset, such as 2026-11-27T08:00:00Z;"
                " initial_position AT_TIMESTAMP needs one"
            )
        return since.astimezone(UTC)

    @property
    def worker_name(self) -> str:
        """What people know this worker by."""
        return self.worker or socket.gethostname()

    def entry(self, now: datetime) -> Checkpoint:
        """The first position of a stream entered `now`. Raises ConfigError for a time that is none or still to come."""
        if self.initial_position == "TRIM_HORIZON":
            return TRIM_HORIZON
        if self.initial_position == "LATEST":
            return Checkpoint.entered(Rank.LATEST, now)
        since = self.initial_since
        if since > now:
            raise ConfigError(f"initial_time {self.initial_time!r} is still to come: it is {now:%Y-%m-%dT%H:%M:%SZ}")
        return Checkpoint.entered(Rank.AT_TIMESTAMP, since)
