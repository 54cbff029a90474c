"""A dead letter as it lies in the restricted bucket: what can be said of it without its content."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from consumers.delivery import Position
from consumers.manifests import Manifest, RawFile
from consumers.spans.raw import RawRecord, read_raw
from consumers.stages.access.decode import decode_access
from consumers.stages.access.hit import Request
from consumers.stages.decode import decode
from consumers.stages.events import Event, Unreadable
from consumers.stages.identity import identity_of, identity_of_access
from contract.heartbeat import Heartbeat
from contract.stamp import Stamp

Kind = Literal["order", "access"]  # of the stream that it came by


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One refusal of a line. A line that was sent again and refused again has one for each attempt."""

    name: str  # of the line, for good: `file:offset`; of a foreign producer's record its letter id
    letter_id: str  # the event's identity
    kind: Kind
    reasons: list[str]  # the decisive one first
    detail: str | None
    order_id: str | None
    stamp: Stamp | None  # None: no agent sent it
    arrived_at: datetime  # at the stream, aware UTC
    stream: str
    shard_id: str
    position: Position
    original: str  # key of the object in the restricted bucket that holds its record

    @property
    def attempt(self) -> int:
        """0 as the agent sent it, 1.. as it was sent again."""
        return self.stamp.a if self.stamp else 0

    @property
    def source(self) -> str:
        """Where the line is, for people: host/path, file id, offset."""
        return f"{self.stamp.h} ({self.stamp.f}) {self.stamp.o}" if self.stamp else "no agent sent it"


def letters_in(manifest: Manifest, file: RawFile, content: bytes, kind: Kind) -> Iterator[Letter]:
    """The letters of one object. Raises ValueError for content that is none."""
    for record in read_raw(content):
        yield letter_of(record, manifest, file.key, kind)


def letter_of(record: RawRecord, manifest: Manifest, key: str, kind: Kind) -> Letter:
    """The letter of a refused record."""
    where = record.data, manifest.shard_id, record.position
    read: Event | Heartbeat | Request | Unreadable
    if kind == "access":
        read = decode_access(record.data)
        letter_id = identity_of_access(read, *where)
    else:
        read = decode(record.data)
        letter_id = identity_of(read, *where)
    stamp = read.sp if isinstance(read, Heartbeat) else read.stamp
    order_id = (
        read.order.order_id if isinstance(read, Event) else read.order_id if isinstance(read, Unreadable) else None
    )
    return Letter(
        name=f"{stamp.f}:{stamp.o}" if stamp else letter_id,
        letter_id=letter_id,
        kind=kind,
        reasons=record.reasons,
        detail=record.detail,
        order_id=order_id,
        stamp=stamp,
        arrived_at=record.arrived_at,
        stream=manifest.stream,
        shard_id=manifest.shard_id,
        position=record.position,
        original=key,
    )
