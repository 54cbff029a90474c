import msgspec
import polars as pl
import pytest

from contract.catalogue import Product
from contract.reference import Customer
from producers.reference.derive import derive
from producers.replay.mapping import Columns, Mapping

pytestmark = pytest.mark.unit

MAPPING = Mapping(
    namespace="shop",
    currency="GBP",
    time_zone="Europe/London",
    not_sold=frozenset({"BANK", "TEST"}),
    columns=Columns(invoice="No", sku="Code", quantity="Qty", unit_price="Price", time="When"),
    regions={"United Kingdom": "GB", "EIRE": "IE"},
)


def rows(*lines: tuple[str, str | None, str]) -> pl.DataFrame:
    """Rows (SKU, description, price) of guests."""
    return pl.DataFrame(lines, schema=["sku", "description", "unit_price"], orient="row").with_columns(
        customer=pl.lit(None, pl.String), country=pl.lit(None, pl.String)
    )


def product(*lines: tuple[str, str | None, str]) -> Product:
    (found,) = derive(rows(*lines), MAPPING).products
    return found


def test_the_price_is_the_most_frequent_one_in_minor_units() -> None:
    assert product(("TEA", "Tea", "2.55"), ("TEA", "Tea", "2.55"), ("TEA", "Tea", "1")).price == 255


def test_of_two_prices_as_frequent_it_is_the_lower() -> None:
    assert product(("TEA", "Tea", "10"), ("TEA", "Tea", "9.99"), ("TEA", "Tea", "10.5")).price == 999


def test_two_spellings_of_a_price_are_one_price() -> None:
    assert product(("TEA", "Tea", "2.5"), ("TEA", "Tea", "2.50"), ("TEA", "Tea", "1")).price == 250


def test_free_and_negative_rows_say_nothing_of_the_price() -> None:
    assert product(("TEA", "Tea", "0"), ("TEA", "Tea", "0"), ("TEA", "Tea", "-1"), ("TEA", "Tea", "3")).price == 300


def test_the_name_is_the_most_frequent_description_without_the_blanks_around_it() -> None:
    assert product(("TEA", "Tea ", "1"), ("TEA", "Tea", "1"), ("TEA", "damaged", "0"), ("TEA", None, "1")).name == "Tea"


def test_of_two_names_as_frequent_it_is_the_first_in_the_alphabet() -> None:
    assert product(("TEA", "Tea, green", "1"), ("TEA", "Green tea", "1")).name == "Green tea"


def test_a_product_that_nobody_described_is_called_by_its_sku() -> None:
    assert product(("TEA", None, "1"), ("TEA", "  ", "1")).name == "TEA"


def test_skus_that_differ_in_case_are_two_products() -> None:
    assert [p.sku for p in derive(rows(("m", "x", "1"), ("M", "x", "1")), MAPPING).products] == ["M", "m"]


def test_what_is_no_product_is_left_out_and_named() -> None:
    derived = derive(
        rows(("BANK", "x", "5"), ("FREE", "x", "0"), ("DEBT", "x", "-1"), ("PAD", "x", "0.001"), ("TEA", "x", "1")),
        MAPPING,
    )
    assert [p.sku for p in derived.products] == ["TEA"]
    assert derived.not_sold == ["BANK"]
    assert derived.never_priced == ["DEBT", "FREE"]
    assert derived.only_fractions == ["PAD"]


def test_prices_follow_the_currencys_own_exponent() -> None:
    yen = msgspec.structs.replace(MAPPING, currency="JPY")
    derived = derive(rows(("TEA", "Tea", "250"), ("MUG", "Mug", "2.5")), yen)
    assert derived.products == [Product(sku="TEA", name="Tea", price=250, currency="JPY")]
    assert derived.only_fractions == ["MUG"]


def test_customers_live_where_most_of_their_rows_say() -> None:
    bought = [
        ("7", "EIRE"),
        ("7", "United Kingdom"),
        ("7", "United Kingdom"),
        ("8", "Atlantis"),
        ("8", "Atlantis"),
        ("8", "EIRE"),
        ("9", "Atlantis"),
        (None, "EIRE"),
    ]
    table = rows(*[("TEA", "Tea", "1")] * len(bought)).with_columns(
        customer=pl.Series([who for who, _ in bought]), country=pl.Series([where for _, where in bought])
    )
    assert derive(table, MAPPING).customers == [
        Customer(customer_id="7", region="GB"),
        Customer(customer_id="8", region="IE"),
        Customer(customer_id="9"),
    ]


def test_the_order_of_the_rows_changes_nothing() -> None:
    table = rows(("B", "x", "1"), ("A", "y", "2"), ("A", "x", "3"), ("B", "y", "1"))
    assert derive(table, MAPPING) == derive(table.reverse(), MAPPING)
