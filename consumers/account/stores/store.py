"""What the account asks of a store: OpenSearch, the lake, the warehouse."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from consumers.account.emitted import Stretch, Tally


class Kind(Enum):
    """What became of a line."""

    ORDER = "order"
    HIT = "hit"
    LETTER = "letter"
    DUPLICATE = "duplicate"


ACCEPTED = (Kind.ORDER, Kind.HIT)
CONFLICT = "conflict"  # the label of a duplicate whose content differs from the first one's


class Group(NamedTuple):
    """Rows of one kind, file and label.

    The label is an order's currency, a letter's decisive reason, a duplicate's CONFLICT or nothing; a hit has none.
    """

    kind: Kind
    file_id: str
    label: str
    tally: Tally
    first: int  # lowest offset
    last: int  # highest offset
    revenue: int  # minor units of the currency; 0 unless orders
    arrived_at: dt.datetime  # of the row that arrived first
    mended: int = 0  # rows that were letters before; orders and hits alone


class FoundLine(NamedTuple):
    """One row, as the line that it was made of."""

    offset: int
    bytes: int
    crc: int
    kind: Kind
    row_id: str  # its identity in the store


class Torn(NamedTuple):
    """An order whose order lines are not those that it was made of."""

    file_id: str
    offset: int
    bytes: int
    row_id: str
    lines: int  # that it had
    held: int  # that the store has; as many, where it is their units or amounts that do not add up


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Rows whose records no agent sent: nobody knows how many there should be, nor which are retries."""

    orders: int = 0
    hits: int = 0
    letters: int = 0
    revenue: dict[str, int] = field(default_factory=dict)  # by currency


class Store(Protocol):
    """A store's own rows. Every method may raise Outage, and ConfigError for what the operator has to change.

    Everything that was stored before a call is seen by it.
    """

    @property
    def name(self) -> str:
        """`opensearch`, `lake`, `warehouse`."""
        ...

    @property
    def at_once(self) -> int:
        """Stretches that one question may name."""
        ...

    def groups(self, since: dt.datetime) -> Iterator[Group]:
        """All rows with an origin that arrived at `since` or later."""
        ...

    def groups_within(self, stretches: Sequence[Stretch], since: dt.datetime) -> Iterator[Group]:
        """Those of them whose lines lie in a stretch; at most `at_once`, of as many files."""
        ...

    def foreign(self, since: dt.datetime, before: dt.datetime) -> Foreign:
        """Rows without an origin with since <= arrival < before."""
        ...

    def torn(self, since: dt.datetime, before: dt.datetime, most: int) -> Iterator[Torn]:
        """Torn orders with an origin and since <= arrival < before, by file and offset; `most` at most."""
        ...

    def lines(self, stretch: Stretch, since: dt.datetime) -> Iterator[FoundLine]:
        """Every such row whose line lies in the stretch, by offset; two rows of one line come both."""
        ...
