"""Heartbeats: what agents say of their files, see `contract.heartbeat`."""

from datetime import UTC, datetime

import msgspec
from msgspec.json import Decoder

from consumers.stages.events import Fault, Unreadable
from consumers.stages.shape import fault_of
from contract.heartbeat import Heartbeat
from contract.order import AwareTime
from contract.reasons import Reason
from contract.rows import HeartbeatRow
from contract.stamp import Stamp

_LARGEST = 2**63 - 1  # of a column
_LONGEST_PATH = 4_096  # bytes: Linux's limit, and the column's
_COUNTS = ("lines", "bytes", "crc_sum", "size")

_heartbeat = Decoder(Heartbeat)


def heartbeat_of(data: bytes, stamp: Stamp) -> Heartbeat | Unreadable:
    """Read a record whose type and stamp say that it is one. `stamp` is plausible. Raises nothing."""
    try:
        heartbeat = _heartbeat.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        return _refused(fault_of(error), stamp)
    if numbers := [f"$.{name}" for name in _COUNTS if not 0 <= getattr(heartbeat, name) <= _LARGEST]:
        return _refused(Fault(Reason.OUT_OF_RANGE, numbers), stamp)
    if len(stamp.h.encode()) > _LONGEST_PATH or "\0" in stamp.h:
        return _refused(Fault(Reason.BAD_SHAPE, ["$._sp.h"]), stamp)
    if _read_at(stamp) is None:
        return _refused(Fault(Reason.BAD_SHAPE, ["$._sp.t"]), stamp)
    return heartbeat


def heartbeat_row(heartbeat: Heartbeat, arrived_at: datetime) -> HeartbeatRow:
    """The row of a heartbeat from `heartbeat_of`, which arrived at the stream at `arrived_at` (UTC)."""
    stamp, read_at = heartbeat.sp, _read_at(heartbeat.sp)
    assert read_at is not None
    return HeartbeatRow(
        file_id=stamp.f,
        kind=heartbeat.kind,
        path=stamp.h,
        end_offset=stamp.o,
        lines=heartbeat.lines,
        bytes=heartbeat.bytes,
        crc_sum=heartbeat.crc_sum,
        file_size=heartbeat.size,
        final=heartbeat.final,
        read_at=read_at,
        arrived_at=arrived_at,
        arrived_on=arrived_at.date(),
    )


def _read_at(stamp: Stamp) -> datetime | None:
    try:
        read_at = msgspec.convert(stamp.t, AwareTime)
    except msgspec.ValidationError:
        return None
    # One year from either end of the calendar, so that every time zone can express it.
    return read_at.astimezone(UTC) if 2 <= read_at.year <= 9998 else None


def _refused(fault: Fault, stamp: Stamp) -> Unreadable:
    return Unreadable(fault=fault, stamp=stamp, event_type="heartbeat")
