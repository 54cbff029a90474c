"""The stages in a row: a batch of records to a batch of rows, one row a record, in the same order."""

from consumers.delivery import Batch, Record, Refused, Row, Shard
from consumers.stages.decode import decode
from consumers.stages.events import Event, Fault, Unreadable
from consumers.stages.identity import event_id_of
from consumers.stages.rows import Arrival, ShopFacts, letter_row, order_row
from consumers.stages.validate import Skus, faults_of


class Judge:
    """Judges by a catalogue and a shop. The same record gets the same row each time; nothing is raised for bad data."""

    def __init__(self, skus: Skus, shop: ShopFacts) -> None:
        self._skus = skus
        self._shop = shop

    def judge(self, batch: Batch) -> list[Row]:
        """Row i is the verdict on record i: an order or a letter."""
        return [self._row(batch.shard, record) for record in batch.records]

    def _row(self, shard: Shard, record: Record) -> Row:
        event = decode(record.data)
        if isinstance(event, Unreadable):
            return _letter([event.fault], event, shard, record)
        if faults := faults_of(event.order, self._skus):
            return _letter(faults, event, shard, record)
        event_id = _id_of(event, shard, record)
        return order_row(event, event_id, _arrival_of(shard, record), self._shop)


def letter_of(refused: Refused, shard: Shard, record: Record) -> Row:
    """The letter of a row that a store refused. `record` is the one that the row was made of."""
    return _letter([Fault(refused.reason, [refused.detail])], decode(record.data), shard, record)


def _letter(faults: list[Fault], event: Event | Unreadable, shard: Shard, record: Record) -> Row:
    named = event.order if isinstance(event, Event) else event
    return letter_row(
        faults,
        _id_of(event, shard, record),
        _arrival_of(shard, record),
        event_type="order" if isinstance(event, Event) else event.event_type,
        order_id=named.order_id,
        stamp=event.stamp,
    )


def _id_of(event: Event | Unreadable, shard: Shard, record: Record) -> str:
    own = event.order.event_id if isinstance(event, Event) else event.event_id
    line = event.line if isinstance(event, Unreadable) else None
    return event_id_of(own, event.stamp, line, record.data, shard.shard_id, record.position)


def _arrival_of(shard: Shard, record: Record) -> Arrival:
    return Arrival(shard.shard_id, record.position, record.arrived_at)
