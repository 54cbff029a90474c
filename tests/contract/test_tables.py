"""Columns follow from rows."""

import datetime as dt
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from contract.tables import ACCOUNT, LETTERS, LINES, ORDERS, WAREHOUSE, Column, Kind, columns_of

pytestmark = pytest.mark.unit


class Inner(msgspec.Struct):
    name: str
    count: Annotated[int, Meta(ge=0)]


class Row(msgspec.Struct):
    at: dt.datetime
    on: dt.date
    is_so: bool
    reasons: list[str]
    inner: Inner
    others: list[Inner]
    perhaps: Inner | None = None
    extra: Annotated[str | None, Meta(description="unknown fields")] = None


def test_nested_structs_are_flat_lists_of_text_are_one_text_and_lists_of_structs_have_a_table_of_their_own():
    assert columns_of(Row) == (
        Column(name="at", kind=Kind.TIME, nullable=False),
        Column(name="on", kind=Kind.DATE, nullable=False),
        Column(name="is_so", kind=Kind.BOOLEAN, nullable=False),
        Column(name="reasons", kind=Kind.TEXT, nullable=False, longest=65_535),
        Column(name="inner_name", kind=Kind.TEXT, nullable=False, longest=1_024),
        Column(name="inner_count", kind=Kind.INTEGER, nullable=False),
        Column(name="perhaps_name", kind=Kind.TEXT, nullable=True, longest=1_024),
        Column(name="perhaps_count", kind=Kind.INTEGER, nullable=True),
        Column(name="extra", kind=Kind.TEXT, nullable=True, longest=65_535),
    )


@pytest.mark.parametrize("kind", [float, dict[str, int], bytes])
def test_a_type_that_no_store_has_is_refused(kind):
    row = msgspec.defstruct("Odd", [("odd", kind)])
    with pytest.raises(TypeError, match="odd"):
        columns_of(row)


def test_tables_with_files_have_a_day_that_is_never_absent():
    assert [table.name for table in WAREHOUSE if table.day] == ["orders", "lines", "hits", "letters", "account"]
    for table in (ORDERS, LINES, LETTERS, ACCOUNT):
        assert table[table.day] == Column(name=table.day, kind=Kind.DATE, nullable=False)
    with pytest.raises(KeyError):
        ORDERS["nothing"]
