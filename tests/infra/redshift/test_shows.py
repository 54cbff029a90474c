import pytest

from infra.local.redshift.shows import query

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("sql", "called"),
    [
        ("SHOW DATABASES;", "show_databases(null)"),
        ("show databases like 'd%'", "show_databases('d%')"),
        ("SHOW SCHEMAS FROM DATABASE $1 LIKE $2;", "show_schemas($1, $2)"),
        ("show tables from schema dev.public", "show_tables('dev', 'public', null)"),
        ("show tables from schema public like 'a''b%'", "show_tables(null, 'public', 'a''b%')"),
        ("SHOW COLUMNS FROM TABLE $1.$2.$3 LIKE $4", "show_columns($1, $2, $3, $4)"),
        ('show columns from table "Od""d\'s"', "show_columns(null, null, 'od\"d''s', null)"),
        ("show constraints primary keys from table a.b.c", "show_primary_keys('a', 'b', 'c', null)"),
        ("SHOW CONSTRAINTS FOREIGN KEYS EXPORTED FROM TABLE $1.$2.$3;", "show_exported_keys($1, $2, $3, null)"),
        ("SHOW COLUMN GRANTS ON TABLE t", "show_column_grants(null, null, 't', null)"),
    ],
)
def test_a_show_of_the_catalogue_is_a_query(sql: str, called: str) -> None:
    assert query(sql) == f"select * from pg_catalog.{called}"


@pytest.mark.parametrize(
    "sql",
    ["select 1", "show search_path", "show tables from schema a.b.c", "show databases; drop table x", "showing", ""],
)
def test_anything_else_is_not(sql: str) -> None:
    assert query(sql) is None
