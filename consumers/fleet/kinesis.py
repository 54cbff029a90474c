"""The picture of an application on Kinesis: its leases, the stream's shards, and a look at what each holds."""

import random
from collections.abc import Sequence

from consumers.fleet.applications import Application
from consumers.fleet.look import Looker
from consumers.fleet.picture import ApplicationPicture, picture_of
from consumers.fleet.pulse import Pulse, take_pulse
from consumers.fleet.reads import RECORDS_PER_READ, Reads
from consumers.fleet.tree import State, tree_of
from consumers.fleet.wishes import EVERYONE, DynamoDbWishes, Wishes
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import KinesisStream, Stream
from consumers.sources.kinesis.table import DynamoDbLeaseTable, LeaseTable, TableGone
from runtime.aws import client
from runtime.clock import Clock
from runtime.outage import Stop
from runtime.settings import Aws, Transport


class KinesisView:
    """One application on one stream, seen from outside: nothing is written."""

    transport: Transport = "kinesis"

    def __init__(
        self,
        application: Application,
        *,
        stream: Stream,
        table: LeaseTable,
        wishes: Wishes,
        clock: Clock,
        rng: random.Random,
        stop: Stop,
        looks_at_once: int = 1,
    ) -> None:
        self.application = application
        self._stream = stream
        self._table = table
        self._wishes = wishes
        self._clock = clock
        self._stop = stop
        self._looks_at_once = looks_at_once
        self._looker = Looker(Reads(stream, rng, stop))

    def picture(self, *, quick: bool) -> ApplicationPicture:
        """`quick`: the leases alone, as they say. Raises Outage, and ConfigError where there is no such stream."""
        shards = self._stream.shards()
        pulse = self._pulse(patience=not quick)
        initial = Checkpoint.parse(self.application.fleet.initial_position)
        tree = tree_of(shards, pulse.leases, silent=pulse.silent, initial=initial)
        places = [
            (node.shard_id, node.lease.checkpoint if node.lease else TRIM_HORIZON, _hash_range(node.lease))
            for node in tree
            if node.state is not State.FINISHED
        ]
        looks = {} if quick else self._looker.look_at(places, at_once=self._looks_at_once)
        picture = picture_of(self.application, tree, looks, self._clock.now())
        picture.notes = _notes(pulse, self._wishes.read() if pulse.leases else frozenset())
        return picture

    def _pulse(self, *, patience: bool) -> Pulse:
        try:
            return take_pulse(
                self._table,
                failover_s=self.application.fleet.failover_s,
                clock=self._clock,
                stop=self._stop,
                patience=patience,
            )
        except TableGone:  # no worker ever started
            return Pulse(leases=[], silent=frozenset())


def kinesis_views(
    applications: Sequence[Application], aws: Aws, *, clock: Clock, rng: random.Random, stop: Stop, looks_at_once: int
) -> list[KinesisView]:
    """On the real services; nothing is asked yet. Raises ConfigError."""
    dynamodb = client("dynamodb", aws)
    kinesis = client("kinesis", aws, attempts=1, connections=looks_at_once)
    return [
        KinesisView(
            application,
            stream=KinesisStream(kinesis, application.stream, records_per_read=RECORDS_PER_READ),
            table=DynamoDbLeaseTable(dynamodb, application.name),
            wishes=DynamoDbWishes(dynamodb, application.name),
            clock=clock,
            rng=rng,
            stop=stop,
            looks_at_once=looks_at_once,
        )
        for application in applications
    ]


def _hash_range(lease: Lease | None) -> tuple[int, int] | None:
    return lease.hash_range if lease else None


def _notes(pulse: Pulse, wished: frozenset[str]) -> list[str]:
    notes = [] if pulse.is_certain else ["owners are believed to live: not long enough looked at"]
    if EVERYONE in wished:
        notes.append("its workers were told to stand by: `drain --resume` lets them read")
    elif wished:
        notes.append(f"told to stand by: {', '.join(sorted(wished))}: `drain --resume` lets them read")
    return notes
