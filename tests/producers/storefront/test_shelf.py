import json

import pytest

from contract.catalogue import Product
from producers.storefront.departments import picture_of
from producers.storefront.shelf import SHIPPED, shelf_from, shelf_of
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def product(sku="A", name="Thing", price=100, currency="GBP"):
    return Product(sku=sku, name=name, price=price, currency=currency)


def test_the_shipped_catalogue_fills_every_department(shelf):
    assert len(shelf.offers) >= 40
    assert shelf.currency == "GBP"
    assert len(shelf.departments) == 6
    assert all(100 <= offer.price <= 20_000 for offer in shelf.offers.values())


def test_search_wants_every_word_in_name_or_number_whatever_the_case(shelf):
    assert [offer.sku for offer in shelf.search("MUG fox")] == ["KT-104"]
    assert [offer.sku for offer in shelf.search("kt-104")] == ["KT-104"]
    assert shelf.search("mug nowhere") == []
    assert len(shelf.search("")) == len(shelf.offers)


def test_a_search_can_be_kept_to_a_department(shelf):
    assert {offer.department.slug for offer in shelf.search("", "garden")} == {"garden"}


def test_neighbours_are_of_the_same_department_and_never_the_product_itself(shelf):
    for offer in shelf.offers.values():
        beside = shelf.beside(offer, 4)
        assert offer not in beside
        assert {each.department for each in beside} <= {offer.department}


def test_free_products_are_not_offered():
    assert list(shelf_of([product("A", price=0), product("B")], source="x").offers) == ["B"]


def test_names_in_capitals_are_shown_in_sentence_case():
    shelf = shelf_of([product(name="WHITE HANGING HEART T-LIGHT HOLDER")], source="x")
    assert shelf.offers["A"].title == "White hanging heart t-light holder"
    assert shelf.search("heart holder")


@pytest.mark.parametrize(
    ("name", "department", "icon"),
    [
        ("Set of six espresso cups", "kitchen", "mug"),
        ("WHITE HANGING HEART T-LIGHT HOLDER", "light", "candle"),
        ("JUMBO BAG RED RETROSPOT", "textiles", "bag"),
        ("Something else altogether", "home", "parcel"),
        ("", "home", "parcel"),
    ],
)
def test_a_name_decides_department_and_picture(name, department, icon):
    found, picture = picture_of(name)
    assert (found.slug, picture) == (department, icon)


def test_every_picture_is_drawn(shelf):
    drawn = SHIPPED.with_name("static").joinpath("icons.svg").read_text(encoding="utf-8")
    for name in ("mug", "lantern", "parcel", *(offer.icon for offer in shelf.offers.values())):
        assert f'id="{name}"' in drawn


@pytest.mark.parametrize(
    ("products", "said"),
    [
        ([], "no product with a price"),
        ([product(price=0)], "no product with a price"),
        ([product(), product()], "repeated"),
        ([product(sku=" ")], "blank"),
        ([product(price=-1)], "the price -1"),
        ([product("A"), product("B", currency="EUR")], "one ISO 4217 currency"),
        ([product(currency="pounds")], "one ISO 4217 currency"),
    ],
)
def test_a_catalogue_that_no_shop_can_run_on_is_refused_by_name(products, said):
    with pytest.raises(ConfigError, match=said) as refused:
        shelf_of(products, source="catalogue.ndjson")
    assert str(refused.value).startswith("catalogue.ndjson: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"not json", b'{"sku": 1}', b"\xff\xfe", json.dumps([{"sku": "A"}]).encode(), b'{"sku":"A"}']
)
def test_a_file_that_is_no_catalogue_is_refused_by_name(tmp_path, content):
    file = tmp_path / "catalogue.ndjson"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not a catalogue"):
        shelf_from(file)


def test_a_missing_catalogue_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        shelf_from(tmp_path / "none")
