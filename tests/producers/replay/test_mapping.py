from pathlib import Path

import pytest

from producers.replay.mapping import Mapping, load_mapping, shipped_names
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_mapping_loads(name: str) -> None:
    assert load_mapping(name).namespace == name


def test_a_path_is_a_mapping_too(mapping_file: Path, mapping: Mapping) -> None:
    assert load_mapping(str(mapping_file)) == mapping


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('currency = "GBP"', 'curency = "GBP"', "unknown field `curency`"),
        ('sku = "Code"', "", "missing required field `sku` - at `$.columns`"),
        ('sku = "Code"', "sku = 7", "Expected `str`, got `int` - at `$.columns.sku`"),
        ("[regions]", "[regions", "not TOML"),
        ("Europe/London", "Europe/Londno", "time_zone 'Europe/Londno' is no IANA name"),
        ("Europe/London", "../London", "time_zone '../London' is no IANA name"),
        ('"GBP"', '"Pounds"', "currency 'Pounds' is no ISO 4217 code"),
        ("corner-shop", "Corner Shop", "Expected `str` matching regex"),
        ("[regions]", '[csv]\nencoding = "utf-99"\n[regions]', "encoding 'utf-99' is not known"),
    ],
)
def test_a_broken_mapping_is_one_line_that_names_file_and_fault(
    mapping_file: Path, old: str, new: str, message: str
) -> None:
    mapping_file.write_text(mapping_file.read_text().replace(old, new))
    with pytest.raises(ConfigError) as error:
        load_mapping(str(mapping_file))
    assert str(mapping_file) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mapping_that_is_not_there_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match=r"nowhere: neither a file nor one of those shipped: .*online-retail"):
        load_mapping("nowhere")


def test_a_mapping_that_is_not_text_is_not_readable(mapping_file: Path) -> None:
    mapping_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not readable"):
        load_mapping(str(mapping_file))
