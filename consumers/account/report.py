"""What the account says, as data: the JSON of `--json` is these structs, field by field."""

import datetime as dt
from enum import StrEnum

import msgspec

from consumers.account.emitted import Tally

VERSION = 1  # of this shape: fields may be added, none changes its meaning

EXIT_BALANCES, EXIT_DOES_NOT, EXIT_INCOMPLETE = 0, 1, 3  # 2 is the operator's: see runtime.command


class Verdict(StrEnum):
    """The answer in a word."""

    BALANCES = "balances"
    DOES_NOT_BALANCE = "does_not_balance"
    INCOMPLETE = "incomplete"  # what was looked at balances, but not everything was looked at


class GapKind(StrEnum):
    """What may be wrong, in the order in which it is told."""

    LINES = "lines"  # a closed stretch is not held exactly by a store
    SKIPPED = "skipped"  # the agent passed over bytes of a file: lines that never left the source
    OBJECT = "object"  # an object is absent from its bucket
    UNNAMED = "unnamed"  # rows that no heartbeat vouches for
    TORN = "torn"  # an order whose order lines are not all there
    REVENUE = "revenue"  # stores disagree though each holds what was emitted
    OPEN = "open"  # a file whose agent fell silent before it was done
    BEHIND = "behind"  # records wait for too long to be taken


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line, or a range of bytes whose lines nobody has."""

    # missing: not in this store; twice; other_content: its bytes or checksum; never_reached: in no store and not among
    # the originals; nowhere: in no store, originals could not be read; torn: its order lines are not all there
    trouble: str
    offset: int
    end: int  # after the last byte, newline included
    id: str | None = None  # identity in the store; None where it is not known
    held_by: list[str] = []  # raw, opensearch, lake, warehouse
    raw: str | None = None  # the object that holds the original, in the restricted bucket
    manifest: str | None = None  # that says so
    objects: list[str] = []  # of the lake's bucket, one of which should hold its row


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong. `text` says it to people; the rest says it to machines."""

    kind: GapKind
    text: str
    store: str | None = None
    file_id: str | None = None
    path: str | None = None  # host/path of the file
    start: int | None = None  # the stretch, in offsets
    end: int | None = None
    emitted: Tally | None = None
    found: Tally | None = None
    lines: list[Line] = []  # the first ones, by offset
    more: int = 0  # lines that are not listed
    key: str | None = None  # of the object


class ForeignRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows whose records no agent sent; their retries cannot be recognised. Not part of the balance."""

    orders: int
    letters: int
    revenue: dict[str, int]
    hits: int = 0


class StoreAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One store. emitted = orders + hits + refused + duplicates + missing + in_flight."""

    name: str
    trouble: str | None = None  # why it could not be looked at; the rest is empty then
    closed_before: dt.datetime | None = None  # heartbeats that arrived earlier are compared
    behind: dict[str, dt.datetime] = {}  # shards with records not taken (access/SHARD): arrival of the first one
    files: int = 0
    compared: Tally = Tally()  # emitted in closed stretches
    orders: int = 0
    hits: int = 0
    refused: dict[str, int] = {}  # by decisive reason; those not mended since
    mended: int = 0  # of orders and hits: those that were refused, sent again and accepted
    duplicates: int = 0
    conflicts: int = 0  # of the duplicates: those whose content differs
    missing: int = 0  # lines of closed stretches; negative: more rows than lines
    in_flight: int = 0
    revenue: dict[str, int] = {}  # of the lines that all stores have closed; minor units by currency
    foreign: ForeignRows | None = None


class OpenFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose last heartbeat is not final."""

    file_id: str
    path: str
    silent_s: float
    unsent_bytes: int
    gap: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a time. Times are UTC, amounts minor units."""

    version: int = VERSION
    taken_at: dt.datetime
    since: dt.datetime  # heartbeats with since <= arrival < until
    until: dt.datetime | None  # None: now
    verdict: Verdict
    settled: bool  # it balances, nothing is in flight, and every file is final
    files: int
    emitted: Tally
    skipped_bytes: int
    stores: list[StoreAccount]
    open: list[OpenFile]
    gaps: list[Gap]
    notes: list[str]  # what could not be looked at, or is worth knowing

    @property
    def balances(self) -> bool:
        return self.verdict is Verdict.BALANCES


def exit_code(account: Account, *, must_be_settled: bool) -> int:
    """For cron. `must_be_settled`: whoever waited for the end wants to know that it did not come."""
    if account.verdict is Verdict.DOES_NOT_BALANCE:
        return EXIT_DOES_NOT
    if account.verdict is Verdict.INCOMPLETE:
        return EXIT_INCOMPLETE
    return EXIT_DOES_NOT if must_be_settled and not account.settled else EXIT_BALANCES
