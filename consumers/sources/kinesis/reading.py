"""Settings of how an application reads its streams."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class KinesisReadingSettings:
    """`[reading]`: by which calls records come, and how many may wait in memory."""

    mode: Literal["polling", "fan_out"] = setting(
        "polling",
        "polling: GetRecords, within what a shard gives all its readers together, 2 MiB/s and five a second. fan_out:"
        " SubscribeToShard, 2 MiB/s of this application's own and news at once, for a price an hour and GB",
    )
    consumer: str = setting(
        "",
        "name under which fan_out registers with a stream, which takes 20; workers share it; empty: the application's",
    )
    memory_mib: Annotated[int, Meta(ge=32, le=1 << 16)] = setting(
        256,
        "records of all shards of the process that were read and not yet accepted; an answer is 10 MiB at most, and"
        " room for it is kept before it is asked for: less than 10 MiB a busy shard makes shards wait for each other."
        " Counted as the stream counts; in Python's memory they take up to three times as much",
        unit="MiB",
    )
    mute_s: Annotated[float, Meta(ge=10, le=600)] = setting(
        35.0,
        "fan_out: a subscription that brings nothing for so long is given up for a new one: Kinesis sends an event"
        " every few seconds, records or none, but streams have gone mute without an error",
        unit="s",
    )
