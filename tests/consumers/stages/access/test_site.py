"""What a path means by the rules of a file, the shipped one above all."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount, Route

from consumers.stages.access.site import Page, Place, Probes, Rules, Site, Words, load_site
from producers.storefront.app import storefront
from producers.storefront.shelf import Shelf
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

SITE = load_site()


def site_of(*paths: str) -> Site:
    return Site(Rules(page=(Page(kind="cart", paths=paths),)))


@pytest.mark.parametrize(
    ("path", "page", "order_id"),
    [
        ("/", "other", None),
        ("/search", "search", None),
        ("/search/", "search", None),
        ("/searching", "other", None),
        ("/product/85123A", "product", None),
        ("/product/gift%20set/large", "product", None),
        ("/product", "other", None),
        ("/recommendations/also-bought", "recommendation", None),
        ("/cart", "cart", None),
        ("/c%61rt/add", "cart", None),
        ("/CART", "other", None),
        ("/checkout", "checkout", None),
        ("/thank-you/O-ABC234", "checkout", "O-ABC234"),
        ("/thank-you/O-ABC234/", "checkout", "O-ABC234"),
        ("/thank-you/", "other", None),
        ("/thank-you/O-1/more", "other", None),
        ("http://shop.example/checkout", "checkout", None),
        ("https://shop.example", "other", None),
        ("*", "other", None),
        ("", "other", None),
    ],
)
def test_pages_of_the_demo_shop(path: str, page: str, order_id: str | None) -> None:
    assert SITE.place(path) == Place(page, order_id, False)


def test_every_route_of_the_demo_shop_has_the_page_it_is_and_none_is_a_probe(tmp_path: Path) -> None:
    shelf = Shelf(currency="GBP", offers={}, departments=())
    shop = storefront(
        shelf=shelf, spool=_NoSpool(), access_log=tmp_path / "log", clock=ManualClock(), new_id=lambda: "0" * 32
    )
    found = {
        route.path: SITE.place(route.path.replace("{sku:path}", "85123A").replace("{order_id}", "O-1"))
        for route in shop.routes
        if isinstance(route, Route | Mount)
    }
    assert {path: place.page for path, place in found.items()} == {
        "/": "other",
        "/search": "search",
        "/product/{sku:path}": "product",
        "/cart": "cart",
        "/cart/add": "cart",
        "/cart/change": "cart",
        "/cart/remove": "cart",
        "/checkout": "checkout",
        "/thank-you/{order_id}": "checkout",
        "/health": "other",
        "/static": "other",
    }
    assert not any(place.is_probe for place in found.values())


class _NoSpool:
    def append(self, event: object) -> None: ...


@pytest.mark.parametrize(
    "path",
    [
        "/wp-login.php",
        "/blog/WP-LOGIN.php",
        "/wp-admin/",
        "/.env",
        "/api/.env.production",
        "/.git/config",
        "/static/../../etc/passwd",
        "/static/%2e%2e/%2e%2e/secret",
        "/cgi-bin/luci",
        "/phpMyAdmin/index.php",
        "/backup.sql",
        "/index.php",
        "/owa/auth/logon.aspx",
        "http://shop.example/wp-login.php",
    ],
)
def test_what_only_an_attacker_asks_for_is_a_probe(path: str) -> None:
    assert SITE.place(path).is_probe


@pytest.mark.parametrize("path", ["/", "/product/wp-loggin", "/environment", "/static/shop.css", "/favicon.ico"])
def test_what_a_shopper_asks_for_is_none(path: str) -> None:
    assert not SITE.place(path).is_probe


def test_the_first_page_that_fits_decides() -> None:
    rules = Rules(
        page=(
            Page(kind="checkout", paths=("/cart/pay",)),
            Page(kind="cart", paths=("/cart/*",)),
            Page(kind="product", paths=("/p/*.html", "/", "*/last")),
        )
    )
    pages = {
        path: Site(rules).place(path).page for path in ("/cart/pay", "/cart/", "/p/a/b.html", "/", "/a/last", "/p")
    }
    assert list(pages.values()) == ["checkout", "cart", "product", "product", "product", "other"]


def test_an_order_may_stand_anywhere_in_a_path() -> None:
    site = site_of("/o/{order_id}/paid", "/orders/{order_id}*")
    assert site.place("/o/A.7/paid").order_id == "A.7"
    assert site.place("/orders/9/receipt.pdf").order_id == "9"


def test_words_are_found_in_any_case_and_at_the_beginning_where_asked() -> None:
    site = Site(Rules(scanners=Words(words=("SQLmap",)), bots=Words(words=("^java/",))))
    assert site.is_scanner("sqlMAP/1.7") and not site.is_scanner("Mozilla/5.0")
    assert site.is_bot("Java/1.8.0_202") and not site.is_bot("LG-KF700 Java/ASVM/1.1")


def test_no_rules_at_all_make_every_page_another_one() -> None:
    site = Site(Rules())
    assert site.place("/wp-login.php") == Place("other", None, False)
    assert not site.is_bot("bot") and not site.is_scanner("sqlmap")


def test_other_rules_are_another_version() -> None:
    assert load_site().version == SITE.version != site_of("/cart").version


@given(st.text(max_size=200))
def test_any_path_has_a_place(path: str) -> None:
    assert SITE.place(path) == SITE.place(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[page]]\nkind = "basket"\npaths = ["/b"]', "basket"),
        ('[[page]]\nkind = "cart"', "paths"),
        ('[[page]]\nkind = "cart"\npaths = []', "paths"),
        ('[[page]]\nkind = "cart"\npaths = ["cart"]', "begins with neither"),
        ('[[page]]\nkind = "cart"\npaths = ["/c/{sku}"]', "{sku}"),
        ('[[page]]\nkind = "cart"\npaths = ["/c/{order_id"]', "/c/"),
        ('[[page]]\nkind = "cart"\npaths = ["/{order_id}/{order_id}"]', "more than one order"),
        ('[scanners]\nwords = ["a"]', "words"),
        ('[pages]\nkind = "cart"', "pages"),
        ("[[page", "not TOML"),
        ("\udce4", "not TOML"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "site.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as error:
        load_site(str(file))
    assert str(file) in str(error.value) and says in str(error.value)


def test_a_file_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*copy .*site\.toml"):
        load_site(str(tmp_path / "nowhere.toml"))


def test_a_shop_may_bring_its_own_rules(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[[page]]\nkind = "checkout"\npaths = ["/kasse/{order_id}"]\n[probes]\npaths = ["/admin*"]\n')
    site = load_site(str(file))
    assert site.place("/kasse/7") == Place("checkout", "7", False)
    assert site.place("/admin").is_probe
    assert Site(Rules(probes=Probes(paths=("/admin*",)))).place("/administrator").is_probe
