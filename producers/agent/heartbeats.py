"""Heartbeats: what the stream has acknowledged of each file, said on the stream itself, for others to count after us.

    {"type":"heartbeat","kind":"order","lines":2,"bytes":36,"crc_sum":2882303264,"size":38,"final":true,
     "_sp":{"k":"heartbeat","f":"i-1-0f","o":38,"n":0,"c":0,"h":"web-1/spool/a.ndjson","t":"2026-11-27T08:00:00.000Z"}}

Its figures depend on nothing but the file's bytes before the offset, which never change: it is true whatever was sent
twice before it, and however often it is sent itself. It leaves only after the stream has acknowledged every line that
it vouches for; whether the checkpoint is on disk by then does not matter. After a crash the agent may say less again,
and that is true as well: the largest offset is the one to go by, and the latest of several with that offset.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from contract.heartbeat import Heartbeat
from contract.stamp import Stamp
from producers.agent.batch import Batch, Host
from producers.agent.files import FileRecord, Said
from producers.agent.pack import Packed, partition_key, stamped
from producers.agent.put import Sender
from producers.agent.spool import Spool
from producers.agent.state import State
from runtime.clock import Clock
from runtime.outage import Stop

LOOK_EVERY_S = 1.0  # thousands of files lie in a spool, and nobody waits for a heartbeat

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often (s)."""

    moved_s: float  # for a file whose checkpoint moves
    idle_s: float  # for one that rests, but is not final
    final_after_s: float  # without news: a file that is read to its end is final


class _Message(NamedTuple):
    packed: Packed
    said: Said


class Heartbeats:
    """Sends those that are due, and keeps in `state` what the stream has acknowledged of them.

    Lines wait for one request of them at most, and not for another within a second.
    """

    def __init__(self, *, spool: Spool, state: State, sender: Sender, host: Host, clock: Clock, rhythm: Rhythm) -> None:
        self._spool = spool
        self._state = state
        self._sender = sender
        self._host = host
        self._clock = clock
        self._rhythm = rhythm
        self._look_every_s = min(LOOK_EVERY_S, rhythm.moved_s)
        self._look_at_s = clock.monotonic()
        self._since_s: dict[str, float] = {}  # by file id, of those not final: the last heartbeat, or the first look
        self._attempt = 0

    def beat(self) -> None:
        """Offer what is due to the stream, in one request; what is not taken stays due. Raises ConfigError."""
        if self._clock.monotonic() < self._look_at_s:
            return
        pause_s = self._look_every_s
        for request in itertools.islice(self._requests(self._due()), 1):
            if self._offer(request):
                self._attempt = 0
            else:
                pause_s += self._sender.pause_s(self._attempt)
                self._attempt += 1
        self._look_at_s = self._clock.monotonic() + pause_s

    def part(self) -> None:
        """At a stop: offer what was not said yet, once, if the stream is well; the next start says the rest.

        Raises ConfigError.
        """
        moved = (record for record in self._state.records() if record.has_moved)
        for request in self._requests(self._messages((record, record.is_over) for record in moved)):
            if not self._sender.is_well:
                return
            self._offer(request)

    def end(self, stop: Stop) -> bool:
        """When nobody writes any more: send the last heartbeats, as patiently as lines.

        Returns whether all are acknowledged. Raises ConfigError.
        """
        records = [(r, r.is_over or not self._spool.has_grown(r.key)) for r in self._state.records()]
        new = (
            (record, is_finished)
            for record, is_finished in records
            if record.standing(is_finished=is_finished) != record.said
        )
        requests = self._requests(self._messages(new))
        return all(self._note(request, self._sender.send(_lines(request), stop)) for request in requests)

    def _due(self) -> Iterator[_Message]:
        now_s = self._clock.monotonic()
        since_s: dict[str, float] = {}
        due: list[tuple[FileRecord, bool]] = []
        for record in self._state.records():
            if record.is_settled:
                continue
            since_s[record.file_id] = self._since_s.get(record.file_id, now_s)
            is_finished = record.is_over or self._spool.rests_for(record.key) >= self._rhythm.final_after_s
            pause_s = self._rhythm.moved_s if record.has_moved else self._rhythm.idle_s
            if (is_finished and record.is_read) or record.is_over or now_s - since_s[record.file_id] >= pause_s:
                due.append((record, is_finished))
        self._since_s = since_s
        return self._messages(due)

    def _messages(self, records: Iterable[tuple[FileRecord, bool]]) -> Iterator[_Message]:
        """Of each record, and whether the file is finished, its heartbeat, if there is anything to say."""
        for record, is_finished in records:
            said = record.standing(is_finished=is_finished)
            if said is not None and record.crc_sum is not None:
                yield _Message(self._packed(record, record.crc_sum, said), said)

    def _packed(self, record: FileRecord, crc_sum: int, said: Said) -> Packed:
        heartbeat = Heartbeat(
            kind=record.kind,
            lines=record.acknowledged_lines,
            bytes=said.offset - record.acknowledged_lines,  # every line has one LF, and none is left out
            crc_sum=crc_sum,
            size=said.size,
            final=said.final,
            sp=Stamp(
                k="heartbeat",
                f=record.file_id,
                o=said.offset,
                n=0,
                c=0,
                h=self._host.place_of(record.path),
                t=stamped(self._clock.now()),
            ),
        )
        key = partition_key(record.file_id)
        return Packed(record.file_id, said.offset, said.offset, 0, key, _encode(heartbeat))

    def _requests(self, messages: Iterable[_Message]) -> Iterator[list[_Message]]:
        room, request = Batch(self._sender.limits), list[_Message]()
        for message in messages:
            if not room.take(message.packed):
                yield request
                room, request = Batch(self._sender.limits), []
                room.take(message.packed)
            request.append(message)
        if request:
            yield request

    def _offer(self, request: list[_Message]) -> bool:
        return self._note(request, self._sender.offer(_lines(request)))

    def _note(self, request: list[_Message], acknowledged: Sequence[bool]) -> bool:
        for (packed, said), is_acknowledged in zip(request, acknowledged, strict=True):
            if is_acknowledged:
                self._state.said(packed.file_id, said)
                self._since_s[packed.file_id] = self._clock.monotonic()
        return all(acknowledged)


def _lines(request: list[_Message]) -> list[Packed]:
    return [message.packed for message in request]
