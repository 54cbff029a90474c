"""A shop beside the peers: numbered records, by themselves and in aggregates, while shards split."""

import threading
from typing import Any

from contract.kpl.aggregate import LARGEST_HASH_KEY, OUTER_KEY, UserRecord, aggregated

_PAUSE_S = 0.5
_PLACES = 16  # hash keys that records go to, spread evenly
_TOGETHER = 5  # user records of an aggregate


class Sender:
    """Sends until it is stopped. `sent` are the payloads that the stream has acknowledged."""

    def __init__(self, kinesis: Any, stream: str) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._number = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender")
        self.sent: set[str] = set()
        self.strays: set[str] = set()  # of `sent`: packed for a shard that was split since

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Nothing more is sent after this."""
        self._stop.set()
        self._thread.join()

    def send_strays(self, inside: int, outside: int) -> None:
        """An aggregate for the shard of hash key `inside`, of records that belong to `outside` now."""
        payloads = self._payloads(_TOGETHER)
        self._put([payloads], [inside], outside)
        self.strays.update(payloads)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            places = [place * (LARGEST_HASH_KEY // _PLACES) + 1 for place in range(_PLACES)]
            batches = [self._payloads(1 if place % 2 else _TOGETHER) for place in range(_PLACES)]
            self._put(batches, places)

    def _payloads(self, count: int) -> list[str]:
        first, self._number = self._number, self._number + count
        return [f"{number}" for number in range(first, first + count)]

    def _put(self, batches: list[list[str]], places: list[int], inner: int | None = None) -> None:
        entries = [
            {
                "Data": _data(batch, place if inner is None else inner),
                "PartitionKey": OUTER_KEY,
                "ExplicitHashKey": f"{place}",
            }
            for batch, place in zip(batches, places, strict=True)
        ]
        answer = self._kinesis.put_records(StreamName=self._stream, Records=entries)
        for batch, entry in zip(batches, answer["Records"], strict=True):
            if "ErrorCode" not in entry:
                self.sent.update(batch)


def _data(batch: list[str], hash_key: int) -> bytes:
    if len(batch) == 1:
        return batch[0].encode()
    return aggregated([UserRecord(payload, payload.encode(), hash_key) for payload in batch])
