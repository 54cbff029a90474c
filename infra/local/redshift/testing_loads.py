"""What holds for Redshift's COPY and UNLOAD, told to Amazon's driver; it could be run on AWS. (A list, so long.)"""

import datetime as dt
import gzip
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from infra.local.redshift.subject import Case, Storage, Subject, refused, rows

_COPY = "Database Developer Guide, COPY"
_COLUMNAR = "Database Developer Guide, COPY from columnar data formats"
_MANIFEST = "Database Developer Guide, Using a manifest to specify data files"
_CONVERSION = "Database Developer Guide, Data conversion parameters"
_JSON = "Database Developer Guide, COPY from JSON format"
_UNLOAD = "Database Developer Guide, UNLOAD"


def _storage(subject: Subject) -> Storage:
    assert subject.storage, "these cases need a bucket"
    return subject.storage


def _put(subject: Subject, key: str, data: bytes) -> str:
    """Store an object; returns FROM and its authorization."""
    storage = _storage(subject)
    storage.client.put_object(Bucket=storage.bucket, Key=key, Body=data)
    return _place(subject, key)


def _place(subject: Subject, key: str) -> str:
    storage = _storage(subject)
    return f"'s3://{storage.bucket}/{key}' iam_role '{storage.iam_role}'"


def _parquet(columns: dict[str, Any], row_group_size: int | None = None) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, row_group_size=row_group_size)
    return out.getvalue()


def _keys(subject: Subject, prefix: str) -> list[str]:
    storage = _storage(subject)
    found = storage.client.list_objects_v2(Bucket=storage.bucket, Prefix=prefix).get("Contents", ())
    return [item["Key"] for item in found]


def _get(subject: Subject, key: str) -> bytes:
    storage = _storage(subject)
    data: bytes = storage.client.get_object(Bucket=storage.bucket, Key=key)["Body"].read()
    return data


def parquet_loads_every_type(subject: Subject) -> None:
    """Values come as they are; times with a zone as their UTC; columns by their order, whatever their names."""
    moment = dt.datetime(2026, 11, 1, 2, 3, 4, 567890)
    columns = {
        "one": pa.array([1, None], pa.int64()),
        "two": pa.array([2, None], pa.int32()),
        "three": pa.array([3, None], pa.int16()),
        "four": ['käse\n"€",\\N', None],
        "five": pa.array([moment.replace(tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
        "six": pa.array([moment.date(), None]),
        "seven": pa.array([True, None]),
        "eight": pa.array([Decimal("-1.50"), None], pa.decimal128(12, 2)),
        "nine": pa.array([1.1, None], pa.float64()),
        "ten": pa.array([0.5, None], pa.float32()),
        "eleven": ["", None],
    }
    table = subject.table(
        "a bigint, b int, c smallint, d varchar(40), e timestamp, f date, g bool, h decimal(12,2), i float8, j real,"
        " k varchar(1)"
    )
    cursor = subject.cursor()
    cursor.execute(f"copy {table} from {_put(subject, f'{table}/1.parquet', _parquet(columns))} format as parquet")
    row = [1, 2, 3, 'käse\n"€",\\N', moment, moment.date(), True, Decimal("-1.50"), 1.1, 0.5, ""]
    assert rows(cursor, f"select * from {table} order by a nulls last") == [row, [None] * len(row)]
    assert rows(cursor, "select pg_last_copy_count()") == [[2]]


def parquet_has_to_fit(subject: Subject) -> None:
    """Count of columns, types, lengths in bytes, NOT NULL: the first error fails the command, nothing is loaded."""
    cursor = subject.cursor()
    table = subject.table("a bigint not null, b varchar(4)")
    unfit: list[tuple[dict[str, Any], str, str]] = [
        ({"a": [1]}, "XX000", "Unmatched number of columns"),
        ({"a": [1], "b": ["x"], "c": [1]}, "XX000", "Unmatched number of columns"),
        ({"a": pa.array([1], pa.int32()), "b": ["x"]}, "XX000", "incompatible Parquet schema"),
        ({"a": ["1"], "b": ["x"]}, "XX000", "incompatible Parquet schema"),
        ({"a": [1, 2], "b": ["x", "äöü"]}, "XX000", "longer than the length defined in the table"),
        ({"a": [1, None], "b": ["x", "y"]}, "23502", "NULL value into column a"),
    ]
    for number, (columns, sqlstate, told) in enumerate(unfit):
        source = _put(subject, f"{table}/{number}/1.parquet", _parquet(columns))
        failure = refused(sqlstate, cursor, f"copy {table} from {source} parquet")
        assert told in failure["M"] + failure.get("D", ""), failure
    source = _put(subject, f"{table}/x/1.parquet", b"PAR1 is all there is")
    refused("XX000", cursor, f"copy {table} from {source} parquet")
    assert rows(cursor, f"select count(*) from {table}") == [[0]]


def parquet_takes_few_parameters(subject: Subject) -> None:
    """ "Only the following COPY parameters are supported"; MAXERROR is not."""
    table = subject.table("a bigint")
    cursor = subject.cursor()
    source = _put(subject, f"{table}/1.parquet", _parquet({"a": [1]}))
    for parameter in ("maxerror 5", "delimiter ','", "gzip", "ignoreheader 1", "truncatecolumns", "region 'eu-west-2'"):
        refused("0A000", cursor, f"copy {table} from {source} parquet {parameter}")
    cursor.execute(f"copy {table} from {source} parquet statupdate off")
    columns = subject.table("a bigint, b int default 7, c varchar(3)")
    cursor.execute(f"copy {columns} (a) from {source} parquet")
    assert rows(cursor, f"select a, b, c from {columns}") == [[1, 7, None]]
    cursor.execute(f"copy {columns} from {source} parquet fillrecord")
    assert rows(cursor, f"select a, b, c from {columns} where b is null") == [[1, None, None]]


def nested_parquet_is_serialized(subject: Subject) -> None:
    """SERIALIZETOJSON: structs and lists into SUPER."""
    table = subject.table("a bigint, b super")
    cursor = subject.cursor()
    source = _put(subject, f"{table}/1.parquet", _parquet({"a": [1], "b": [[{"x": "é", "y": [1, None]}]]}))
    refused("XX000", cursor, f"copy {table} from {source} parquet")
    cursor.execute(f"copy {table} from {source} parquet serializetojson")
    assert rows(cursor, f"select t.b[0].x::varchar, t.b[0].y[0]::int from {table} t") == [["é", 1]]


def a_manifest_names_what_is_loaded(subject: Subject) -> None:
    """Only what it lists; a mandatory file has to be there; Parquet needs meta.content_length, and the right one."""
    storage, cursor = _storage(subject), subject.cursor()
    table = subject.table("a bigint")
    data = _parquet({"a": [1, 2]})
    for name in ("1", "2", "other"):
        _put(subject, f"{table}/{name}.parquet", data)
    urls = [f"s3://{storage.bucket}/{table}/{name}.parquet" for name in ("1", "2", "gone")]

    def load(*entries: dict[str, Any], refused_with: str = "") -> None:
        source = _put(subject, f"{table}/manifest", json.dumps({"entries": entries}).encode())
        statement = f"copy {table} from {source} format parquet manifest"
        if refused_with:
            assert refused_with in refused("XX000", cursor, statement)["M"]
        else:
            cursor.execute(statement)

    meta = {"meta": {"content_length": len(data)}}
    load({"url": urls[0], **meta}, {"url": urls[1], "mandatory": True, **meta}, {"url": urls[2], **meta})
    assert rows(cursor, f"select count(*), sum(a) from {table}") == [[4, 6]]
    load({"url": urls[0], **meta}, {"url": urls[2], "mandatory": True, **meta}, refused_with="does not exist")
    load({"url": urls[0], "mandatory": True}, refused_with="content_length")
    load({"url": urls[0], "meta": {"content_length": len(data) + 1}}, refused_with="content_length")
    load({"url": urls[2], **meta}, refused_with="does not exist")
    load({"file": urls[0]}, refused_with="json format")
    place = _place(subject, f"{table}/none")
    refused("XX000", cursor, f"copy {table} from {place} format parquet manifest")
    refused("XX000", cursor, f"copy {table} from {place} format parquet")
    assert rows(cursor, f"select count(*) from {table}") == [[4]]


def csv_loads_with_its_options(subject: Subject) -> None:
    """CSV, GZIP, IGNOREHEADER, DELIMITER, NULL AS, DATEFORMAT, TIMEFORMAT, column lists; quotes and newlines."""
    table = subject.table(
        "a int, b varchar(20), c date, d timestamp, e decimal(6,2), f boolean, g varchar(9) default 'g'"
    )
    cursor = subject.cursor()
    text = 'a;b;c;d;e;f\n1;"x ""y"";\nz";31/12/2026;2026-11-01 02:03:04.5;20.259;yes\n2;;;;;\n3;nil;nil;nil;nil;nil\n'
    source = _put(subject, f"{table}/1.csv.gz", gzip.compress(text.encode()))
    cursor.execute(
        f"copy {table} (a, b, c, d, e, f) from {source} csv gzip ignoreheader 1 delimiter ';' null as 'nil'"
        " dateformat 'DD/MM/YYYY' compupdate off"
    )
    first = [1, 'x "y";\nz', dt.date(2026, 12, 31), dt.datetime(2026, 11, 1, 2, 3, 4, 500000), Decimal("20.25"), True]
    assert rows(cursor, f"select * from {table} order by a") == [
        [*first, "g"],
        [2, "", None, None, None, None, "g"],
        [3, None, None, None, None, None, "g"],
    ]
    source = _put(subject, f"{table}/2.csv", b"1735689600123,20.259\n")
    cursor.execute(f"copy {table} (d, e) from {source} csv timeformat 'epochmillisecs' roundec")
    told = [[dt.datetime(2025, 1, 1, 0, 0, 0, 123000), Decimal("20.26")]]
    assert rows(cursor, f"select d, e from {table} where a is null") == told


def delimited_text_is_the_default(subject: Subject) -> None:
    """The pipe, \\N, ESCAPE, REMOVEQUOTES, BLANKSASNULL, EMPTYASNULL, FILLRECORD."""
    table = subject.table("a int, b varchar(20), c varchar(20)")
    cursor = subject.cursor()
    source = _put(subject, f"{table}/1", b"1|x|\n2|\\N|y\n\n")
    cursor.execute(f"copy {table} from {source} ignoreblanklines")
    assert rows(cursor, f"select * from {table} order by a") == [[1, "x", ""], [2, None, "y"]]
    source = _put(subject, f"{table}/2", b"3|a\\|b\\\nc|'q|r'\n4|  |\n5\n")
    cursor.execute(f"copy {table} from {source} escape removequotes blanksasnull emptyasnull fillrecord")
    told = [[3, "a|b\nc", "q|r"], [4, None, None], [5, None, None]]
    assert rows(cursor, f"select * from {table} where a > 2 order by a") == told


def faulty_rows_are_counted_and_told(subject: Subject) -> None:
    """MAXERROR: fewer errors than that are passed over; that many fail the load."""
    table = subject.table("a int not null, b varchar(3)")
    cursor = subject.cursor()
    source = _put(subject, f"{table}/1", b"1,abc\nx,abc\n2,abcd\n3\n4,a,b\n,a\n5,abc\n99999999999,a\n")
    refused("XX000", cursor, f"copy {table} from {source} csv maxerror 6")
    assert rows(cursor, f"select count(*) from {table}") == [[0]]
    asked = "line_number, trim(colname), trim(raw_field_value), trim(err_reason)"
    found = rows(cursor, f"select {asked} from stl_load_errors where query = pg_last_copy_id() order by line_number")
    assert [row[:3] for row in found] == [
        [2, "a", "x"],
        [3, "b", "abcd"],
        [4, "", ""],
        [5, "", ""],
        [6, "a", ""],
        [8, "a", "99999999999"],
    ]
    assert found[0][3] == "Invalid digit, Value 'x', Pos 0, Type: Integer"
    assert found[1][3] == "String length exceeds DDL length"
    assert [row[3] for row in found[2:5]] == [
        "Delimiter not found",
        "Extra column(s) found",
        "Missing data for not-null field",
    ]
    cursor.execute(f"copy {table} from {source} csv maxerror 7")
    assert rows(cursor, f"select a from {table} order by a") == [[1], [5]]


def invalid_characters_are_refused_or_replaced(subject: Subject) -> None:
    """ACCEPTINVCHARS, TRUNCATECOLUMNS."""
    table = subject.table("a varchar(4)")
    cursor = subject.cursor()
    source = _put(subject, f"{table}/1", b"a\xe4b\n")
    refused("XX000", cursor, f"copy {table} from {source} csv")
    cursor.execute(f"copy {table} from {source} csv acceptinvchars '^'")
    long = _put(subject, f"{table}/2", "äää\n".encode())
    cursor.execute(f"copy {table} from {long} csv truncatecolumns")
    assert rows(cursor, f"select a from {table} order by a") == [["a^b"], ["ää"]]


def json_loads_by_name_or_path(subject: Subject) -> None:
    """'auto', 'auto ignorecase', a jsonpaths file, 'noshred'; objects and arrays are loaded as text."""
    table = subject.table("id bigint, name varchar(20), tags varchar(40), price decimal(8,3), doc super")
    cursor = subject.cursor()
    one = '{"id": 1, "name": "a\\nb", "tags": ["x", {"y": 1}], "price": 1.005, "doc": {"k": "v"}, "more": 1}'
    source = _put(subject, f"{table}/1.json", f'{one}\n{{\n "id": 2\n}} {{"id": 3, "NAME": "N"}}\n'.encode())
    cursor.execute(f"copy {table} from {source} json 'auto'")
    told = f"select id, name, tags, price from {table} order by id"
    first = [1, "a\nb", '["x",{"y":1}]', Decimal("1.005")]
    assert rows(cursor, told) == [first, [2, None, None, None], [3, None, None, None]]
    assert rows(cursor, f"select t.doc.k from {table} t where id = 1") == [['"v"']]
    cursor.execute(f"delete from {table}")
    cursor.execute(f"copy {table} from {source} format json as 'auto ignorecase'")
    assert rows(cursor, f"select name from {table} where id = 3") == [["N"]]
    paths = json.dumps({"jsonpaths": ["$.id", "$['tags'][1]['y']"]}).encode()
    _put(subject, f"{table}/paths.json", paths)
    cursor.execute(f"delete from {table}")
    cursor.execute(f"copy {table} (id, name) from {source} json 's3://{_storage(subject).bucket}/{table}/paths.json'")
    assert rows(cursor, f"select id, name from {table} order by id") == [[1, "1"], [2, None], [3, None]]
    broken = _put(subject, f"{table}/2.json", b'{"id": 1}\n{"id": \n')
    refused("XX000", cursor, f"copy {table} from {broken} json 'auto'")


def identity_columns_fill_themselves(subject: Subject) -> None:
    """Column mapping options, EXPLICIT_IDS."""
    table = subject.table("id bigint identity(1,1), v varchar(3)")
    cursor = subject.cursor()
    source = _put(subject, f"{table}/1", b"a\n")
    cursor.execute(f"copy {table} from {source} csv")
    refused("0A000", cursor, f"copy {table} (id, v) from {source} csv")
    explicit = _put(subject, f"{table}/2", b"77,b\n")
    cursor.execute(f"copy {table} from {explicit} csv explicit_ids")
    assert rows(cursor, f"select v from {table} order by v") == [["a"], ["b"]]
    assert rows(cursor, f"select id from {table} where v = 'b'") == [[77]]


def a_copy_needs_an_authorization(subject: Subject) -> None:
    """Authorization parameters."""
    table = subject.table("a int")
    cursor = subject.cursor()
    refused("42601", cursor, f"copy {table} from 's3://{_storage(subject).bucket}/x' csv")


_TYPED = "(1, 'käse', 1.50, true, '2026-11-01', '2026-11-01 02:03:04.5', 0.1), (2, null, null, null, null, null, null)"
_TYPES = "a int, b varchar(9), c decimal(8,2), d boolean, e date, f timestamp, g float8"


def parquet_is_unloaded_with_its_types(subject: Subject) -> None:
    """FORMAT PARQUET; MANIFEST; loading it again gives the same table."""
    table, again = subject.table(_TYPES, _TYPED), subject.table(_TYPES)
    cursor = subject.cursor()
    cursor.execute(f"unload ('select * from {table} order by a') to {_place(subject, f'{table}/p_')} parquet manifest")
    keys = _keys(subject, f"{table}/p_")
    (file,) = [key for key in keys if key.endswith(".parquet")]
    found = pq.read_table(io.BytesIO(_get(subject, file)))
    types = [pa.int32(), pa.string(), pa.decimal128(8, 2), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.float64()]
    assert found.schema.types == types
    manifest = json.loads(_get(subject, f"{table}/p_manifest"))
    (entry,) = manifest["entries"]
    assert entry["meta"]["content_length"] == len(_get(subject, file))
    cursor.execute(f"copy {again} from {_place(subject, f'{table}/p_manifest')} parquet manifest")
    assert rows(cursor, f"select * from {again} order by a") == rows(cursor, f"select * from {table} order by a")


def partitions_are_folders(subject: Subject) -> None:
    """PARTITION BY: hive folders without the column, or with it (INCLUDE)."""
    table = subject.table("a int, b varchar(9)", "(1, 'x'), (2, 'x'), (3, 'y/z'), (4, null)")
    cursor = subject.cursor()
    place = _place(subject, f"{table}/out")
    cursor.execute(f"unload ('select a, b from {table}') to {place} format parquet partition by (b)")
    keys = _keys(subject, f"{table}/out")
    folders = sorted({key.rsplit("/", 1)[0].split("/", 1)[1] for key in keys})
    assert len(folders) == 3
    assert folders[1] == "out/b=x"
    found = pq.ParquetFile(io.BytesIO(_get(subject, next(key for key in keys if "/b=x/" in key)))).read()
    assert sorted(found.to_pylist(), key=lambda row: row["a"]) == [{"a": 1}, {"a": 2}]
    included = _place(subject, f"{table}/inc/")
    cursor.execute(f"unload ('select a, b from {table}') to {included} parquet partition by (b) include")
    one = next(key for key in _keys(subject, f"{table}/inc/") if "/b=x/" in key)
    assert pq.ParquetFile(io.BytesIO(_get(subject, one))).schema_arrow.names == ["a", "b"]


def text_is_unloaded_with_its_options(subject: Subject) -> None:
    """The pipe by default; CSV, HEADER, DELIMITER, NULL AS, ESCAPE, ADDQUOTES, GZIP, JSON, EXTENSION."""
    table = subject.table("a int, b varchar(20), c boolean", "(1, 'x|\"y\",\\nz', true), (2, null, null)")
    cursor = subject.cursor()
    select = f"unload ('select * from {table} order by a') to"

    def unloaded(name: str, options: str) -> bytes:
        cursor.execute(f"{select} {_place(subject, f'{table}/{name}')} {options}")
        (key,) = _keys(subject, f"{table}/{name}")
        assert key.startswith(f"{table}/{name}000")
        return _get(subject, key)

    assert unloaded("text", "escape") == b'1|x\\|"y",\\\nz|t\n2||\n'
    assert unloaded("csv", "csv header null as 'nil'") == b'a,b,c\n1,"x|""y"",\nz",t\n2,nil,nil\n'
    assert unloaded("quoted", "addquotes delimiter ';'").startswith(b'"1";"x|"y"')
    assert gzip.decompress(unloaded("gz", "csv gzip parallel off")).endswith(b"2,,\n")
    lines = unloaded("json", "json extension 'json'").decode().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"a": 1, "b": 'x|"y",\nz', "c": "t"},
        {"a": 2, "b": None, "c": None},
    ]


def an_unload_overwrites_only_when_told(subject: Subject) -> None:
    """ALLOWOVERWRITE, CLEANPATH; LIMIT and FORMAT's exclusions are refused."""
    table = subject.table("a int", "(1)")
    cursor = subject.cursor()
    place = _place(subject, f"{table}/o/")
    _put(subject, f"{table}/o/old", b"")
    statement = f"unload ('select a from {table}') to {place} csv"
    refused("XX000", cursor, statement)
    cursor.execute(f"{statement} allowoverwrite")
    assert len(_keys(subject, f"{table}/o/")) == 2
    cursor.execute(f"{statement} cleanpath")
    assert len(_keys(subject, f"{table}/o/")) == 1
    refused("42601", cursor, f"{statement} cleanpath allowoverwrite")
    refused("0A000", cursor, f"unload ('select a from {table} limit 1') to {place} csv allowoverwrite")
    for option in ("header", "gzip", "delimiter ','", "escape", "null as ''"):
        refused("0A000", cursor, f"unload ('select a from {table}') to {place} parquet allowoverwrite {option}")


CASES: Sequence[Case] = (
    Case(page=_COLUMNAR, check=parquet_loads_every_type),
    Case(page=_COLUMNAR, check=parquet_has_to_fit),
    Case(page=_COLUMNAR, check=parquet_takes_few_parameters),
    Case(page=f"{_COPY}: SERIALIZETOJSON", check=nested_parquet_is_serialized),
    Case(page=f"{_MANIFEST}; {_COPY} from Amazon S3", check=a_manifest_names_what_is_loaded),
    Case(page=f"{_CONVERSION}; Data format parameters", check=csv_loads_with_its_options),
    Case(page=f"{_CONVERSION}: ESCAPE, FILLRECORD, NULL AS", check=delimited_text_is_the_default),
    Case(page="Database Developer Guide, Data load operations: MAXERROR", check=faulty_rows_are_counted_and_told),
    Case(page=f"{_CONVERSION}: ACCEPTINVCHARS, TRUNCATECOLUMNS", check=invalid_characters_are_refused_or_replaced),
    Case(page=_JSON, check=json_loads_by_name_or_path),
    Case(page=f"{_CONVERSION}: EXPLICIT_IDS; Column mapping options", check=identity_columns_fill_themselves),
    Case(page="Database Developer Guide, Authorization parameters", check=a_copy_needs_an_authorization),
    Case(page=f"{_UNLOAD}: FORMAT, MANIFEST", check=parquet_is_unloaded_with_its_types),
    Case(page=f"{_UNLOAD}: PARTITION BY", check=partitions_are_folders),
    Case(page=f"{_UNLOAD}: parameters", check=text_is_unloaded_with_its_options),
    Case(page=f"{_UNLOAD}: ALLOWOVERWRITE, CLEANPATH; Limit clause", check=an_unload_overwrites_only_when_told),
)
