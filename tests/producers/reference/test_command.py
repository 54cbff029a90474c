from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from contract.catalogue import products_from_ndjson
from contract.reference import Customer
from producers.reference.command import reference
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

EXPORT = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,TEA,Tea,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
1,POST,POSTAGE,1,2010-12-01 08:26:00,4.95,17850,United Kingdom
1,B,Adjust bad debt,1,2010-12-01 08:26:00,4.95,,United Kingdom
1,FREE,,1,2010-12-01 08:26:00,0,12345,Unspecified
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    return path


def run(export: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(reference, [str(export), "--mapping", "online-retail", "--out", str(out), *options])


def test_catalogue_and_customers_are_written_for_the_others_to_read(export: Path, tmp_path: Path) -> None:
    assert run(export, tmp_path / "out").exit_code == 0
    products = products_from_ndjson((tmp_path / "out" / "catalogue.ndjson").read_bytes())
    assert [(p.sku, p.name, p.price) for p in products] == [("POST", "POSTAGE", 495), ("TEA", "Tea", 255)]
    customers = (tmp_path / "out" / "customers.ndjson").read_bytes()
    assert msgspec.json.Decoder(Customer).decode_lines(customers) == [
        Customer(customer_id="12345"),
        Customer(customer_id="17850", region="GB"),
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"catalogue.ndjson", "customers.ndjson"}


def test_the_report_says_what_was_left_out(export: Path, tmp_path: Path) -> None:
    text = run(export, tmp_path).stdout
    assert "2 products in" in text
    assert "1 SKUs that the mapping says are not sold: B" in text
    report = msgspec.json.decode(run(export, tmp_path, "--json").stdout)
    assert (report["products"], report["customers"], report["not_sold"], report["never_priced"]) == (
        2,
        2,
        ["B"],
        ["FREE"],
    )


def test_writing_again_gives_the_same_bytes(export: Path, tmp_path: Path) -> None:
    run(export, tmp_path)
    first = (tmp_path / "catalogue.ndjson").read_bytes()
    run(export, tmp_path)
    assert (tmp_path / "catalogue.ndjson").read_bytes() == first


def test_an_export_without_a_product_keeps_the_old_catalogue(export: Path, tmp_path: Path) -> None:
    run(export, tmp_path)
    before = (tmp_path / "catalogue.ndjson").read_bytes()
    export.write_text(EXPORT.splitlines()[0] + "\n")
    result = run(export, tmp_path)
    assert isinstance(result.exception, ConfigError)
    assert "nothing in it is sold at a price" in str(result.exception)
    assert (tmp_path / "catalogue.ndjson").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_one_line(export: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(export, tmp_path / "file")
    assert isinstance(result.exception, ConfigError)
    assert str(tmp_path / "file") in str(result.exception)


def test_a_file_that_cannot_be_replaced_leaves_nothing_half_written(export: Path, tmp_path: Path) -> None:
    (tmp_path / "catalogue.ndjson").mkdir()
    assert isinstance(run(export, tmp_path).exception, ConfigError)
    assert {path.name for path in tmp_path.iterdir()} == {"catalogue.ndjson", "export.csv"}
