"""Tables and columns through time, as SQL."""

import dataclasses
import re

import pytest
from sqlglot.dialects.redshift import Redshift

from consumers.warehouse.ddl import DESIGNS, add_column, create_table
from consumers.warehouse.migrations import MIGRATIONS
from consumers.warehouse.schema import SCHEMA
from contract.tables import DUPLICATES, LINES, ORDERS, VERSION, WAREHOUSE, Column, Kind, Table

pytestmark = pytest.mark.unit

# Of each migration that was released: a database remembers them, so they stay as they are.
RELEASED = {
    "tables": "038257b604b02e7f",
    "sales_by_day": "a4ce659168cae57c",
    "hits": "886fc43a5c7847e8",
    "ledger.hits": "405d9943b6d4d85b",
    "commits.hits": "19a38e64f7d7ae02",
    "orders_without_checkout": "3eabfd403446fa1f",
    "failed_checkouts": "1ffd378e8b6d696a",
    "revenue_at_risk": "de35a51d4c9e5c62",
    "orders.late": "f0586ce1822c9878",
    "orders.origin_attempt": "828616d916d48f4b",
    "hits.origin_attempt": "19e2fd9181d0e876",
    "letters.origin_attempt": "993b0d218023c235",
    "duplicates.origin_attempt": "6ac218e8bd8d6c50",
    "conflicts.origin_attempt": "4396436bea9059a8",
    "letters_open": "98efef3d38cbe75e",
}


def test_released_migrations_have_not_changed():
    found = {migration.name: migration.checksum[:16] for migration in MIGRATIONS}
    assert found == RELEASED, "what the contract gained needs a version of its own: see `since`"


def test_the_migrations_together_make_the_tables_of_the_contract():
    made = {}
    for statement in (s for migration in MIGRATIONS for s in migration.statements):
        if match := re.match(r"CREATE TABLE (\w+) \((.*?)(?:, PRIMARY KEY.*)?\) DISTSTYLE", statement):
            made[match[1]] = set(re.findall(r"(?:^|, )(\w+) ", match[2]))
        elif match := re.match(r"ALTER TABLE (\w+) ADD COLUMN (\w+)", statement):
            made[match[1]].add(match[2])
    assert made == {table.name: {column.name for column in table.columns} for table in WAREHOUSE}


def test_a_table_has_types_of_the_contract_a_sort_key_and_a_declared_key():
    assert create_table(DUPLICATES, DUPLICATES.columns) == (
        "CREATE TABLE duplicates (event_id VARCHAR(1024) NOT NULL, conflict BOOLEAN NOT NULL,"
        " arrived_at TIMESTAMP NOT NULL, origin_file VARCHAR(1024), origin_offset BIGINT, origin_bytes BIGINT,"
        " origin_crc BIGINT, origin_attempt BIGINT) DISTSTYLE AUTO SORTKEY (arrived_at) ENCODE AUTO"
    )
    lines = create_table(LINES, LINES.columns)
    assert "event_date DATE NOT NULL" in lines
    assert "PRIMARY KEY (event_id, event_date, line_number)) DISTSTYLE AUTO SORTKEY (event_time) ENCODE AUTO" in lines


@pytest.mark.parametrize("table", WAREHOUSE, ids=lambda table: table.name)
def test_keys_and_sort_keys_are_columns_that_may_be_so(table):
    design = DESIGNS[table.name]
    assert not any(table[name].nullable for name in design.key)
    assert table[design.sorted_by].kind is Kind.TIME


@pytest.mark.parametrize("table", WAREHOUSE, ids=lambda table: table.name)
def test_no_name_is_a_reserved_word_of_redshift(table):
    names = {table.name, *(column.name for column in table.columns)}
    assert not names & Redshift.Generator.RESERVED_KEYWORDS


def test_a_column_that_came_later_is_absent_from_older_spans_and_from_the_first_tables():
    later = Column(name="tier", kind=Kind.TEXT, nullable=True, longest=64, since=VERSION + 1)
    wider = dataclasses.replace(ORDERS, columns=(*ORDERS.columns[:3], later, *ORDERS.columns[3:]))
    schema = dataclasses.replace(SCHEMA, tables=(wider, *WAREHOUSE[1:]))
    assert schema.columns("orders", VERSION) == ORDERS.columns
    assert schema.columns("orders", VERSION + 1) == wider.columns
    assert schema.first() == SCHEMA.first()
    (step,) = schema.steps(VERSION + 1)
    assert step.statements == ("ALTER TABLE orders ADD COLUMN tier VARCHAR(64)",)


def test_a_table_that_came_later_is_a_step_of_its_own_and_its_columns_later_ones():
    tier = Column(name="tier", kind=Kind.TEXT, nullable=True, longest=64, since=VERSION + 2)
    rows = Table(name="orders", columns=(*ORDERS.columns[:2], tier), day="event_date", since=VERSION + 1)
    schema = dataclasses.replace(SCHEMA, tables=(*WAREHOUSE[1:], rows))
    assert schema.first().statements == SCHEMA.first().statements[1:]
    (step,), (later,) = schema.steps(VERSION + 1), schema.steps(VERSION + 2)
    assert (step.name, step.statements) == ("orders", (create_table(ORDERS, ORDERS.columns[:2]),))
    assert later.name == "orders.tier"


def test_a_column_that_old_rows_cannot_have_is_refused():
    with pytest.raises(ValueError, match="nullable"):
        add_column("orders", Column(name="tier", kind=Kind.INTEGER, nullable=False))
