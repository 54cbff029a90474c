"""What holds for Redshift, told to Amazon's driver: the tests run it on the front, and it could be run on AWS.

Here: the driver, transactions, isolation, the system views. SQL: `testing_answers`, `testing_sql`. COPY and UNLOAD:
`testing_loads`. (Longer than modules should be: a list of cases, one below the other.)
"""

import csv
import datetime
import decimal
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from redshift_connector.error import InterfaceError, ProgrammingError

from infra.local.redshift.subject import Case, Subject, refused, rows

_CONNECTOR = "Management Guide, Amazon Redshift Python connector: API reference"
_ISOLATION = "Database Developer Guide, Isolation levels in Amazon Redshift"
_WRITERS = "Database Developer Guide, Managing concurrent write operations"
_CONSTRAINTS = "Database Developer Guide, Table constraints"
_TRANSACTIONS = "Database Developer Guide, SQL commands: BEGIN, COMMIT, ROLLBACK"
_SYSTEM = "Database Developer Guide, System tables and views reference"
_SHOW = "Database Developer Guide, SQL commands: SHOW TABLES, SHOW COLUMNS, SHOW CONSTRAINTS"
_LOADING = "Database Developer Guide, System tables and views reference: STL_LOAD_ERRORS, SYS_LOAD_HISTORY"
_LAST_COPY = "Database Developer Guide, PG_LAST_COPY_COUNT and PG_LAST_COPY_ID"
_WAITS_MS = 400  # statement_timeout of a statement that has to wait for a lock


def values_of_every_type_come_back(subject: Subject) -> None:
    """Parameters go out and rows come in as the driver's Python types, NULL too."""
    utc = datetime.UTC
    types = "a bigint, b varchar(64), c numeric(12,2), d timestamp, e date, f double precision, g boolean, h smallint,"
    cursor = subject.cursor()
    table = subject.table(f"{types} i real, j timestamptz, k int, l char(3)")
    moment = datetime.datetime(2026, 11, 5, 1, 2, 3, 456789)
    row = [1 << 40, "käse €", decimal.Decimal("12.34"), moment, moment.date(), 1.5, True, -7, 2.5]
    row += [moment.replace(tzinfo=utc), -(1 << 31) + 1, "abc"]
    places = ", ".join(["%s"] * len(row))
    cursor.execute(f"insert into {table} values ({places})", row)
    assert cursor.rowcount == 1
    cursor.execute(f"insert into {table} values ({places})", [None] * len(row))
    assert rows(cursor, f"select * from {table} order by a nulls last") == [row, [None] * len(row)]


def each_paramstyle_binds(subject: Subject) -> None:
    """DB-API 2.0's five styles, chosen per cursor."""
    cursor = subject.cursor()
    asked = {
        "named": ("select :a::int, :b::varchar", {"a": 5, "b": "x:y"}),
        "pyformat": ("select %(a)s::int, %(b)s::varchar", {"a": 5, "b": "x:y"}),
        "numeric": ("select :1::int, :2::varchar", [5, "x:y"]),
        "qmark": ("select cast(? as int), cast(? as varchar)", [5, "x:y"]),
        "format": ("select %s::int, %s::varchar", [5, "x:y"]),
    }
    for style, (sql, parameters) in asked.items():
        cursor.paramstyle = style
        assert rows(cursor, sql, parameters) == [[5, "x:y"]], style


def many_rows_go_in_with_executemany(subject: Subject) -> None:
    cursor = subject.cursor(autocommit=False)
    table = subject.table("id bigint, name varchar(64), amount numeric(12,2)")
    cursor.executemany(
        f"insert into {table} values (%s, %s, %s)", [(i, f"n{i}", decimal.Decimal("1.50")) for i in range(500)]
    )
    assert cursor.rowcount == 500
    assert rows(cursor, f"select count(*), sum(amount) from {table}") == [[500, decimal.Decimal("750.00")]]


def data_frames_and_arrays_come_and_go(subject: Subject) -> None:
    """write_dataframe, fetch_dataframe, fetch_numpy_array."""
    import pandas

    cursor = subject.cursor()
    table = subject.table("id bigint, name varchar(64), f double precision")
    frame = pandas.DataFrame({"id": range(50), "name": [f"n{i}" for i in range(50)], "f": [i / 4 for i in range(50)]})
    cursor.write_dataframe(frame, table)
    cursor.execute(f"select id, name, f from {table} order by id")
    found = cursor.fetch_dataframe()
    assert list(found.columns) == ["id", "name", "f"]
    assert found.values.tolist() == frame.values.tolist()
    assert cursor.execute(f"select id, f from {table}").fetch_numpy_array().shape == (50, 2)


def a_file_is_inserted_in_bulk(subject: Subject) -> None:
    """insert_data_bulk: statements of many rows; it looks the table and columns up in the SVV_ALL views first."""
    cursor = subject.cursor()
    table = subject.table("id varchar(20), name varchar(64)")
    descriptor, name = tempfile.mkstemp(suffix=".csv")
    with os.fdopen(descriptor, "w", newline="") as file:
        csv.writer(file).writerows([("id", "name"), *((str(i), f"n,{i}") for i in range(250))])
    try:
        cursor.insert_data_bulk(
            filename=name,
            table_name=table,
            parameter_indices=[0, 1],
            column_names=["id", "name"],
            delimiter=",",
            batch_size=100,
        )
    finally:
        Path(name).unlink()
    assert rows(cursor, f"select count(*), count(distinct name) from {table}") == [[250, 250]]


def errors_carry_their_sqlstate(subject: Subject) -> None:
    cursor = subject.cursor()
    refused("42P01", cursor, "select * from no_such_table")
    refused("42703", cursor, "select no_such_column from pg_class")
    refused("42601", cursor, "selec 1")
    refused("42601", cursor, "select 1; select 2")
    refused("22012", cursor, "select 1/0")
    assert rows(cursor, "select 1") == [[1]]


def a_wrong_password_is_refused(subject: Subject) -> None:
    """Invalid authorization, whether or not the user exists; no session comes of it."""
    for options in ({"password": "Wrong-1"}, {"user": "nobody_at_all"}, {"password": ""}):
        try:
            subject.open(**options)
        except InterfaceError as error:
            assert error.args[0]["C"] == "28000"
            assert "password authentication failed" in error.args[0]["M"]
        else:
            raise AssertionError(f"let in: {options}")


def an_unknown_database_is_refused(subject: Subject) -> None:
    try:
        subject.open(database="no_such_database")
    except ProgrammingError as error:
        assert error.args[0]["C"] == "3D000"
    else:
        raise AssertionError("let in")


def users_are_made_and_let_in(subject: Subject) -> None:
    """CREATE USER ... PASSWORD; what he is not granted he is refused."""
    cursor = subject.cursor()
    table = subject.table("a int")
    name = subject.name()
    cursor.execute(f"create user {name} password 'Abcd1234'")
    try:
        connection = subject.open(user=name, password="Abcd1234")
        connection.autocommit = True
        his = connection.cursor()
        refused("42501", his, f"select * from {table}")
        cursor.execute(f"grant select on {table} to {name}")
        assert rows(his, f"select count(*) from {table}") == [[0]]
        connection.close()
    finally:
        cursor.execute(f"revoke all on {table} from {name}")
        cursor.execute(f"drop user {name}")


def the_version_names_redshift(subject: Subject) -> None:
    """VERSION(): clients choose their dialect by it."""
    [[version]] = rows(subject.cursor(), "select version()")
    assert version.startswith("PostgreSQL 8.0.2 on ")
    assert " Redshift 1.0." in version


def a_rollback_undoes_definitions_too(subject: Subject) -> None:
    cursor = subject.cursor(autocommit=False)
    kept, lost = subject.table("a int", "(1)"), subject.name()
    cursor.execute(f"delete from {kept}")
    cursor.execute(f"create table {lost} (a int)")
    cursor.execute("rollback")
    assert rows(cursor, f"select count(*) from {kept}") == [[1]]
    refused("42P01", cursor, f"select * from {lost}")


def others_see_a_commit_and_nothing_before(subject: Subject) -> None:
    writer, reader = subject.cursor(autocommit=False), subject.cursor()
    table = subject.table("a int")
    writer.execute(f"insert into {table} values (1)")
    assert rows(reader, f"select count(*) from {table}") == [[0]]
    writer.execute("commit")
    assert rows(reader, f"select count(*) from {table}") == [[1]]


def a_failed_transaction_takes_nothing_but_its_end(subject: Subject) -> None:
    """ "current transaction is aborted, commands ignored until end of transaction block"; COMMIT then rolls back."""
    cursor = subject.cursor(autocommit=False)
    table = subject.table("a int")
    cursor.execute(f"insert into {table} values (1)")
    refused("22012", cursor, "select 1/0")
    refused("25P02", cursor, f"select * from {table}")
    cursor.execute("commit")
    assert rows(cursor, f"select count(*) from {table}") == [[0]]


def a_closed_connection_rolls_back(subject: Subject) -> None:
    connection = subject.open()
    table = subject.table("a int")
    connection.cursor().execute(f"insert into {table} values (1)")
    connection.close()
    other = subject.cursor()
    other.execute(f"insert into {table} select a from {table}")  # waits for the writer before it
    assert rows(other, f"select count(*) from {table}") == [[0]]


def a_vacuum_is_refused_in_a_transaction(subject: Subject) -> None:
    cursor = subject.cursor(autocommit=False)
    table = subject.table("a int")
    refused("25001", cursor, f"vacuum {table}")
    subject.cursor().execute(f"vacuum {table}")


def a_transaction_reads_one_snapshot(subject: Subject) -> None:
    """SNAPSHOT, the default: what others commit after its first read is not seen."""
    reader, writer = subject.cursor(autocommit=False), subject.cursor()
    table = subject.table("a int", "(1)")
    assert rows(reader, f"select count(*) from {table}") == [[1]]
    writer.execute(f"insert into {table} values (2)")
    assert rows(reader, f"select count(*) from {table}") == [[1]]
    reader.execute("commit")
    assert rows(reader, f"select count(*) from {table}") == [[2]]


def a_conflicting_update_is_error_1023(subject: Subject) -> None:
    """A row that another transaction changed after our snapshot: ERROR 1023, and the transaction is over."""
    late, early = subject.cursor(autocommit=False), subject.cursor()
    table = subject.table("a int, b int", "(1, 1)")
    rows(late, f"select * from {table}")
    early.execute(f"update {table} set b = 2 where a = 1")
    fields = refused("XX000", late, f"update {table} set b = 3 where a = 1")
    assert fields["M"].startswith("1023")
    assert "isolation violation on table" in fields["D"]
    late.execute("rollback")
    assert rows(late, f"select b from {table}") == [[2]]


def a_lock_comes_before_the_snapshot(subject: Subject) -> None:
    """LOCK takes no snapshot: what is read after it is what the last holder committed."""
    second, first = subject.cursor(autocommit=False), subject.cursor(autocommit=False)
    table = subject.table("a int")
    first.execute(f"lock {table}")
    first.execute(f"insert into {table} values (1)")
    second.execute(f"set statement_timeout to {_WAITS_MS}")
    refused("57014", second, f"lock {table}")
    second.execute("rollback")
    first.execute("commit")
    second.execute(f"lock {table}")
    assert rows(second, f"select count(*) from {table}") == [[1]]


def one_transaction_writes_a_table_at_a_time(subject: Subject) -> None:
    """A writer waits for the writer before it to commit; readers, and writers of other tables, do not wait."""
    first, second = subject.cursor(autocommit=False), subject.cursor()
    table, other = subject.table("a int"), subject.table("a int")
    first.execute(f"insert into {table} values (1)")
    second.execute(f"set statement_timeout to {_WAITS_MS}")
    refused("57014", second, f"insert into {table} values (2)")
    assert rows(second, f"select count(*) from {table}") == [[0]]
    second.execute(f"insert into {other} values (2)")
    first.execute("commit")
    second.execute(f"insert into {table} values (2)")
    assert rows(second, f"select count(*) from {table}") == [[2]]


def temporary_tables_are_the_sessions_own(subject: Subject) -> None:
    mine, other = subject.cursor(), subject.cursor()
    name = subject.name()
    mine.execute(f"create temporary table {name} (a int)")
    mine.execute(f"insert into {name} values (1)")
    refused("42P01", other, f"select * from {name}")
    assert rows(mine, f"select a from {name}") == [[1]]


def keys_are_declared_and_not_enforced(subject: Subject) -> None:
    """ "Uniqueness, primary key, and foreign key constraints are informational only"; NOT NULL is enforced."""
    cursor = subject.cursor()
    table = subject.table("a int not null, b int, primary key (a)", "(1, 1), (1, 2)")
    other = subject.table(f"c int unique references {table} (a)", "(7), (7)")
    assert rows(cursor, f"select count(*) from {table}") == [[2]]
    assert rows(cursor, f"select count(*) from {other}") == [[2]]
    refused("23502", cursor, f"insert into {table} (b) values (3)")


def metadata_calls_describe_a_table(subject: Subject) -> None:
    """get_schemas, get_tables, get_columns, get_primary_keys, get_imported_keys of the driver."""
    cursor = subject.cursor()
    table = subject.table("id bigint not null, name varchar(64), price numeric(12,2), at timestamp, primary key (id)")
    line = subject.table(f"order_id bigint references {table} (id)")
    assert "public" in [schema for schema, *_ in cursor.get_schemas()]
    [found] = cursor.get_tables(schema_pattern="public", table_name_pattern=table)
    assert list(found[1:4]) == ["public", table, "TABLE"]
    columns = cursor.get_columns(schema_pattern="public", tablename_pattern=table)
    assert [(column[3], column[6], column[17]) for column in columns] == [
        ("id", 19, "NO"),
        ("name", 64, "YES"),
        ("price", 12, "YES"),
        ("at", 29, "YES"),
    ]
    assert [list(key[3:5]) for key in cursor.get_primary_keys(schema="public", table=table)] == [["id", 1]]
    [key] = cursor.get_imported_keys(schema="public", table=line)
    assert [key[index] for index in (2, 3, 6, 7)] == [table, "id", line, "order_id"]
    assert [catalog for (catalog,) in cursor.get_catalogs()].count(cursor.cur_catalog()) == 1


def system_views_describe_a_table(subject: Subject) -> None:
    """SVV_TABLES, SVV_COLUMNS, SVV_ALL_TABLES, SVV_ALL_COLUMNS, PG_TABLE_DEF, SVV_TABLE_INFO."""
    cursor = subject.cursor()
    table = subject.table("id bigint not null, name varchar(64)", "(1, 'a')")
    where = f"where table_name = '{table}'"
    assert rows(cursor, f"select table_schema, table_type from svv_tables {where}") == [["public", "BASE TABLE"]]
    assert rows(cursor, f"select schema_name, table_type from svv_all_tables {where}") == [["public", "TABLE"]]
    told = [["id", 1, "NO", "bigint", None], ["name", 2, "YES", "character varying", 64]]
    asked = "column_name, ordinal_position, is_nullable, data_type, character_maximum_length"
    for view in ("svv_columns", "svv_all_columns"):
        assert rows(cursor, f"select {asked} from {view} {where} order by 2") == told
    defined = rows(cursor, f'select "column", type, "notnull" from pg_table_def where tablename = \'{table}\'')
    assert sorted(defined) == [["id", "bigint", True], ["name", "character varying(64)", False]]
    assert rows(cursor, f'select "schema" from svv_table_info where "table" = \'{table}\'') == [["public"]]
    assert rows(cursor, "select count(*) from svv_external_schemas") == [[0]]


def sessions_and_locks_can_be_seen(subject: Subject) -> None:
    """STV_SESSIONS, STV_RECENTS, SVV_TRANSACTIONS."""
    cursor = subject.cursor(autocommit=False)
    table = subject.table("a int")
    cursor.execute(f"lock {table}")
    [[pid]] = rows(cursor, "select pg_backend_pid()")
    other = subject.cursor()
    assert rows(other, f"select count(*) from stv_sessions where process = {pid}") == [[1]]
    held = rows(
        other,
        f"select lock_mode, granted from svv_transactions where pid = {pid} and relation = '{table}'::regclass::int",
    )
    assert held == [["AccessExclusiveLock", True]]


def a_copy_is_told_in_the_history(subject: Subject) -> None:
    """PG_LAST_COPY_COUNT and PG_LAST_COPY_ID at once; SYS_LOAD_HISTORY and STL_LOAD_COMMITS for all sessions."""
    assert subject.storage
    cursor = subject.cursor(autocommit=False)
    table = subject.table("a int, b varchar(10)")
    subject.storage.client.put_object(Bucket=subject.storage.bucket, Key=f"{table}/1.csv", Body=b"1,x\n2,y\n")
    source = f"'s3://{subject.storage.bucket}/{table}/' iam_role '{subject.storage.iam_role}' csv"
    cursor.execute(f"copy {table} from {source}")
    [[count, number]] = rows(cursor, "select pg_last_copy_count(), pg_last_copy_id()")
    assert count == 2
    cursor.execute("commit")
    told = rows(
        cursor, f"select status, loaded_rows, source_file_count from sys_load_history where query_id = {number}"
    )
    assert [[status.strip(), *rest] for status, *rest in told] == [["completed", 2, 1]]
    [[name]] = rows(cursor, f"select trim(filename) from stl_load_commits where query = {number}")
    assert name == f"s3://{subject.storage.bucket}/{table}/1.csv"


def a_failed_copy_aborts_and_tells_why(subject: Subject) -> None:
    """Nothing of the transaction stays; STL_LOAD_ERRORS and SYS_LOAD_ERROR_DETAIL do."""
    assert subject.storage
    cursor = subject.cursor(autocommit=False)
    table = subject.table("a int, b varchar(10)")
    subject.storage.client.put_object(Bucket=subject.storage.bucket, Key=f"{table}/1.csv", Body=b"1,x\noops,y\n")
    source = f"'s3://{subject.storage.bucket}/{table}/' iam_role '{subject.storage.iam_role}' csv"
    cursor.execute(f"insert into {table} values (7, 'before')")
    refused("XX000", cursor, f"copy {table} from {source}")
    refused("25P02", cursor, "select 1")
    cursor.execute("rollback")
    assert rows(cursor, f"select count(*) from {table}") == [[0]]
    assert rows(cursor, "select pg_last_copy_count()") == [[0]]
    asked = "line_number, trim(colname), trim(raw_field_value), trim(err_reason) <> ''"
    told = [[2, "a", "oops", True]]
    assert rows(cursor, f"select {asked} from stl_load_errors where query = pg_last_copy_id()") == told
    detail = "select line_number, trim(column_name) from sys_load_error_detail where query_id = pg_last_copy_id()"
    assert rows(cursor, detail) == [[2, "a"]]


CASES: Sequence[Case] = (
    Case(page=_CONNECTOR, check=values_of_every_type_come_back),
    Case(page=_CONNECTOR, check=each_paramstyle_binds),
    Case(page=_CONNECTOR, check=many_rows_go_in_with_executemany),
    Case(page=_CONNECTOR, check=data_frames_and_arrays_come_and_go),
    Case(page=_CONNECTOR, check=a_file_is_inserted_in_bulk),
    Case(page=_CONNECTOR, check=errors_carry_their_sqlstate),
    Case(page=_CONNECTOR, check=a_wrong_password_is_refused),
    Case(page=_CONNECTOR, check=an_unknown_database_is_refused),
    Case(page="Database Developer Guide, SQL commands: CREATE USER, GRANT", check=users_are_made_and_let_in),
    Case(page="Database Developer Guide, VERSION", check=the_version_names_redshift),
    Case(page=_TRANSACTIONS, check=a_rollback_undoes_definitions_too),
    Case(page=_TRANSACTIONS, check=others_see_a_commit_and_nothing_before),
    Case(page=_TRANSACTIONS, check=a_failed_transaction_takes_nothing_but_its_end),
    Case(page=_TRANSACTIONS, check=a_closed_connection_rolls_back),
    Case(page="Database Developer Guide, VACUUM: Usage notes", check=a_vacuum_is_refused_in_a_transaction),
    Case(page=_ISOLATION, check=a_transaction_reads_one_snapshot),
    Case(page=_ISOLATION, check=a_conflicting_update_is_error_1023),
    Case(page=_ISOLATION, check=a_lock_comes_before_the_snapshot),
    Case(page=_WRITERS, check=one_transaction_writes_a_table_at_a_time),
    Case(page="Database Developer Guide, CREATE TABLE: TEMPORARY", check=temporary_tables_are_the_sessions_own),
    Case(page=_CONSTRAINTS, check=keys_are_declared_and_not_enforced),
    Case(page=_SHOW, check=metadata_calls_describe_a_table),
    Case(page=_SYSTEM, check=system_views_describe_a_table),
    Case(page=_SYSTEM, check=sessions_and_locks_can_be_seen),
    Case(page=f"{_LOADING}; {_LAST_COPY}", check=a_copy_is_told_in_the_history),
    Case(page=f"{_LOADING}; {_LAST_COPY}", check=a_failed_copy_aborts_and_tells_why),
)
