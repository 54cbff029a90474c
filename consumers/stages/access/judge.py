"""The stages of the access stream in a row."""

from collections.abc import Mapping
from datetime import datetime

from consumers.delivery import Batch, Record, Shard
from consumers.stages.access.decode import decode_access
from consumers.stages.access.hit import Request
from consumers.stages.access.rows import hit_row
from consumers.stages.events import Fault, Unreadable
from consumers.stages.heartbeats import heartbeat_row
from consumers.stages.identity import event_id_of
from consumers.stages.judge import Judged
from consumers.stages.rows import Arrival, ShopFacts, letter_row
from contract.heartbeat import Heartbeat
from contract.reasons import Reason
from contract.rows import LetterRow


class AccessJudge:
    """Makes hits of lines. A request id is no identity: a client may send one. See `Judge`."""

    def __init__(self, shop: ShopFacts) -> None:
        self._shop = shop

    def reference(self, first: datetime, last: datetime) -> Mapping[str, str]:
        return {"identity_key": self._shop.key.key_id}

    def judge(self, batch: Batch) -> list[Judged]:
        return [self._judged(batch.shard, record) for record in batch.records]

    def letter_of(self, reason: Reason, detail: str, shard: Shard, record: Record) -> LetterRow:
        read = decode_access(record.data)
        assert not isinstance(read, Heartbeat)
        return _letter(Fault(reason, [detail]), read, shard, record)

    def _judged(self, shard: Shard, record: Record) -> Judged:
        read = decode_access(record.data)
        if isinstance(read, Request):
            row = hit_row(read.hit, read.stamp, _id_of(read, shard, record), record.arrived_at, self._shop)
            return Judged(row, read.stamp)
        if isinstance(read, Heartbeat):
            return Judged(heartbeat_row(read, record.arrived_at), read.sp)
        return Judged(_letter(read.fault, read, shard, record), read.stamp)


def _letter(fault: Fault, read: Request | Unreadable, shard: Shard, record: Record) -> LetterRow:
    return letter_row(
        [fault],
        _id_of(read, shard, record),
        Arrival(shard.shard_id, record.position, record.arrived_at),
        event_type="access",
        order_id=None,
        stamp=read.stamp,
    )


def _id_of(read: Request | Unreadable, shard: Shard, record: Record) -> str:
    return event_id_of(None, read.stamp, read.line, record.data, shard.shard_id, record.position)
