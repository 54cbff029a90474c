"""Whatever a shopper or a robot sends gets a page that says what to change; never a 500."""

from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("quantity", ["0", "100", "-1", "1.5", "", "many", "1e3", "٣", "9" * 5000, "0x1"])
def test_a_quantity_outside_1_to_99_is_asked_for_again(browser, read, quantity):
    answer = browser.post("/cart/add", data={"sku": "KT-101", "quantity": quantity})
    assert answer.status_code == 400
    assert read.text(answer.text, "problem") == "Enter a whole number from 1 to 99."
    assert read.text(answer.text, "cart-count") == "0"


def test_more_than_99_of_one_product_in_two_steps_is_refused(browser, read):
    browser.post("/cart/add", data={"sku": "KT-101", "quantity": "60"})
    answer = browser.post("/cart/add", data={"sku": "KT-101", "quantity": "40"})
    assert answer.status_code == 400
    assert "already has 60" in (read.text(answer.text, "problem") or "")


def test_changing_to_a_bad_quantity_leaves_the_cart_as_it_is(browser, read):
    browser.post("/cart/add", data={"sku": "KT-101", "quantity": "2"})
    answer = browser.post("/cart/change", data={"sku": "KT-101", "quantity": "0"})
    assert (answer.status_code, read.text(answer.text, "cart-count")) == (400, "2")


def test_a_bad_quantity_for_what_left_the_cart_in_another_tab_is_still_explained(browser, read):
    answer = browser.post("/cart/change", data={"sku": "KT-101", "quantity": "0"})
    assert answer.status_code == 400
    assert read.text(answer.text, "problem") == "Enter a whole number from 1 to 99."


@pytest.mark.parametrize(
    "address",
    ["/product/NO-SUCH", "/product/", "/product/%00", "/product/a/b", "/search?department=no", "/thank-you/O-1", "/no"],
)
def test_what_is_not_there_is_404_with_a_way_back(browser, read, address):
    answer = browser.get(address)
    assert answer.status_code == 404
    assert read.text(answer.text, "problem")


@pytest.mark.parametrize("address", ["/cart/add", "/cart/change"])
def test_an_unknown_sku_cannot_be_put_into_the_cart(browser, address):
    assert browser.post(address, data={"sku": "NO-SUCH", "quantity": "1"}).status_code == 404


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=", "q=" + "x" * 101])
def test_a_search_that_makes_no_sense_is_400(browser, read, query):
    answer = browser.get("/search?" + query)
    assert answer.status_code == 400
    assert read.text(answer.text, "problem")


def test_a_page_past_the_last_says_so(browser):
    answer = browser.get("/search?page=999")
    assert answer.status_code == 200
    assert "There are only 2 pages" in answer.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"region": "ZZ"}, "Choose a country"),
        ({"region": ""}, "Choose a country"),
        ({"customer_id": "C 1"}, "letters, digits and hyphens"),
        ({"customer_id": "x" * 33}, "letters, digits and hyphens"),
        ({"customer_id": "<script>"}, "letters, digits and hyphens"),
        ({"token": ""}, "gone stale"),
        ({"token": "../../etc"}, "gone stale"),
    ],
)
def test_a_bad_checkout_form_comes_back_with_what_to_change(browser, read, spooled, change, said):
    browser.post("/cart/add", data={"sku": "KT-101", "quantity": "1"})
    token = read.token(browser.get("/checkout").text)
    answer = browser.post("/checkout", data={"token": token, "customer_id": "C-1", "region": "GB", **change})
    assert answer.status_code == 400
    assert said in (read.text(answer.text, "problem") or "")
    assert read.token(answer.text) == (token if "token" not in change else read.token(answer.text))
    assert spooled() == []


def test_an_empty_cart_cannot_be_bought(browser, spooled):
    answer = browser.post("/checkout", data={"token": "ab" * 16, "customer_id": "", "region": "GB"})
    assert answer.status_code == 400
    assert spooled() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\xff\xfe=%ff&sku=%00", 404),
        (b'{"sku": "KT-101"}', 404),
        (b"&".join([b"a=1"] * 30), 400),
        (b"x" * 20_000, 413),
        (b"", 404),
    ],
)
def test_a_body_that_is_no_form_of_ours_is_refused(browser, body, status):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post("/cart/add", content=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    "cookie", ["", "|||", "KT-101:0", "KT-101:x", ":", "NO-SUCH:2", "%ff:1", "KT-101:" + "9" * 4000]
)
def test_a_broken_cart_cookie_is_an_empty_cart(browser, read, cookie):
    answer = browser.get("/cart", headers={"cookie": f"cart={cookie}"})
    assert (answer.status_code, read.text(answer.text, "cart-count")) == (200, "0")


def test_a_session_id_that_is_not_ours_is_replaced(browser):
    answer = browser.get("/", headers={"cookie": "sid=<script>"})
    assert answer.headers["set-cookie"].startswith("sid=0")


def test_a_wrong_method_is_405(browser):
    assert browser.get("/cart/add").status_code == 405


class Markup(HTMLParser):
    """The tags of a page with the names of their attributes, and what stands in the search box."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.searched = [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))
        if ("id", "q") in attrs:
            self.searched = dict(attrs)["value"]


def test_hostile_strings_change_no_markup(browser, hostile):
    browser.post("/cart/add", data={"sku": "KT-101", "quantity": "1"})
    plain_form = Markup(browser.post("/checkout", data={"token": "x", "customer_id": "x", "region": "x"}).text)
    pages = [browser.get(address).text for address in ("/search?q=mug", "/search?q=zz", "/search", "/search?page=2")]
    known = {tag for page in pages for tag in Markup(page).tags}
    for text in hostile:
        page = browser.get("/search", params={"q": text})
        if len(text.strip()) <= 100:
            assert page.status_code == 200
            assert set(Markup(page.text).tags) <= known, text
            assert Markup(page.text).searched == text.strip()
        else:
            assert page.status_code == 400
        form = browser.post("/checkout", data={"token": text, "customer_id": text, "region": text})
        assert form.status_code == 400
        assert Markup(form.text).tags == plain_form.tags, text
        assert browser.post("/cart/add", data={"sku": text, "quantity": text}).status_code == 404


def test_scripts_of_others_are_forbidden_on_every_page(browser):
    for address in ("/", "/cart", "/nowhere"):
        assert "default-src 'self'" in browser.get(address).headers["content-security-policy"]
