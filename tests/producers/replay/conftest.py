"""A small shop's export and mapping."""

from pathlib import Path

import msgspec
import pytest

from producers.replay.mapping import Mapping

MAPPING = """
namespace = "corner-shop"
currency = "GBP"
time_zone = "Europe/London"
time_formats = ["%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M"]

[columns]
invoice = "No"
sku = "Code"
quantity = "Qty"
unit_price = "Price"
time = "When"
customer = "Who"
country = "Where"

[regions]
"United Kingdom" = "GB"
"EIRE" = "IE"
"""

EXPORT = """No,Code,Qty,Price,When,Who,Where
1,TEA,6,2.55,2010-12-01 08:26,17850,United Kingdom
1,MUG,1,3.39,2010-12-01 08:27,17850,United Kingdom
2,TEA,2,2.55,2011-07-01 09:00,,Atlantis
C3,TEA,-2,2.55,2011-07-02 10:00,,EIRE
4,PAD,1,0.001,2011-07-03 10:00,12345,
4,TEA,3,2.55,2011-07-03 10:00,12345,
A5,BAD,1,-11062.06,2011-08-12 14:50,,United Kingdom
"""


@pytest.fixture(scope="session")
def mapping() -> Mapping:
    return msgspec.toml.decode(MAPPING, type=Mapping)


@pytest.fixture
def mapping_file(tmp_path: Path) -> Path:
    path = tmp_path / "corner-shop.toml"
    path.write_text(MAPPING)
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    return path


@pytest.fixture(scope="session")
def online_retail() -> Path:
    """The real export, which is not part of the project."""
    project = Path(__file__).parents[3]
    path = project.parent / "shared" / "data" / "online_retail" / "online_retail_2010_2011.parquet"
    if not path.exists():
        pytest.skip("the UCI Online Retail export is not in ../shared/data")
    return path
