"""What the peers of the check do with a stream: write down what they took, and where they began.

python -m loadtests.kcl.recording child FOLDER NAME       under the MultiLangDaemon
python -m loadtests.kcl.recording worker FOLDER NAME JSON a worker of our fleet
"""

import os
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path as File

import msgspec

from consumers.delivery import Batch, Path, Position, Shard
from consumers.sources.kcl.source import KclSource
from consumers.sources.kcl.wire import stdio
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import kinesis_source
from runtime.clock import SystemClock
from runtime.command import log_to_stderr, stop_on_signals
from runtime.settings import Aws

CHECKPOINT_S = 1.0


class Opened(msgspec.Struct, tag="opened", frozen=True):
    """A peer began with a shard, at the lease's checkpoint."""

    worker: str
    shard: str
    at_s: float  # monotonic: one clock for all processes of the machine
    checkpoint: tuple[int, int] | None


class Took(msgspec.Struct, tag="took", frozen=True):
    """A peer took these records of a shard; they are durable once this is written."""

    worker: str
    shard: str
    at_s: float
    positions: list[tuple[int, int]]
    payloads: list[str]


Entry = Opened | Took


class Job(msgspec.Struct):
    """What a worker of ours is to read."""

    aws: Aws
    stream: str
    application: str
    fleet: KinesisSourceSettings


class RecordingPath:
    """Durable once it is in the file: a killed process leaves what it wrote."""

    def __init__(self, shard: Shard, worker: str, file: int) -> None:
        self._shard = shard
        self._worker = worker
        self._file = file
        self._durable: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        at = None if checkpoint is None else (checkpoint.sequence, checkpoint.sub_sequence)
        self._write(Opened(self._worker, self._shard.shard_id, time.monotonic(), at))
        return None

    def accept(self, batch: Batch) -> Position | None:
        positions = [(record.position.sequence, record.position.sub_sequence) for record in batch.records]
        payloads = [record.data.decode() for record in batch.records]
        self._write(Took(self._worker, self._shard.shard_id, time.monotonic(), positions, payloads))
        self._durable = batch.end
        return self._durable

    def tick(self) -> Position | None:
        return self._durable

    def settle(self) -> Position | None:
        return self._durable

    def _write(self, entry: Entry) -> None:
        os.write(self._file, msgspec.json.encode(entry) + b"\n")


class Recorded:
    """What all peers wrote into a folder. Each line is decoded once."""

    def __init__(self, folder: File) -> None:
        self._folder = folder
        self._decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
        self._read: dict[File, int] = {}  # bytes of each file
        self._entries: list[Entry] = []

    def entries(self) -> list[Entry]:
        """So far, in the order of time. A line that a killed peer did not finish is none."""
        for path in self._folder.iterdir():
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                lines = file.read().rpartition(b"\n")[0].splitlines()
            self._read[path] = self._read.get(path, 0) + sum(len(line) + 1 for line in lines)
            self._entries += [self._decoder.decode(line) for line in lines]
        self._entries.sort(key=lambda entry: entry.at_s)
        return self._entries


def main(arguments: Sequence[str]) -> None:
    role, folder, name, *job = arguments
    log_to_stderr()
    file = os.open(File(folder) / f"{name}-{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def open_path(shard: Shard) -> Path:
        return RecordingPath(shard, name, file)

    if role == "child":
        source = KclSource(stream="", wire=stdio(), checkpoint_s=CHECKPOINT_S, clock=SystemClock(), rng=random.Random())
        source.run(open_path, threading.Event())
    else:
        wanted = msgspec.json.decode(job[0], type=Job)
        fleet = kinesis_source(
            aws=wanted.aws, stream=wanted.stream, application=wanted.application, settings=wanted.fleet
        )
        fleet.run(open_path, stop_on_signals())


if __name__ == "__main__":
    main(sys.argv[1:])
