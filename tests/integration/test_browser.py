"""A person buys in the shop and sees it on the board, in a real browser."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from infra.local.testing import Pipeline

CHROMIUM = shutil.which("chromium")
SEEN_WITHIN_MS = 20_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def test_what_is_bought_in_the_shop_appears_on_the_open_board(
    browser: Browser, start_pipeline: Callable[..., Pipeline]
) -> None:
    pipeline = start_pipeline()
    shop_url, board_url = pipeline.serve()
    board = browser.new_page()
    board.goto(board_url)
    board.evaluate("window.notReloaded = true")
    shop = browser.new_page()
    shop.goto(shop_url)
    shop.get_by_test_id("browse-all").first.click()
    shop.get_by_test_id("product-link").first.click()
    shop.get_by_test_id("add-to-cart").click()
    shop.goto(f"{shop_url}/cart")
    shop.get_by_test_id("checkout-link").click()
    shop.get_by_test_id("place-order").click()
    order_id = shop.get_by_test_id("order-id").inner_text()

    expect(board.get_by_test_id("last-orders")).to_contain_text(order_id, timeout=SEEN_WITHIN_MS)
    expect(board.get_by_test_id("kpi-orders")).to_have_text("1")
    assert board.evaluate("window.notReloaded")
