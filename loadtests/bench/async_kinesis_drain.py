"""async-kinesis as a reader, for `bench fleet`. Runs in an environment that holds nothing of ours.

Arguments: endpoint, stream, `aggregates` or `plain`, records. Writes one JSON object on stdout, see
`fleet_child.Drained`.
"""

import asyncio
import json
import os
import sys
import time

from kinesis import Consumer
from kinesis.aggregators import KPLAggregator, SimpleAggregator
from kinesis.processors import Processor
from kinesis.serializers import StringSerializer

_FETCHES = 5  # a second and shard: what Kinesis allows; its default is one


class _Bytes(StringSerializer):  # type: ignore[misc]
    def deserialize(self, item: bytes) -> bytes:
        return item


class _Aggregates(Processor, KPLAggregator, _Bytes):  # type: ignore[misc]
    """Opens them, and leaves the records as they are."""


class _Plain(Processor, SimpleAggregator, _Bytes):  # type: ignore[misc]
    """Leaves the records as they are."""


async def drain(endpoint: str, stream: str, kind: str, wanted: int) -> tuple[int, float]:
    records, first_at_s = 0, 0.0
    async with Consumer(
        stream,
        endpoint_url=endpoint,
        region_name="eu-west-2",
        processor=_Aggregates() if kind == "aggregates" else _Plain(),
        shard_fetch_rate=_FETCHES,
        sleep_time_no_records=1 / _FETCHES,
    ) as consumer:
        while records < wanted:
            async for _ in consumer:
                first_at_s = first_at_s or time.time()
                records += 1
                if records >= wanted:
                    break
    return records, first_at_s


if __name__ == "__main__":
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")
    cpu_s, began_s = time.process_time(), time.monotonic()
    read, first = asyncio.run(drain(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
    with open("/proc/self/status") as file:  # noqa: PTH123
        status = file.readlines()
    measured = {
        "records": read,
        "cpu_s": time.process_time() - cpu_s,
        "wall_s": time.monotonic() - began_s,
        "peak_mib": next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")),
        "first_at_s": first,
    }
    print(json.dumps(measured))
