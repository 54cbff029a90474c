import calendar
import datetime as dt
import io
import secrets
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redshift_connector.cursor import Cursor

from infra.local.redshift.process import FrontProcess
from infra.local.redshift.subject import Storage, rows

pytestmark = pytest.mark.integration

MOMENTS = st.datetimes(min_value=dt.datetime(1600, 1, 1), max_value=dt.datetime(2400, 1, 1))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
STEPS = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "millisecond": 1_000, "microsecond": 1}
law = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def cursor(front: FrontProcess) -> Iterator[Cursor]:
    connection = front.connect()
    connection.autocommit = True
    yield connection.cursor()
    connection.close()


def microseconds(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


def crossed(part: str, first: dt.datetime, second: dt.datetime) -> int:
    """What DATEDIFF is documented to count."""
    if part in STEPS:
        return microseconds(second) // STEPS[part] - microseconds(first) // STEPS[part]
    if part == "day":
        return second.toordinal() - first.toordinal()
    months = 12 * (second.year - first.year) + second.month - first.month
    if part == "quarter":
        return 4 * (second.year - first.year) + (second.month - 1) // 3 - (first.month - 1) // 3
    return months if part == "month" else second.year - first.year


@law
@given(first=MOMENTS, second=MOMENTS)
def test_datediff_counts_the_boundaries_crossed(cursor: Cursor, first: dt.datetime, second: dt.datetime) -> None:
    parts = ["year", "quarter", "month", "day", *STEPS]
    asked = ", ".join(f"datediff({part}, '{first}', '{second}')" for part in parts)
    assert rows(cursor, f"select {asked}") == [[crossed(part, first, second) for part in parts]]


@law
@given(first=MOMENTS, weeks=st.integers(-500, 500))
def test_whole_weeks_are_counted_whatever_day_they_begin_on(cursor: Cursor, first: dt.datetime, weeks: int) -> None:
    second = first + dt.timedelta(weeks=weeks)
    assert rows(cursor, f"select datediff(week, '{first}', '{second}')") == [[weeks]]


@law
@given(moment=MOMENTS, n=st.integers(-600, 600))
def test_months_are_added_as_documented(cursor: Cursor, moment: dt.datetime, n: int) -> None:
    year, month = divmod(moment.year * 12 + moment.month - 1 + n, 12)
    last = calendar.monthrange(year, month + 1)[1]
    added = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    at_the_end = moment.day == calendar.monthrange(moment.year, moment.month)[1]
    kept = added.replace(day=last) if at_the_end else added
    asked = f"select dateadd(month, {n}, '{moment}'), add_months('{moment}', {n}), last_day('{moment}')"
    end = moment.date().replace(day=calendar.monthrange(moment.year, moment.month)[1])
    assert rows(cursor, asked) == [[added, kept, end]]


@law
@given(text=TEXTS, size=st.integers(1, 12))
def test_a_cast_keeps_what_fits_in_bytes(cursor: Cursor, text: str, size: int) -> None:
    expected = text.encode()[:size].decode(errors="ignore")
    assert rows(cursor, f"select %s::varchar({size})", [text]) == [[expected]]


@law
@given(numbers=st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1, max_size=6))
def test_integers_divide_and_average_towards_zero(cursor: Cursor, numbers: list[int]) -> None:
    union = " union all ".join(f"select {number}::bigint as n" for number in numbers)
    total = abs(sum(numbers)) // len(numbers) * (1 if sum(numbers) >= 0 else -1)
    assert rows(cursor, f"select avg(n), sum(n) from ({union}) x") == [[total, sum(numbers)]]


COLUMNS: dict[str, tuple[str, Any, Any]] = {
    "i": ("bigint", pa.int64(), st.integers(-(1 << 63), (1 << 63) - 1)),
    "s": ("smallint", pa.int16(), st.integers(-(1 << 15), (1 << 15) - 1)),
    "t": ("varchar(100)", pa.string(), TEXTS),
    "m": ("timestamp", pa.timestamp("us"), st.datetimes(min_value=dt.datetime(1, 1, 1))),
    "d": ("date", pa.date32(), st.dates()),
    "b": ("boolean", pa.bool_(), st.booleans()),
    "n": ("decimal(12,2)", pa.decimal128(12, 2), st.decimals(-9_999_999, 9_999_999, places=2)),
    "f": ("float8", pa.float64(), st.floats(allow_nan=False)),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, _, values) in COLUMNS.items()}), max_size=8
)


@pytest.fixture(scope="module")
def table(cursor: Cursor) -> str:
    name = f"laws_{secrets.token_hex(4)}"
    cursor.execute(f"create table {name} ({', '.join(f'{column} {kind[0]}' for column, kind in COLUMNS.items())})")
    return name


def load(cursor: Cursor, storage: Storage, table: str, found: list[dict[str, Any]], group: int) -> None:
    schema = pa.schema([pa.field(name, kind[1]) for name, kind in COLUMNS.items()])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found, schema), out, row_group_size=group)
    storage.client.put_object(Bucket=storage.bucket, Key=f"{table}/in/x.parquet", Body=out.getvalue())
    cursor.execute(f"delete from {table}")
    cursor.execute(f"copy {table} from 's3://{storage.bucket}/{table}/in/' iam_role '{storage.iam_role}' parquet")


def ordered(found: list[list[Any]]) -> list[list[Any]]:
    return sorted(found, key=repr)


@settings(law, max_examples=25)
@given(found=ROWS, group=st.integers(1, 4))
def test_parquet_comes_in_as_it_is(
    cursor: Cursor, storage: Storage, table: str, found: list[dict[str, Any]], group: int
) -> None:
    load(cursor, storage, table, found, group)
    assert ordered(rows(cursor, f"select * from {table}")) == ordered(
        [[row[name] for name in COLUMNS] for row in found]
    )


@settings(law, max_examples=15)
@given(found=ROWS)
def test_what_was_unloaded_loads_again(
    cursor: Cursor, storage: Storage, table: str, found: list[dict[str, Any]]
) -> None:
    load(cursor, storage, table, found, 4)
    before = ordered(rows(cursor, f"select * from {table}"))
    place = f"'s3://{storage.bucket}/{table}/out_{secrets.token_hex(4)}/' iam_role '{storage.iam_role}'"
    for options, again in (
        ("parquet", "parquet"),
        ("escape null as '@'", "escape null as '@'"),
        ("csv null as '@'",) * 2,
    ):
        if any(row["t"] in ("@",) for row in found) or (not found and options == "parquet"):
            continue
        cursor.execute(f"unload ('select * from {table}') to {place} {options} cleanpath")
        cursor.execute(f"delete from {table}")
        cursor.execute(f"copy {table} from {place} {again}")
        assert ordered(rows(cursor, f"select * from {table}")) == before, options


def test_a_sum_of_decimals_is_exact(cursor: Cursor, storage: Storage, table: str) -> None:
    one = dict.fromkeys(COLUMNS)
    load(cursor, storage, table, [{**one, "n": Decimal("0.10")}] * 1_000, 100)
    assert rows(cursor, f"select sum(n), count(*) from {table}") == [[Decimal("100.00"), 1_000]]
