"""async-kinesis with its KPL aggregator, for `bench producers`. Runs in an environment that holds nothing of ours.

Arguments: endpoint, stream, file. Writes one JSON object on stdout, see `producers_child.Measured`.
"""

import asyncio
import json
import os
import sys
import time

from kinesis import Producer
from kinesis.processors import KPLAggregator, Processor, StringSerializer

# It reckons with one shard, and would sleep most of the time.
_UNLIMITED = {"put_rate_limit_per_shard": 1_000_000, "put_bandwidth_limit_per_shard": 1_000_000}


class _Lines(Processor, KPLAggregator, StringSerializer):  # type: ignore[misc]
    """Lines as they are: what it serialises to is bytes already."""

    def serialize(self, item: bytes) -> bytes:
        return item


async def send(endpoint: str, stream: str, file: str) -> int:
    lines = 0
    async with Producer(
        stream, endpoint_url=endpoint, region_name="eu-west-2", processor=_Lines(), **_UNLIMITED
    ) as producer:
        with open(file, "rb") as source:  # noqa: PTH123 the shop's way
            for line in source:
                await producer.put(line[:-1])
                lines += 1
        await producer.flush()
    return lines


if __name__ == "__main__":
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")
    cpu_s = time.process_time()
    sent = asyncio.run(send(*sys.argv[1:4]))
    with open("/proc/self/status") as file:  # noqa: PTH123
        status = file.readlines()
    measured = {
        "lines": sent,
        "cpu_s": time.process_time() - cpu_s,
        "peak_mib": next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")),
    }
    print(json.dumps(measured))
