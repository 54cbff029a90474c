"""Reference data: what the shop publishes of its prices, customers and rates, and how a snapshot of it lies in S3.

A snapshot never changes. Its data objects are put first and `snapshot.json` last: without that one it does not count.
    reference/KIND/VERSION/part-00000.parquet
    reference/KIND/VERSION/snapshot.json
"""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contract.money import LARGEST
from contract.order import Name
from contract.tables import Table, columns_of

Kind = Literal["catalogue", "customers", "rates"]
KINDS: tuple[Kind, ...] = ("catalogue", "customers", "rates")

# Longer than a poll of the readers, a load and a slow put together: each reader has a snapshot before it is in force.
LEAD = dt.timedelta(minutes=2)

FORMAT = 1
ROOT = "reference/"
SUMMARY = "snapshot.json"


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one SKU costs, from some quantity on, for some time. A product of the catalogue is one too."""

    sku: Name
    channel: Annotated[str, Meta(max_length=256)] = ""  # empty: every channel that has no price of its own
    currency: str
    min_quantity: Annotated[int, Meta(ge=1, le=LARGEST)] = 1  # the highest that a line reaches is its tier
    price: Annotated[int, Meta(ge=0, le=LARGEST)] | None  # minor units a piece; None: sold at any price
    valid_from: dt.datetime | None = None  # None: since ever
    valid_to: dt.datetime | None = None  # the first moment at which it is no longer so; None: until further notice
    promotion: str | None = None  # its name; a promotion's price is right beside the usual one


class Customer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One known customer."""

    customer_id: Name
    status: Literal["active", "blocked"] = "active"
    region: str | None = None  # ISO 3166; None: not known


class Rate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one unit of `currency` is worth in the currency that reports are in, on one day."""

    currency: str
    reporting: str
    date: dt.date
    rate: Decimal


class RateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rate as its column holds it: the decimal as text, exactly as published."""

    currency: str
    reporting: str
    date: dt.date
    rate: str


PRICES = Table(name="catalogue", columns=columns_of(Price))
CUSTOMERS = Table(name="customers", columns=columns_of(Customer))
RATES = Table(name="rates", columns=columns_of(RateRow))
TABLES: dict[Kind, Table] = {"catalogue": PRICES, "customers": CUSTOMERS, "rates": RATES}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet object of a snapshot, with the columns of its kind's table."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What `snapshot.json` says."""

    format: int = FORMAT
    kind: Kind
    version: str
    rows: int
    parts: list[Part]
    published_at: dt.datetime  # aware UTC
    effective_at: dt.datetime  # it judges what arrives from then on, until the next one does


def folder(kind: Kind) -> str:
    """Where a kind's versions lie."""
    return f"{ROOT}{kind}/"


def part_key(kind: Kind, version: str, number: int) -> str:
    """A data object."""
    return f"{folder(kind)}{version}/part-{number:05d}.parquet"


def summary_key(kind: Kind, version: str) -> str:
    """The object that makes the version count."""
    return f"{folder(kind)}{version}/{SUMMARY}"


def in_order(snapshots: list[Snapshot]) -> list[Snapshot]:
    """By the time from which they judge; of two with the same one the later version wins, so it comes last."""
    return sorted(snapshots, key=lambda snapshot: (snapshot.effective_at, snapshot.version))
