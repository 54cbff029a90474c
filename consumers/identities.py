"""Which rows are one event, and which of them counts: the rule of lake and warehouse, as pieces of their SQL.

An order's identity is (event_id, event_date), and so is a hit's; a letter's is (letter_id, read_on). A *line* is where
a row came from: (origin_file, origin_offset), or the time of arrival where there is no origin. Of the rows of one
identity the earliest counts; every other line of it is a duplicate, and a conflict where an order's content differs;
the same line again is nothing.
"""

from dataclasses import dataclass

from contract import tables
from contract.tables import Table

ORIGIN = "origin_file, origin_offset, origin_bytes, origin_crc, origin_attempt"
FOREIGN_AT = "CASE WHEN origin_file IS NULL THEN arrived_at END"  # tells lines apart that have no origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A table of judged events."""

    table: Table
    identity: str  # column
    content: str  # tells a conflict from a mere duplicate; a constant where there are no conflicts
    ties: str  # columns that order rows of one arrival

    @property
    def event(self) -> str:
        """Columns that all rows of one event share."""
        return f"{self.identity}, {self.table.day}"

    @property
    def earliest(self) -> str:
        """What a window over the rows of one event is ordered by: its first row counts."""
        return f"arrived_at, origin_file NULLS LAST, origin_offset NULLS LAST, {self.ties}"

    @property
    def line(self) -> str:
        """Columns that all deliveries of one line share."""
        return f"{self.event}, origin_file, origin_offset, {FOREIGN_AT}"


ORDERS = Judged(table=tables.ORDERS, identity="event_id", content="content_hash", ties="content_hash")
HITS = Judged(table=tables.HITS, identity="event_id", content="''", ties="request_id")
LETTERS = Judged(table=tables.LETTERS, identity="letter_id", content="''", ties="shard_id, sequence, sub_sequence")
