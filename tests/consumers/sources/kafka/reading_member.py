"""A live member for the tests: each row that its path has written is one line `shard event_id` of its output file.

Arguments: servers, topic, group, output file, JSON of the source's settings.
"""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path as File
from typing import TextIO

from consumers.delivery import Path, Refused, Row, Shard
from consumers.live import LivePath
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kafka.source import kafka_source
from consumers.stages.testing import judge
from consumers.tally import Tally
from runtime.clock import SystemClock
from runtime.command import stop_on_signals


class FileSink:
    """Durable once it is in the file: a killed process leaves what it wrote."""

    def __init__(self, shard: Shard, out: TextIO) -> None:
        self._shard = shard
        self._out = out

    def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
        self._out.write("".join(f"{self._shard.shard_id} {row.row_id}\n" for row in rows))
        self._out.flush()
        return []


def main() -> None:
    servers, topic, group, out, settings = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    source = kafka_source(
        servers=servers, topic=topic, group=group, settings=KafkaSourceSettings(**json.loads(settings))
    )
    with File(out).open("a", encoding="utf-8") as file:

        def open_path(shard: Shard) -> Path:
            return LivePath(shard, judge(), FileSink(shard, file), Tally(), SystemClock())

        source.run(open_path, stop_on_signals())


if __name__ == "__main__":
    main()
