import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.redshift.actions import Copy, Text
from infra.local.redshift.data.columns import Column
from infra.local.redshift.data.records import json_paths, opened_text, records
from infra.local.redshift.errors import SqlError

pytestmark = pytest.mark.unit

FIELDS = st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2))


def read(
    data: bytes, *, columns: tuple[str, ...] = ("a", "b"), expressions: bytes | None = None, **copy: object
) -> list:  # type: ignore[type-arg]
    asked = Copy(table=("t",), bucket="b", key="k", **copy)  # type: ignore[arg-type]
    named = [Column(name=name, type="character varying") for name in columns]
    paths = json_paths(asked, named, expressions) if asked.format == "json" else None
    return list(records(opened_text(io.BytesIO(data), asked), asked, paths))


@given(FIELDS)
def test_what_a_csv_writer_wrote_is_read(rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    found = read(out.getvalue().encode(), text=Text(csv=True, delimiter=","))
    assert [list(record.fields) for record in found] == rows


@given(FIELDS)
def test_what_was_escaped_is_read(rows: list[list[str]]) -> None:
    escapes = str.maketrans({character: "\\" + character for character in "\\|\n\r"})
    data = "".join("|".join(field.translate(escapes) for field in row) + "\n" for row in rows)
    found = read(data.encode(), text=Text(escape=True))
    assert [list(record.fields) for record in found] == rows


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.none() | st.text(st.characters(codec="utf-8"))), max_size=5))
def test_json_values_are_read_wherever_their_lines_end(values: list[dict[str, str | None]]) -> None:
    for indent in (None, 1):
        data = "\n".join(json.dumps(value, indent=indent) for value in values)
        found = read(data.encode(), format="json")
        assert [list(record.fields) for record in found] == [[value.get("a"), value.get("b")] for value in values]


def test_a_broken_json_value_is_one_faulty_record() -> None:
    found = read(b'{"a": "1"}\n{"a": }\n{"a": "2"}\n', format="json")
    assert [(record.line, bool(record.broken)) for record in found] == [(1, False), (2, True), (3, False)]


def test_paths_have_to_be_as_many_as_columns() -> None:
    with pytest.raises(SqlError):
        read(b"{}", format="json", expressions=b'{"jsonpaths": ["$.a"]}')
