"""Settings of the Kinesis source."""

from dataclasses import dataclass
from typing import Literal

from runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class KinesisSourceSettings:
    """`[fleet]`: how this worker shares shards with others, and how it reads them."""

    worker: str = setting("", "name in the lease table, a random part is added; empty: the host's name")
    initial_position: Literal["TRIM_HORIZON", "LATEST"] = setting(
        "TRIM_HORIZON",
        "where a stream without leases is entered; the oldest record, so that nothing is left out. LATEST stands where"
        " reading begins until the first checkpoint: a crash before that leaves out what came in between",
    )
    failover_s: float = setting(
        10.0, "a lease that is not renewed for so long is taken by others; renewed every third of it", unit="s"
    )
    scan_s: float = setting(
        1.0, "how often leases are looked at; a stopped worker's shards are taken over within 2 s", unit="s"
    )
    discover_s: float = setting(60.0, "how often shards without a lease are looked for", unit="s")
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
