"""Where a sender's lines go: into the spool of this machine's agent, or straight into the stream."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from producers.emit import Spool
from producers.emit.file import SpoolFile
from runtime.backoff import full_jitter

_MOST_ENTRIES, _MOST_BYTES = 500, 4 << 20  # of one PutRecords, which takes 5 MiB
_encode = msgspec.json.Encoder().encode


class Outlet(Protocol):
    """Takes lines; what was taken before `flush` returned has left the sender."""

    takes_anything: bool  # also lines that carry no identity
    refused: Counter[str]  # entries by error code, each time they were; whoever has read it may clear it

    def sell(self, order: dict[str, Any]) -> None:
        """An order as the shop's own code hands it over. Raises OSError where there is no room for it."""
        ...

    def write(self, line: bytes) -> None:
        """A line that no SDK would let pass, its newline included. Raises OSError."""
        ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class SpoolOutlet:
    """Orders through the emit SDK, bad lines into a file of their own beside it, as any language's append would."""

    takes_anything = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spool = Spool(folder)
        self._bad: SpoolFile | None = None
        self.refused: Counter[str] = Counter()  # the agent's to tell

    def sell(self, order: dict[str, Any]) -> None:
        self._spool.append(order)

    def write(self, line: bytes) -> None:
        if self._bad is None or self._bad.is_spoilt:
            self._bad = SpoolFile(self._folder, is_durable=False)
        self._bad.append(line)

    def flush(self) -> None:
        pass  # each is in the kernel's hands

    def close(self) -> None:
        self._spool.close()
        if self._bad:
            self._bad.close()
            self._bad = None


class StreamOutlet:
    """Plain records, as a producer of somebody else's would put them; refused entries are put again until taken."""

    takes_anything = False

    def __init__(
        self,
        kinesis: Any,
        stream: str,
        rng: random.Random,
        *,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`kinesis`: a client with one attempt."""
        self._kinesis = kinesis
        self._stream = stream
        self._rng = rng
        self._wait = wait
        self._waiting: list[dict[str, Any]] = []
        self.refused: Counter[str] = Counter()

    def sell(self, order: dict[str, Any]) -> None:
        self._add(_encode(order), order["customer_id"] or order["session_id"])

    def write(self, line: bytes) -> None:
        self._add(line.removesuffix(b"\n"), str(len(self._waiting)))

    def flush(self) -> None:
        """Returns once the stream has acknowledged every line. Raises nothing of Kinesis's: it waits instead."""
        tries = 0
        while self._waiting:
            batch = _batch(self._waiting)
            refused = self._put(batch)
            self._waiting = refused + self._waiting[len(batch) :]
            tries = tries + 1 if refused else 0
            if refused:
                self._wait(full_jitter(min(tries, 5), self._rng, base_s=0.1))

    def close(self) -> None:
        self.flush()

    def _add(self, data: bytes, key: str) -> None:
        # A hash: nobody's customer id travels as a partition key.
        hashed = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        self._waiting.append({"Data": data, "PartitionKey": hashed})

    def _put(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._kinesis.put_records(StreamName=self._stream, Records=batch)
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            self.refused[code] += len(batch)
            return batch
        again = []
        for entry, result in zip(batch, answer["Records"], strict=True):
            if code := result.get("ErrorCode"):
                self.refused[code] += 1
                again.append(entry)
        return again


def _batch(waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    size = 0
    batch: list[dict[str, Any]] = []
    for entry in waiting[:_MOST_ENTRIES]:
        size += len(entry["Data"]) + len(entry["PartitionKey"])
        if batch and size > _MOST_BYTES:
            break
        batch.append(entry)
    return batch
