"""Workers on a stream and a lease table in memory, and on a clock that the test sets."""

import random
from collections.abc import Iterable

from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.testing import InMemoryLeaseTable, ScriptedStream
from consumers.sources.kinesis.worker import Worker
from runtime.testing import ManualClock


class Workplace:
    """What workers share. An application without leases, until the first one starts."""

    def __init__(
        self,
        shards: Iterable[ShardInfo],
        settings: KinesisSourceSettings | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.table = InMemoryLeaseTable()
        self.stream = ScriptedStream(list(shards))
        self.settings = settings or KinesisSourceSettings()

    def worker(self, name: str) -> Worker:
        """A worker that has just started."""
        worker = Worker(
            worker_id=name,
            stream=self.stream,
            table=self.table,
            settings=self.settings,
            clock=self.clock,
            rng=random.Random(name),
        )
        worker.start()
        return worker
