import datetime as dt
from pathlib import Path

import msgspec
import polars as pl
import pytest

from producers.replay.export import read_export
from producers.replay.mapping import Csv, Mapping
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def frame(**changed: pl.Series) -> pl.DataFrame:
    rows = {
        "No": ["1", "1"],
        "Code": ["TEA", "MUG"],
        "Qty": [1, 2],
        "Price": [2.55, 3.39],
        "When": [dt.datetime(2010, 12, 1, 8), dt.datetime(2010, 12, 1, 8)],
        "Who": ["7", None],
        "Where": ["EIRE", "EIRE"],
    }
    return pl.DataFrame({**rows, **changed})


def read(tmp_path: Path, mapping: Mapping, **changed: pl.Series) -> pl.DataFrame:
    frame(**changed).write_parquet(tmp_path / "export.parquet")
    return read_export(tmp_path / "export.parquet", mapping)


def test_csv_and_parquet_read_alike(tmp_path: Path, export: Path, mapping: Mapping) -> None:
    from_csv = read_export(export, mapping)
    parquet = pl.read_csv(export, schema_overrides={"No": pl.String}, null_values="").with_columns(
        pl.col("When").str.to_datetime("%Y-%m-%d %H:%M")
    )
    parquet.write_parquet(tmp_path / "export.parquet")
    assert read_export(tmp_path / "export.parquet", mapping).equals(from_csv)
    assert from_csv.height == 7


@pytest.mark.parametrize(
    "prices",
    [
        pl.Series(["2.55", " 3.39 "]),
        pl.Series([2.55, 3.39]),
        pl.Series([2.55, 3.39], dtype=pl.Float32),
        pl.Series([2.55, 3.39], dtype=pl.Decimal(9, 2)),
    ],
    ids=lambda prices: str(prices.dtype),
)
def test_prices_keep_the_digits_that_were_typed(tmp_path: Path, mapping: Mapping, prices: pl.Series) -> None:
    assert read(tmp_path, mapping, Price=prices)["unit_price"].to_list() == ["2.55", "3.39"]


def test_a_name_with_the_characters_of_a_pattern_is_a_name(export: Path, mapping: Mapping) -> None:
    assert read_export(export.rename(export.with_name("export[1].csv")), mapping).height == 7
    frame().write_parquet(file := export.with_name("export*.parquet"))
    assert read_export(file, mapping).height == 2


def test_codes_that_a_spreadsheet_made_numbers_are_codes_again(tmp_path: Path, mapping: Mapping) -> None:
    rows = read(tmp_path, mapping, Who=pl.Series([17850.0, None]), No=pl.Series([536365, 536365]))
    assert rows["customer"].to_list() == ["17850", None]
    assert rows["invoice"].to_list() == ["536365", "536365"]


def test_an_empty_customer_is_a_guest(tmp_path: Path, mapping: Mapping) -> None:
    assert read(tmp_path, mapping, Who=pl.Series(["", None]))["customer"].to_list() == [None, None]


def test_times_with_a_zone_become_utc(tmp_path: Path, mapping: Mapping) -> None:
    when = frame()["When"].dt.replace_time_zone("America/New_York")
    assert read(tmp_path, mapping, When=when)["time"][0] == dt.datetime(2010, 12, 1, 13, tzinfo=dt.UTC)


def test_each_time_may_be_in_any_of_the_formats(tmp_path: Path, mapping: Mapping) -> None:
    when = pl.Series(["13/12/2010 8:26", "2010-12-01 08:26"])
    assert read(tmp_path, mapping, When=when)["time"].dt.day().to_list() == [13, 1]


def test_separator_and_encoding_are_the_mappings(tmp_path: Path, mapping: Mapping) -> None:
    mapping = msgspec.structs.replace(mapping, csv=Csv(separator=";", encoding="latin-1"))
    path = tmp_path / "export.csv"
    path.write_bytes("No;Code;Qty;Price;When;Who;Where\n1;THÉ;1;1;2010-12-01 08:26;;\n".encode("latin-1"))
    assert read_export(path, mapping)["sku"].to_list() == ["THÉ"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Price,", "Cost,", "no column 'Price' (the mapping's unit_price); it has No, Code, Qty, Cost, When"),
        ("TEA,6", "TEA,six", "row 1: Qty 'six' is no whole number"),
        ("MUG,1", "MUG,1.5", "row 2: Qty '1.5' is no whole number"),
        ("3.39", "3.39 GBP", "row 2: Price '3.39 GBP' is no number such as 2.55"),
        ("3.39", "nan", "row 2: Price 'nan' is no number"),
        ("3.39", "", "row 2: Price None is no number"),
        ("3.39", "1e400", "row 2: Price '1e400' is no number such as 2.55"),
        ("2011-08-12 14:50", "0001-08-12 14:50", "row 7: When datetime.datetime(1, 8, 12, 14, 50) is not in the years"),
        ("2011-08-12 14:50", "soon", "row 7: When 'soon' is no time written as %Y-%m-%d %H:%M or %d/%m/%Y"),
        ("C3,TEA", ",TEA", "row 4: No None is empty"),
        ("2,TEA,2", "2,,2", "row 3: Code None is empty"),
        ("2.55", "much", "row 1: Price 'much' is no number such as 2.55 (4 such rows)"),
        ("MUG,1", "MUG,1,1", "not readable: found more fields"),
    ],
)
def test_a_broken_export_is_one_line_that_names_file_row_and_fault(
    export: Path, mapping: Mapping, old: str, new: str, message: str
) -> None:
    export.write_text(export.read_text().replace(old, new))
    refused(export, mapping, message)


def refused(export: Path, mapping: Mapping, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_export(export, mapping)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{export}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("export.parquet", b"PAR1 and then nothing", "not readable"),
        ("export.csv", b"", "not readable: empty CSV"),
        ("export.csv", b"No,Code\n1,\xff\xfe\n", "no column 'Qty'"),
        (
            "export.csv",
            b"No,Code,Qty,Price,When,Who,Where\n1,\xff,1,1,2010-12-01 08:26,,\n",
            "not readable: invalid utf",
        ),
        ("export.xlsx", b"PK", "ends neither in .parquet nor in .csv"),
    ],
)
def test_a_file_that_is_no_export_is_one_line(
    tmp_path: Path, mapping: Mapping, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, mapping, message)


def test_an_export_that_is_not_there_is_one_line(tmp_path: Path, mapping: Mapping) -> None:
    for name in ("gone.csv", "gone.parquet"):
        refused(tmp_path / name, mapping, "not readable: ")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.Series("When", [1, 2]), "column 'When' holds Int64, not times"),
        (pl.Series("When", [dt.date(9999, 12, 31)] * 2), "row 1: When datetime.date(9999, 12, 31) is not in the years"),
        (pl.Series("When", [dt.time(8)] * 2), "export.parquet: "),
        (pl.Series("Qty", [1.0, 1.5]), "row 2: Qty 1.5 is no whole number"),
        (pl.Series("Price", [1.0, float("inf")]), "row 2: Price inf is no number"),
        (pl.Series("Price", [[1], [2]]), "export.parquet: "),
    ],
)
def test_a_parquet_column_of_the_wrong_type_is_one_line(
    tmp_path: Path, mapping: Mapping, column: pl.Series, message: str
) -> None:
    frame(**{column.name: column}).write_parquet(tmp_path / "export.parquet")
    refused(tmp_path / "export.parquet", mapping, message)
