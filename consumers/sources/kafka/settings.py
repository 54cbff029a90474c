"""Settings of the Kafka source."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from runtime.settings import Seconds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSourceSettings:
    """`[kafka_group]`: how this process shares partitions with others, and how it reads them."""

    session_s: Seconds = setting(
        10.0,
        "a member that is not heard of for so long is dead: others take its partitions; brokers take 6 s and more"
        " (group.min.session.timeout.ms)",
        unit="s",
    )
    checkpoint_s: Seconds = setting(
        2.0, "between two commits; a crash repeats at most what was read in between", unit="s"
    )
    fetch_mib: Annotated[int, Meta(gt=0, le=1024)] = setting(
        4, "most that one fetch brings of a partition, and a batch of its path holds: bounds memory", unit="MiB"
    )
    start_patience_s: Seconds = setting(
        60.0,
        "how long a start waits for the brokers; then the process ends, and a service manager starts it again",
        unit="s",
    )
    cool_down_s: Seconds = setting(30.0, "before a partition whose path failed is tried again", unit="s")
    after_trim: Literal["stop", "read_on"] = setting(
        "stop", "when records after a commit are gone: leave the partition alone, or accept the gap and read on"
    )
