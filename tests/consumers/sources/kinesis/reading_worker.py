"""A worker process for the tests: writes each record that it accepted as one line `shard payload time`.

Arguments: kinesis endpoint, endpoint of the rest, stream, application, output file, JSON of the source's settings.
"""

import json
import logging
import sys
import time
from pathlib import Path as File
from typing import TextIO

from consumers.delivery import Batch, Path, Position, Shard
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import kinesis_source
from runtime.command import stop_on_signals
from runtime.settings import Aws


class FilePath:
    """Durable once it is in the file: a killed process leaves what it wrote."""

    def __init__(self, shard: Shard, out: TextIO) -> None:
        self._shard = shard
        self._out = out
        self._durable: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        return None

    def accept(self, batch: Batch) -> Position | None:
        now = time.time()
        lines = [f"{self._shard.shard_id} {record.data.decode()} {now}\n" for record in batch.records]
        self._out.write("".join(lines))
        self._out.flush()
        self._durable = batch.end
        return self._durable

    def tick(self) -> Position | None:
        return self._durable

    def settle(self) -> Position | None:
        return self._durable


def main() -> None:
    kinesis, rest, stream, application, out, settings = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    aws = Aws(kinesis_endpoint=kinesis, endpoint=rest, access_key_id="123456789012", secret_access_key="local")
    source = kinesis_source(
        aws=aws, stream=stream, application=application, settings=KinesisSourceSettings(**json.loads(settings))
    )
    with File(out).open("a", encoding="utf-8") as file:

        def open_path(shard: Shard) -> Path:
            return FilePath(shard, file)

        source.run(open_path, stop_on_signals())


if __name__ == "__main__":
    main()
