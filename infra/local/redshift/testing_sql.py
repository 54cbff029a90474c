"""What holds for Redshift's SQL on tables, told to Amazon's driver; it could be run on AWS.

`page` names page and section.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from infra.local.redshift.subject import Case, Subject, refused, rows

_SUPER = "Database Developer Guide, Querying semistructured data"
_MERGE = "Database Developer Guide, MERGE"
_TYPES = "Database Developer Guide, Character types"
_KEYS = "Database Developer Guide, Unsupported PostgreSQL features: Constraints"


def lengths_count_bytes(subject: Subject) -> None:
    """ "Storage and ranges": bytes, not characters; blanks beyond the length are dropped, anything else is an error."""
    table = subject.table("v varchar(4), c char(2)")
    cursor = subject.cursor()
    cursor.execute(f"insert into {table} values ('ää', 'ab'), ('abcd  ', 'a')")
    refused("22001", cursor, f"insert into {table} values ('äää', 'a')")
    refused("22001", cursor, f"insert into {table} values ('abcde', 'a')")
    refused("22001", cursor, f"insert into {table} (v) values (%s)", ["€€"])
    refused("22001", cursor, f"insert into {table} values ('a', 'abc')")
    refused("22001", cursor, f"update {table} set v = v || 'xyz'")
    assert rows(cursor, f"select v, len(v), octet_length(v) from {table} order by 2") == [["ää", 2, 4], ["abcd", 4, 4]]
    assert rows(cursor, "select 'äöü'::varchar(3)") == [["ä"]]


def integers_average_to_integers(subject: Subject) -> None:
    """AVG: BIGINT for any integer type; the scale of a decimal's is its own."""
    table = subject.table("i int, b bigint, n numeric(8,2), f float", "(1, 1, 1.00, 1), (2, 2, 2.01, 2)")
    cursor = subject.cursor()
    asked = f"select avg(i), avg(b), avg(n), avg(f), avg(distinct i) from {table}"
    assert rows(cursor, asked) == [[1, 1, Decimal("1.50"), 1.5, 1]]
    assert rows(cursor, f"select avg(i), sum(b) from {table} where i > 9") == [[None, None]]
    [[total]] = rows(cursor, f"select sum(b) from {table}")
    assert total == 3
    assert isinstance(total, int)


def medians_and_percentiles_interpolate(subject: Subject) -> None:
    """MEDIAN, PERCENTILE_CONT: linear interpolation, NULL ignored; by groups and windows."""
    table = subject.table("g int, n numeric(8,2)", "(1, 1), (1, 2), (1, 4), (1, 9), (1, null), (2, 5)")
    cursor = subject.cursor()
    asked = f"select g, median(n), percentile_cont(0.25) within group (order by n) from {table} group by g order by g"
    assert rows(cursor, asked) == [[1, Decimal(3), Decimal("1.75")], [2, Decimal(5), Decimal(5)]]
    windowed = f"select distinct g, median(n) over (partition by g) from {table} order by g"
    assert rows(cursor, windowed) == [[1, Decimal(3)], [2, Decimal(5)]]


def lists_are_aggregated_in_order(subject: Subject) -> None:
    """LISTAGG: NULL and empty strings are ignored; DISTINCT."""
    table = subject.table("a int, b varchar(9)", "(3, 'c'), (1, 'a'), (10, 'b'), (2, null), (4, ''), (1, 'a')")
    cursor = subject.cursor()
    assert rows(cursor, f"select listagg(b, '-') within group (order by a) from {table}") == [["a-a-c-b"]]
    distinct = f"select listagg(distinct a, ',') within group (order by a) from {table}"
    assert rows(cursor, distinct) == [["1,2,3,4,10"]]
    assert rows(cursor, f"select listagg(b) from {table} where a > 99") == [[None]]


def a_ratio_is_to_the_window(subject: Subject) -> None:
    """RATIO_TO_REPORT."""
    table = subject.table("n int", "(2500), (2600), (2800), (2900), (3100)")
    asked = f"select round(ratio_to_report(n) over (), 4) from {table} order by n"
    assert [row[0] for row in rows(subject.cursor(), asked)] == [0.1799, 0.1871, 0.2014, 0.2086, 0.223]


def qualify_filters_windows(subject: Subject) -> None:
    """The page's examples: after WHERE, with *, with an alias; with ORDER BY and LIMIT around."""
    table = subject.table(
        "sold date, item varchar(9), price float",
        "('2022-01-01', 'p1', 100), ('2022-01-01', 'p2', 500), ('2022-01-01', 'p3', 20), ('2022-01-02', 'p6', 5000)",
    )
    cursor = subject.cursor()
    ranked = "row_number() over (partition by sold order by price desc)"
    asked = f"select * from {table} ss where price > 20 qualify {ranked} <= 1 order by item"
    assert rows(cursor, asked) == [[dt.date(2022, 1, 1), "p2", 500.0], [dt.date(2022, 1, 2), "p6", 5000.0]]
    named = f"select item, {ranked} as place from {table} ss qualify place = 2 order by 1 limit 5"
    assert rows(cursor, named) == [["p1", 2]]
    grouped = f"select sold, sum(price) from {table} ss group by sold qualify rank() over (order by sum(price)) = 1"
    assert rows(cursor, grouped) == [[dt.date(2022, 1, 1), 620.0]]


def top_limits(subject: Subject) -> None:
    """SELECT list: TOP."""
    table = subject.table("a int", "(3), (1), (2)")
    assert rows(subject.cursor(), f"select top 2 a from {table} order by a desc") == [[3], [2]]


def semistructured_values_are_navigated(subject: Subject) -> None:
    """Navigation, lax semantics, dynamic typing."""
    table = subject.table("id int, props super")
    cursor = subject.cursor()
    document = '{"a":{"b":[1,{"c":"x"}]},"n":2.5,"s":"P","z":null}'
    cursor.execute(f"insert into {table} values (1, json_parse('{document}')), (2, json_parse('[1]')), (3, null)")
    path = f"select f.props.a.b[1].c, props.a.b[0], f.props.nothing.at.all, props.a.b[9] from {table} f where id = 1"
    assert rows(cursor, path) == [['"x"', "1", None, None]]
    assert rows(cursor, f"select id from {table} t where t.props.s = 'P'") == [[1]]
    assert rows(cursor, f"select id from {table} t where t.props.n > 2 and t.props.n between 1 and 3") == [[1]]
    assert rows(cursor, f"select id from {table} t where t.props.s in ('Q', 'P')") == [[1]]
    assert rows(cursor, f"select id from {table} t where t.props.s > 1") == []
    assert rows(cursor, f"select id from {table} t where t.props.z is null order by id") == [[1], [2], [3]]
    cast = f"select t.props.n::decimal(4,1), t.props.s::varchar, t.props.s::int, t.props.a.b[0]::bigint from {table} t"
    assert rows(cursor, f"{cast} where id = 1") == [[Decimal("2.5"), "P", None, 1]]
    refused("0A000", cursor, f"select t.props.n + 1 from {table} t")


def arrays_are_unnested(subject: Subject) -> None:
    """Unnesting queries: an array in FROM, with its place."""
    table = subject.table("id int, props super")
    cursor = subject.cursor()
    document = '{"items":[{"sku":"a","n":1},{"sku":"b","n":2}]}'
    cursor.execute(f"insert into {table} values (1, json_parse('{document}')), (2, json_parse('[]'))")
    asked = f"select t.id, i.sku::varchar, i.n::int from {table} t, t.props.items i order by 3"
    assert rows(cursor, asked) == [[1, "a", 1], [1, "b", 2]]
    placed = f"select place, item.sku from {table} t, t.props.items as item at place order by place"
    assert rows(cursor, placed) == [[0, '"a"'], [1, '"b"']]


def a_merge_updates_and_inserts(subject: Subject) -> None:
    """Examples; a target row that matches several source rows is an error."""
    target = subject.table("id int, name char(10)", "(101, 'Bob'), (102, 'John'), (103, 'Susan')")
    source = subject.table("id int, name char(10)", "(102, 'Tony'), (103, 'Alice'), (104, 'Bill')")
    cursor = subject.cursor()
    head = f"merge into {target} using {source} on {target}.id = {source}.id when matched then"
    tail = f"when not matched then insert values ({source}.id, {source}.name)"
    cursor.execute(f"{head} update set id = {source}.id, name = {source}.name {tail}")
    told = f"select id, trim(name) from {target} order by id"
    assert rows(cursor, told) == [[101, "Bob"], [102, "Tony"], [103, "Alice"], [104, "Bill"]]
    cursor.execute(f"insert into {source} values (105, 'David')")
    cursor.execute(f"{head} delete {tail}")
    assert rows(cursor, told) == [[101, "Bob"], [105, "David"]]
    cursor.execute(f"insert into {source} values (105, 'Eve')")
    refused("21000", cursor, f"{head} delete {tail}")


def a_simplified_merge_replaces(subject: Subject) -> None:
    """REMOVE DUPLICATES: matches give way to the source's rows, the rest is inserted."""
    target = subject.table("id int, name char(10)", "(30, 'Tony'), (11, 'Alice'), (23, 'Bill'), (23, 'Bill')")
    source = subject.table("id int, name char(10)", "(23, 'David'), (22, 'Clarence')")
    cursor = subject.cursor()
    cursor.execute(f"merge into {target} using {source} s on {target}.id = s.id remove duplicates")
    told = f"select id, trim(name) from {target} order by id"
    assert rows(cursor, told) == [[11, "Alice"], [22, "Clarence"], [23, "David"], [30, "Tony"]]


def keys_are_not_enforced(subject: Subject) -> None:
    """Informational only: the same key twice is stored twice; a primary key's columns take no NULL."""
    cursor = subject.cursor()
    name = subject.name()
    cursor.execute(f"create table {name} (a int primary key, b int unique, foreign key (b) references {name} (a))")
    cursor.execute(f"insert into {name} values (1, 7), (1, 7)")
    assert rows(cursor, f"select count(*) from {name}") == [[2]]
    refused("23502", cursor, f"insert into {name} values (null, 1)")


def a_table_takes_redshifts_attributes(subject: Subject) -> None:
    """CREATE TABLE: encodings, distribution, sort keys, IDENTITY, DEFAULT; LIKE; CREATE TABLE AS."""
    cursor = subject.cursor()
    name, like, copied = subject.name(), subject.name(), subject.name()
    cursor.execute(
        f"create table if not exists {name} (id bigint identity(5, 2), v varchar(9) not null encode zstd default 'x',"
        " at timestamp default sysdate encode az64, k int encode raw distkey sortkey)"
        " backup no diststyle key"
    )
    cursor.execute(f"insert into {name} (k) values (1), (2)")
    assert [row[1:] for row in rows(cursor, f"select id, v, k from {name} order by k")] == [["x", 1], ["x", 2]]
    refused("428C9", cursor, f"insert into {name} (id, k) values (1, 1)")
    cursor.execute(f"create temp table {like} (like {name} including defaults)")
    cursor.execute(f"create table {copied} distkey(k) sortkey(k) as select k, v from {name}")
    assert rows(cursor, f"select count(*) from {copied}") == [[2]]
    auto = subject.name()
    cursor.execute(f"create table {auto} (a int encode auto) diststyle auto sortkey auto")
    interleaved = subject.name()
    cursor.execute(f"create table {interleaved} (a int, b int) diststyle even interleaved sortkey (a, b)")


def a_table_is_altered(subject: Subject) -> None:
    """ALTER TABLE: ADD, DROP, RENAME, the size of a VARCHAR, distribution."""
    cursor = subject.cursor()
    table = subject.table("a int, b varchar(3)", "(1, 'abc')")
    cursor.execute(f"alter table {table} add column c int default 7 encode az64")
    cursor.execute(f"alter table {table} alter column b type varchar(5)")
    cursor.execute(f"alter table {table} rename column b to d")
    cursor.execute(f"alter table {table} alter diststyle even")
    cursor.execute(f"update {table} set d = 'abcde'")
    assert rows(cursor, f"select a, c, d from {table}") == [[1, 7, "abcde"]]
    cursor.execute(f"alter table {table} drop column c")
    refused("42703", cursor, f"select c from {table}")


def rows_are_appended_by_moving(subject: Subject) -> None:
    """ALTER TABLE APPEND: the source is empty afterwards; like-named columns; not in a transaction block."""
    target, source = subject.table("a int, b int"), subject.table("b int, a int", "(2, 1)")
    cursor = subject.cursor()
    cursor.execute(f"alter table {target} append from {source}")
    assert rows(cursor, f"select a, b from {target}") == [[1, 2]]
    assert rows(cursor, f"select count(*) from {source}") == [[0]]
    more = subject.table("a int, b int, c int", "(1, 2, 3)")
    refused("42703", cursor, f"alter table {target} append from {more}")
    cursor.execute(f"alter table {target} append from {more} ignoreextra")
    refused("25001", subject.cursor(autocommit=False), f"alter table {target} append from {source}")


def a_truncate_commits(subject: Subject) -> None:
    """TRUNCATE: Usage notes; it cannot be rolled back, and commits what was before it."""
    table, other = subject.table("a int", "(1)"), subject.table("a int")
    cursor = subject.cursor(autocommit=False)
    cursor.execute(f"insert into {other} values (1)")
    cursor.execute(f"truncate {table}")
    cursor.execute("rollback")
    assert rows(cursor, f"select count(*) from {table}") == [[0]]
    assert rows(cursor, f"select count(*) from {other}") == [[1]]


def views_are_made_and_refreshed(subject: Subject) -> None:
    """CREATE VIEW with no schema binding; CREATE, REFRESH and DROP MATERIALIZED VIEW."""
    table = subject.table("a int", "(1), (1), (2)")
    cursor = subject.cursor()
    late, plain, auto = f"{table}_late", f"{table}_plain", f"{table}_auto"
    cursor.execute(f"create view {late} as select a from public.{table} with no schema binding")
    cursor.execute(f"create materialized view {plain} as select a, count(*) as n from {table} group by a")
    cursor.execute(f"create materialized view {auto} auto refresh yes as select count(*) as n from {table}")
    cursor.execute(f"insert into {table} values (2)")
    assert rows(cursor, f"select count(*) from {late}") == [[4]]
    assert rows(cursor, f"select n from {plain} where a = 2") == [[1]]
    cursor.execute(f"refresh materialized view {plain}")
    cursor.execute(f"refresh materialized view {auto}")
    assert rows(cursor, f"select n from {plain} where a = 2") == [[2]]
    assert rows(cursor, f"select n from {auto}") == [[4]]
    cursor.execute(f"drop materialized view {auto}")
    cursor.execute(f"drop materialized view if exists {plain}")


def a_loader_takes_the_first_of_each(subject: Subject) -> None:
    """A loader's statements: LOCK, a stage, the earliest by a window function, an anti-join, DELETE USING."""
    table = subject.table("id varchar(9), at timestamp", "('a', '2026-01-01')")
    cursor = subject.cursor(autocommit=False)
    cursor.execute(f"lock {table}")
    cursor.execute(f"create temp table stage (like {table})")
    for identity, at in (("a", "2026-01-02"), ("b", "2026-01-03"), ("b", "2026-01-01")):
        cursor.execute("insert into stage values (%s, %s)", (identity, dt.datetime.fromisoformat(at)))
    cursor.execute(f"delete from stage using {table} where stage.id = {table}.id")
    assert cursor.rowcount == 1
    cursor.execute(
        f"insert into {table} select id, at from (select s.id, s.at, row_number() over (partition by s.id"
        f" order by s.at) as place from stage s where not exists (select 1 from {table} t where t.id = s.id)) as ranked"
        " where place = %s",
        (1,),
    )
    cursor.execute("commit")
    told = [["a", dt.datetime(2026, 1, 1)], ["b", dt.datetime(2026, 1, 1)]]
    assert rows(cursor, f"select id, at from {table} order by id") == told


CASES: Sequence[Case] = (
    Case(page=f"{_TYPES}: Storage and ranges; Significance of trailing blanks", check=lengths_count_bytes),
    Case(page="Database Developer Guide, AVG function, SUM function: Data types", check=integers_average_to_integers),
    Case(page="Database Developer Guide, PERCENTILE_CONT, MEDIAN", check=medians_and_percentiles_interpolate),
    Case(page="Database Developer Guide, LISTAGG function", check=lists_are_aggregated_in_order),
    Case(page="Database Developer Guide, RATIO_TO_REPORT window function", check=a_ratio_is_to_the_window),
    Case(page="Database Developer Guide, QUALIFY clause", check=qualify_filters_windows),
    Case(page="Database Developer Guide, SELECT list: TOP", check=top_limits),
    Case(page=f"{_SUPER}: Navigation, Dynamic typing, Lax semantics", check=semistructured_values_are_navigated),
    Case(page=f"{_SUPER}: Unnesting queries", check=arrays_are_unnested),
    Case(page=_MERGE, check=a_merge_updates_and_inserts),
    Case(page=f"{_MERGE}: REMOVE DUPLICATES", check=a_simplified_merge_replaces),
    Case(page=_KEYS, check=keys_are_not_enforced),
    Case(page="Database Developer Guide, CREATE TABLE", check=a_table_takes_redshifts_attributes),
    Case(page="Database Developer Guide, ALTER TABLE", check=a_table_is_altered),
    Case(page="Database Developer Guide, ALTER TABLE APPEND", check=rows_are_appended_by_moving),
    Case(page="Database Developer Guide, TRUNCATE: Usage notes", check=a_truncate_commits),
    Case(page="Database Developer Guide, CREATE VIEW, CREATE MATERIALIZED VIEW", check=views_are_made_and_refreshed),
    Case(page="Database Developer Guide, LOCK, INSERT, DELETE", check=a_loader_takes_the_first_of_each),
)
