import pytest

from infra.local.redshift.errors import SqlError
from infra.local.redshift.statements import Copy, Plain, Unload, Unsupported, translated

pytestmark = pytest.mark.unit


def sql_of(statement: str) -> str:
    found = translated(statement)
    assert isinstance(found, Plain)
    return found.sql


@pytest.mark.parametrize(
    ("redshift", "postgres"),
    [
        ("select A, \"B\" from S.T", 'SELECT "a", "b" FROM "s"."t"'),
        ("select $1::int, $2", "SELECT CAST($1 AS INT), $2"),
        ("select top 3 a from t", 'SELECT "a" FROM "t" LIMIT 3'),
        ("select nvl(a, b) from t", 'SELECT coalesce("a", "b") FROM "t"'),
        ("select a || b, a / b from t", 'SELECT "a" || "b", "a" / "b" FROM "t"'),
        ("select f.p.a[0] from t f", """SELECT rs.at(rs.at("f"."p", 'a'), 0) FROM "t" AS "f\""""),
        ("select sysdate, getdate()", "SELECT rs.sysdate(), rs.getdate()"),
        ("select dateadd(mons, 1, d) from t", """SELECT rs.dateadd('month', 1, "d") FROM "t\""""),
        ("insert into t values (1, default)", 'INSERT INTO "t" VALUES (1, DEFAULT)'),
        ("update t set a = default, p = json_parse($1)", 'UPDATE "t" SET "a" = DEFAULT, "p" = rs.json_parse($1)'),
        ("delete from t using u where t.a = u.a", 'DELETE FROM "t" USING "u" WHERE "t"."a" = "u"."a"'),
        ("lock a, s.b", 'LOCK TABLE "a", "s"."b" IN ACCESS EXCLUSIVE MODE'),
        ("begin transaction isolation level serializable", "BEGIN"),
        ("end", "COMMIT"),
        ("abort", "ROLLBACK"),
        ("create temp table x (like y including defaults)", 'CREATE TEMPORARY TABLE "x" (LIKE "y" INCLUDING DEFAULTS)'),
        ("create table #x (a text)", 'CREATE TEMPORARY TABLE "#x" ("a" varchar(256))'),
        ("create table x (a varchar(max), c decimal)", 'CREATE TABLE "x" ("a" varchar(65535), "c" numeric(18, 0))'),
        ("execute P (nvl($1, 2), 'x')", "EXECUTE \"p\" (coalesce($1, 2), 'x')"),
        ("deallocate prepare P", 'DEALLOCATE "p"'),
        ("grant select, insert on T to group g", 'GRANT SELECT , INSERT ON TABLE "t" TO "g"'),
        ("select 1 from d.s.t where d.s.t.a = 1", 'SELECT 1 FROM "d"."s"."t" WHERE "d"."s"."t"."a" = 1'),
        ("select 1 from pg_class c, generate_series(1, 2) g", "select 1 from pg_class c, generate_series(1, 2) g"),
        ("set query_group to 'x'", "SET rs.query_group TO 'x'"),
        ("select 1 from pg_class where relname = 'a\\\\_b'", "select 1 from pg_class where relname = E'a\\\\_b'"),
    ],
)  # fmt: skip
def test_a_statement_becomes_postgresqls(redshift: str, postgres: str) -> None:
    assert sql_of(redshift) == postgres


def test_rows_of_parameters_keep_their_places() -> None:
    rows = ", ".join(f"(${2 * row + 1},${2 * row + 2})" for row in range(5_000))
    assert sql_of(f"INSERT INTO My.Table (A, B) VALUES {rows};") == f'INSERT INTO "my"."table" ("a", "b") VALUES {rows}'


def test_what_runs_outside_a_block_and_what_commits_is_said() -> None:
    vacuum, truncate = translated("vacuum full t to 99 percent"), translated("truncate table t")
    assert isinstance(vacuum, Plain)
    assert vacuum.outside_block == "VACUUM"
    assert isinstance(truncate, Plain)
    assert truncate.commits


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("select frobnicate(1)", "frobnicate"),
        ("select a->>'b' from t", "->>"),
        ("select pg_advisory_lock(1)", "pg_advisory_lock"),
        ("create extension x", "CREATE EXTENSION"),
        ("create function f() returns int", "CREATE FUNCTION"),
        ("call p()", "CALL"),
        ("set enable_case_sensitive_identifier to true", "enable_case_sensitive_identifier"),
        ("select x::xml from t", "XML"),
        ("select * from t pivot (sum(a) for b in (1, 2))", "PIVOT"),
        ("with x as (delete from t) select 1", "WITH"),
        ("select a from t where a = 1 for share", "FOR SHARE"),
        ("copy t from 's3://b/k' iam_role default fixedwidth '0:3'", "FIXEDWIDTH"),
        ("copy t from 's3://b/k' iam_role default format as orc", "ORC"),
        ("copy t from 'dynamodb://x' iam_role default", "s3://"),
        ("analyze compression t", "ANALYZE COMPRESSION"),
        ("grant 'select on t to public; drop table t; grant select' on t to public", "GRANT"),
        ('grant "select on t to x; --" on t to public', "GRANT"),
        ("execute p (lo_import('/etc/passwd'))", "lo_import"),
        ("execute p (1, pg_read_file('/etc/passwd'))", "pg_read_file"),
        ("select * from pg_class c, t where t.a = now()", "Redshift tables"),
        ("select now() from pg_class, t", "Redshift tables"),
        ("select string_agg(t.b, ',') from pg_class c join pg_namespace n on true, t", "string_agg"),
        ("with x as (delete from t returning a) select * from x, pg_class", "WITH"),
        ("select substring(b from 'o.b') from t", "SUBSTRING"),
    ],
)
def test_what_is_not_translated_is_named(statement: str, named: str) -> None:
    with pytest.raises(Unsupported) as failure:
        translated(statement)
    assert named in failure.value.message
    assert failure.value.sqlstate == "0A000"


@pytest.mark.parametrize("statement", ["selec 1", "select 1 from", "select 1; select 2", "drop table", "copy t", "))"])
def test_nonsense_is_a_syntax_error(statement: str) -> None:
    with pytest.raises(SqlError) as failure:
        translated(statement)
    assert failure.value.sqlstate == "42601"


@pytest.mark.parametrize("name", ["ctid", "xmin", "t.tableoid"])
def test_columns_that_only_postgresql_has_do_not_exist(name: str) -> None:
    with pytest.raises(SqlError) as failure:
        translated(f"select {name} from t")
    assert failure.value.sqlstate == "42703"


def test_an_empty_statement_is_empty() -> None:
    assert translated(" -- nothing\n") == Plain(sql="")


@pytest.mark.parametrize("head", ["copy t from 's3://b/k'", "unload ('select 1') to 's3://b/k'"])
@pytest.mark.parametrize(
    "keys",
    [
        "credentials 'aws_access_key_id=AKIAX;aws_secret_access_key=hush'",
        "access_key_id 'AKIAX' secret_access_key 'hush' session_token 'hush'",
        "access_key_id 'AKIAX' secret_access_key 'hush' sesion 'hush'",
    ],
)
def test_keys_in_a_statement_go_nowhere(head: str, keys: str) -> None:
    try:
        said = repr(translated(f"{head} {keys} csv"))
    except SqlError as error:
        said = repr((error, error.message, error.detail, error.hint))
    assert "hush" not in said
    assert "AKIAX" not in said


def test_a_copy_and_an_unload_are_read() -> None:
    copy = translated("COPY S.T (A, B) FROM 's3://b/k/x' IAM_ROLE default FORMAT AS PARQUET MANIFEST")
    assert copy == Copy(table=("s", "t"), columns=("a", "b"), bucket="b", key="k/x", manifest=True, format="parquet")
    unload = translated("unload ('select ''x'' as a from t') to 's3://b/k/' iam_role default parquet partition by (a)")
    assert isinstance(unload, Unload)
    assert unload.sql == """SELECT 'x' AS "a" FROM "t\""""
    assert unload.partition_by == ("a",)
