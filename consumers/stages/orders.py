"""The stages of the transactions stream in a row."""

from collections.abc import Mapping
from datetime import datetime

from consumers.delivery import Batch, Record, Shard
from consumers.stages.decode import decode
from consumers.stages.events import Event, Fault, Unreadable
from consumers.stages.facts import ALWAYS, InForce, Reference
from consumers.stages.heartbeats import heartbeat_row
from consumers.stages.identity import identity_of
from consumers.stages.judge import Judged
from consumers.stages.rows import Arrival, Shop, ShopFacts, letter_row, order_row
from consumers.stages.validate import faults_of
from contract.heartbeat import Heartbeat
from contract.reasons import Reason
from contract.rows import LetterRow


class OrderJudge:
    """Judges orders by a shop, and by what it had published when they arrived. See `Judge`."""

    def __init__(self, reference: Reference, shop: Shop) -> None:
        self._reference = reference
        self._shop = shop

    def reference(self, first: datetime, last: datetime) -> Mapping[str, str]:
        return {**self._reference.versions(first, last), "identity_key": self._shop.key_ids(first, last)}

    def judge(self, batch: Batch) -> list[Judged]:
        since = until = ALWAYS
        judged = []
        for record in batch.records:
            if not since <= record.arrived_at < until:
                facts, shop = self._reference.at(record.arrived_at), self._shop.at(record.arrived_at)
                since, until = max(facts.since, shop.since), min(facts.until, shop.until)
            judged.append(_judged(batch.shard, record, facts, shop))
        return judged

    def letter_of(self, reason: Reason, detail: str, shard: Shard, record: Record) -> LetterRow:
        event = decode(record.data)
        assert not isinstance(event, Heartbeat)
        return _letter([Fault(reason, [detail])], event, shard, record)


def _judged(shard: Shard, record: Record, facts: InForce, shop: ShopFacts) -> Judged:
    event = decode(record.data)
    if isinstance(event, Event):
        if faults := faults_of(event.order, facts, record.arrived_at):
            return Judged(_letter(faults, event, shard, record), event.stamp)
        event_id = identity_of(event, record.data, shard.shard_id, record.position)
        is_late = record.arrived_at - event.order.event_time > facts.thresholds.lateness
        return Judged(order_row(event, event_id, record.arrived_at, shop, is_late=is_late), event.stamp)
    if isinstance(event, Heartbeat):
        return Judged(heartbeat_row(event, record.arrived_at), event.sp)
    return Judged(_letter([event.fault], event, shard, record), event.stamp)


def _letter(faults: list[Fault], event: Event | Unreadable, shard: Shard, record: Record) -> LetterRow:
    named = event.order if isinstance(event, Event) else event
    return letter_row(
        faults,
        identity_of(event, record.data, shard.shard_id, record.position),
        Arrival(shard.shard_id, record.position, record.arrived_at),
        event_type="order" if isinstance(event, Event) else event.event_type,
        order_id=named.order_id,
        stamp=event.stamp,
    )
