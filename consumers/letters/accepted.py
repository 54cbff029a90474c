"""What the lake has accepted already, of the lines, ids and orders of letters."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from consumers.lake.read import Days, LakeReader
from consumers.letters.letter import Letter

_TOGETHER = 20_000  # lines asked for at once
# Of hits only those days are read that the letters' own can be of: they are many. Servers log in time.
_MARGIN = timedelta(days=8)
_OLDEST = timedelta(days=90)  # from reading a line to its newest refusal; longer ago, a stamp is not believed

_ORDERS_BY_LINE = (
    "SELECT o.event_id, o.order_id, o.origin_file, o.origin_offset FROM orders o"
    " JOIN (SELECT unnest(?::VARCHAR[]) AS f, unnest(?::BIGINT[]) AS n) wanted"
    " ON o.origin_file = wanted.f AND o.origin_offset = wanted.n"
)
_HITS_BY_LINE = (
    "SELECT h.event_id, NULL AS order_id, h.origin_file, h.origin_offset FROM hits h"
    " JOIN (SELECT unnest(?::VARCHAR[]) AS f, unnest(?::BIGINT[]) AS n) wanted"
    " ON h.origin_file = wanted.f AND h.origin_offset = wanted.n"
)
_ORDERS_BY_ID = (
    "SELECT event_id, order_id, origin_file, origin_offset FROM orders"
    " WHERE event_id IN (SELECT unnest(?::VARCHAR[])) OR order_id IN (SELECT unnest(?::VARCHAR[]))"
)


class Accepted(NamedTuple):
    """An order or a hit that counts."""

    event_id: str
    order_id: str | None
    name: str  # of its line, as Letter.name


class Stored(Protocol):
    """What is stored as accepted. Raises Outage, ConfigError."""

    def lines(self, letters: Sequence[Letter]) -> Mapping[str, Accepted]:
        """By name, the letters whose line was accepted since."""
        ...

    def orders(self, event_ids: Iterable[str], order_ids: Iterable[str]) -> Sequence[Accepted]:
        """The orders that have one of these ids, whatever line they came by."""
        ...


class LakeStored:
    """The lake. What was accepted within the last minute may not be in it yet: the ledger has what is on its way."""

    def __init__(self, lake: LakeReader) -> None:
        self._lake = lake

    def lines(self, letters: Sequence[Letter]) -> Mapping[str, Accepted]:
        found: dict[str, Accepted] = {}
        for kind, text in (("order", _ORDERS_BY_LINE), ("access", _HITS_BY_LINE)):
            of_kind = [each for each in letters if each.kind == kind and each.stamp is not None]
            days = _days_of(of_kind) if kind == "access" else None
            for some in _chunks(of_kind):
                stamps = [each.stamp for each in some if each.stamp is not None]
                asked = [[stamp.f for stamp in stamps], [stamp.o for stamp in stamps]]
                found |= {each.name: each for each in self._rows(text, asked, days)}
        foreign = {each.letter_id: each for each in letters if each.stamp is None and each.kind == "order"}
        for some_ids in _chunks(list(foreign)):
            rows = self._rows(_ORDERS_BY_ID, [some_ids, []])
            found |= {foreign[each.event_id].name: each for each in rows if each.event_id in foreign}
        return found

    def orders(self, event_ids: Iterable[str], order_ids: Iterable[str]) -> Sequence[Accepted]:
        return list(self._rows(_ORDERS_BY_ID, [list(event_ids), list(order_ids)]))

    def _rows(self, text: str, parameters: Sequence[Any], days: Days | None = None) -> Iterator[Accepted]:
        for row in self._lake.query(text, parameters, days=days):
            file, event_id = row["origin_file"], str(row["event_id"])
            name = event_id if file is None else f"{file}:{row['origin_offset']}"
            yield Accepted(event_id, row["order_id"], name)


def _days_of(letters: Sequence[Letter]) -> Days | None:
    if not letters:
        return None
    arrivals = [each.arrived_at.date() for each in letters]
    return min(map(_read_on, letters)) - _MARGIN, max(arrivals) + _MARGIN


def _read_on(letter: Letter) -> date:
    """The day on which the agent read the line, which may have been refused again since; of arrival where the stamp
    does not say."""
    arrived = letter.arrived_at.date()
    try:
        read = datetime.fromisoformat(letter.stamp.t).date() if letter.stamp else arrived
    except ValueError:
        return arrived
    return max(min(read, arrived), arrived - _OLDEST)


def _chunks(items: list[Any]) -> Iterator[list[Any]]:
    yield from (items[start : start + _TOGETHER] for start in range(0, len(items), _TOGETHER))
