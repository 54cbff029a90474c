"""The live path: one shard's records to the live store. The order of its lines is the delivery guarantee."""

from collections.abc import Sequence

from consumers.delivery import Backpressure, Batch, Position, Record, Refused, Row, Shard, Sink
from consumers.stages.documents import document_of, is_letter, letter_document
from consumers.stages.judge import Judge
from consumers.tally import Tally
from runtime.clock import Clock

_REFUSED_LETTER_WAIT_S = 5.0  # only an operator can mend it


class LivePath:
    """Judge, write, and only then answer with the batch's end: what it answers is in the store."""

    def __init__(
        self, shard: Shard, judge: Judge, sink: Sink, tally: Tally, clock: Clock, *, window_days: int = 14
    ) -> None:
        """`window_days`: see `document_of`."""
        self._shard = shard
        self._judge = judge
        self._window_days = window_days
        self._sink = sink
        self._tally = tally
        self._clock = clock
        self._durable: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        """The lease knows: nothing is kept here that the store has not acknowledged."""
        return None

    def accept(self, batch: Batch) -> Position:
        """Returns the batch's end: every record of it is an order, a letter or a duplicate in the store.

        Heartbeats apart: the live store does not hold them.
        """
        judged = self._judge.judge(batch)
        documents = [document_of(each, self._window_days) for each in judged]
        made_of = [(row, record) for row, record in zip(documents, batch.records, strict=True) if row is not None]
        rows = [row for row, _ in made_of]
        refused = self._sink.write(rows)
        if refused:
            self._write_letters(refused, made_of)
        self._durable = batch.end
        self._count(batch, rows, refused)
        return self._durable

    def tick(self) -> Position | None:
        """Nothing is ever pending."""
        return self._durable

    def settle(self) -> Position | None:
        """Nothing is ever pending: `accept` returns after the store has."""
        return self._durable

    def _write_letters(self, refused: Sequence[Refused], made_of: Sequence[tuple[Row, Record]]) -> None:
        record_of = {id(row): record for row, record in made_of}
        letters = [
            letter_document(self._judge.letter_of(each.reason, each.detail, self._shard, record_of[id(each.row)]))
            for each in refused
        ]
        again = [each.row for each in refused if is_letter(each.row)] or self._sink.write(letters)
        if again:
            why = f"the store refuses {len(again)} letters ({refused[0].detail}): are its templates up to date?"
            raise Backpressure(_REFUSED_LETTER_WAIT_S, why)

    def _count(self, batch: Batch, rows: Sequence[Row], refused: Sequence[Refused]) -> None:
        letters = sum(is_letter(row) for row in rows) + len(refused)
        self._tally.add("refused", letters)
        self._tally.add("accepted", len(rows) - letters)
        self._tally.delayed((self._clock.now() - batch.records[-1].arrived_at).total_seconds())
