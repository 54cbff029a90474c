from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.redshift.actions import Copy, Text
from infra.local.redshift.data.columns import Column
from infra.local.redshift.data.fields import FieldError, converter

pytestmark = pytest.mark.unit


def convert(value: str, kind: str, *, size: int = 0, text: Text | None = None, **copy: Any) -> str | None:
    column = Column(name="c", type=kind, size=size, precision=10, scale=2)
    return converter(column, Copy(table=("t",), bucket="b", key="k", text=text or Text(), **copy))(value)


@given(st.integers())
def test_a_whole_number_is_kept_or_out_of_range(number: int) -> None:
    for kind, bits in (("smallint", 15), ("integer", 31), ("bigint", 63)):
        if -(1 << bits) <= number < 1 << bits:
            assert convert(str(number), kind) == str(number)
        else:
            with pytest.raises(FieldError):
                convert(str(number), kind)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-99_999_999, max_value=99_999_999))
def test_a_decimal_is_truncated_to_its_scale(number: Decimal) -> None:
    found = convert(str(number), "numeric")
    assert found is not None
    assert Decimal(found) == number.quantize(Decimal("0.01"), rounding=ROUND_DOWN)


@given(st.text().filter(lambda text: "\0" not in text), st.integers(1, 30))
def test_a_text_fits_in_bytes_or_is_refused_or_cut(text: str, size: int) -> None:
    if text == r"\N":
        return
    kept = convert(text, "character varying", size=size, truncate_columns=True)
    assert kept is not None
    assert len(kept.encode()) <= size
    assert text.startswith(kept)
    if len(text.rstrip(" ").encode()) <= size:
        assert convert(text, "character varying", size=size) in (text, kept)
    else:
        with pytest.raises(FieldError) as failure:
            convert(text, "character varying", size=size)
        assert failure.value.code == 1204


@pytest.mark.parametrize("kind", ["integer", "date", "boolean", "numeric", "timestamp without time zone"])
def test_blank_fields_of_other_types_are_null(kind: str) -> None:
    assert convert("", kind) is None
    assert convert("  ", kind) is None
    assert convert(r"\N", kind) is None


@pytest.mark.parametrize(
    ("form", "value", "found"),
    [
        ("YYYY-MM-DD HH:MI:SS", "2026-11-01 02:03:04.123456", "2026-11-01 02:03:04.123456"),
        ("MM/DD/YYYY HH24:MI:SS", "11/01/2026 02:03:04.5", "2026-11-01 02:03:04.500000"),
        ("auto", "2026-11-01T02:03:04Z", "2026-11-01 02:03:04"),
        ("epochsecs", "1793498584", "2026-11-01 02:03:04"),
        ("epochmillisecs", "1793498584001", "2026-11-01 02:03:04.001000"),
    ],
)
def test_times_are_read_by_their_format(form: str, value: str, found: str) -> None:
    assert convert(value, "timestamp without time zone", text=Text(time_format=form)) == found


@pytest.mark.parametrize("value", ["2026-13-01", "yesterday", "2026-11-01x"])
def test_a_wrong_date_is_refused(value: str) -> None:
    with pytest.raises(FieldError) as failure:
        convert(value, "date")
    assert failure.value.code == 1205
