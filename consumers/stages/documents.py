"""The last stage of live: rows addressed and serialised for the live store. Cold has columns instead."""

from datetime import date
from functools import lru_cache

import msgspec
from msgspec.json import Encoder

from consumers.delivery import Mended, Row
from consumers.stages.judge import Judged
from consumers.stages.rows import read_on
from contract.rows import HeartbeatRow, HitRow, LetterRow, MendedLetter, OrderRow, Origin

_encode = Encoder().encode


def document_of(judged: Judged, window_days: int) -> Row | None:
    """The document of one verdict; None for a heartbeat, which the live store does not hold.

    Orders dated further than `window_days` from the day they were read share one index, and so do hits.
    """
    row = judged.row
    if isinstance(row, LetterRow):
        return letter_document(row)
    if isinstance(row, HeartbeatRow):
        return None
    is_late = abs((row.event_date - read_on(judged.stamp, row.arrived_at)).days) > window_days
    daily, late = indices_of(row)
    document = event_document(row, late if is_late else daily)
    if row.origin is None or not row.origin.attempt:
        return document
    return msgspec.structs.replace(document, mended=_mended(row, row.origin, judged))


def indices_of(row: OrderRow | HitRow) -> tuple[str, str]:
    """Where its document may be: in its day's index, or in the one of those that are dated too far away."""
    prefix = "orders" if isinstance(row, OrderRow) else "hits"
    return _daily(prefix, row.event_date), f"{prefix}-late"


def event_document(row: OrderRow | HitRow, index: str) -> Row:
    """The document of an accepted event."""
    return Row(
        index=index,
        row_id=row.event_id,
        document=_encode(row),
        origin=_place(row.origin),
        content_hash=row.content_hash if isinstance(row, OrderRow) else "",
    )


def letter_document(letter: LetterRow) -> Row:
    """The document of a refused event."""
    return Row(
        index=_daily("letters", letter.read_on),
        row_id=letter.letter_id,
        document=_encode(letter),
        origin=_place(letter.origin),
    )


def _mended(row: OrderRow | HitRow, origin: Origin, judged: Judged) -> Mended:
    day = read_on(judged.stamp, row.arrived_at)
    known = MendedLetter(
        letter_id=row.event_id,
        read_on=day,
        arrived_at=row.arrived_at,
        origin=msgspec.structs.replace(origin, attempt=0),
        mended_at=row.arrived_at,
    )
    mark = _encode({"mended_at": known.mended_at})
    return Mended(index=_daily("letters", day), mark=mark, document=_encode(known))


def is_letter(row: Row) -> bool:
    """Whether `row` is a refused event's."""
    return row.index.startswith("letters-")


def _place(origin: Origin | None) -> tuple[str, int] | None:
    return None if origin is None else (origin.file, origin.offset)


@lru_cache(maxsize=1024)
def _daily(prefix: str, day: date) -> str:
    return f"{prefix}-{day:%Y.%m.%d}"
