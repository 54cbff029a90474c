import datetime as dt
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.rows import OrderRow
from dashboards.board.serve import serve
from dashboards.board.settings import Board, BoardSettings
from runtime.clock import SystemClock
from runtime.settings import OpenSearch

pytestmark = pytest.mark.browser

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
CHROMIUM = Path("/usr/bin/chromium")
START = dt.datetime(2001, 5, 1, 12, 30, 5, tzinfo=dt.UTC)
MOVES_WITHIN_MS = 2000
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


class OldClock(SystemClock):
    """The system's clock, set back to where no other test's documents are."""

    def __init__(self) -> None:
        self._behind = super().now() - START

    def now(self) -> dt.datetime:
        return super().now() - self._behind


class Server:
    """The board in a thread."""

    def __init__(self, url: str, clock: OldClock, port: int = 0) -> None:
        self.stop = threading.Event()
        self.url = ""
        started = threading.Event()

        def note(address: str) -> None:
            self.url = address
            started.set()

        settings = BoardSettings(board=Board(port=port), opensearch=OpenSearch(url=url))
        self._thread = threading.Thread(
            target=serve, args=(settings, self.stop), kwargs={"clock": clock, "started": note}
        )
        self._thread.start()
        assert started.wait(10)

    def close(self) -> None:
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def clock() -> OldClock:
    return OldClock()


@pytest.fixture
def server(opensearch_url: str, clock: OldClock) -> Iterator[Server]:
    board = Server(opensearch_url, clock)
    yield board
    board.close()


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(server.url)
    sync_api.expect(tab.get_by_test_id("kpi-revenue")).to_contain_text(".")  # a figure, no dash any more
    yield tab
    tab.close()
    # A lost line is the browser's own complaint; a broken script or policy would be ours.
    assert [text for text in complaints if "ERR_" not in text] == []


def test_an_order_moves_the_page_within_two_seconds_without_reload(
    page: Any, store: Any, clock: OldClock, order_row: Callable[..., OrderRow]
) -> None:
    expect = sync_api.expect
    expect(page.get_by_test_id("kpi-revenue")).to_have_text("0.00")
    expect(page.get_by_test_id("status")).to_have_text("Waiting for the first order")
    store.put([order_row(clock.now(), "O-1", revenue=123456)])
    expect(page.get_by_test_id("last-orders")).to_contain_text("O-1", timeout=MOVES_WITHIN_MS)
    expect(page.get_by_test_id("kpi-revenue")).to_have_text("1,234.56")
    expect(page.get_by_test_id("kpi-orders")).to_have_text("1")
    expect(page.get_by_test_id("status")).to_have_text("Live")
    expect(page.get_by_test_id("kpi-freshness")).to_have_text(re.compile(r"^\d\.\d s$"))
    store.put([order_row(clock.now(), "O-2", revenue=-100, currency="EUR")])
    expect(page.get_by_test_id("other-currencies")).to_contain_text("EUR -1.00", timeout=MOVES_WITHIN_MS)
    expect(page.get_by_test_id("kpi-revenue")).to_have_text("1,234.56")
    expect(page.get_by_test_id("best-sellers")).to_contain_text("85123A", timeout=10_000)


def test_text_from_an_order_never_becomes_markup(
    page: Any, store: Any, clock: OldClock, order_row: Callable[..., OrderRow]
) -> None:
    store.put([order_row(clock.now(), HOSTILE, region=HOSTILE, lines=[(HOSTILE, 1)])])
    sync_api.expect(page.get_by_test_id("last-orders")).to_contain_text(HOSTILE)
    sync_api.expect(page.get_by_test_id("best-sellers")).to_contain_text(HOSTILE, timeout=10_000)
    assert page.locator("td img").count() == 0
    assert page.title() == "Live sales · storepulse"


def test_the_chart_has_the_same_figures_as_a_table(
    page: Any, store: Any, clock: OldClock, order_row: Callable[..., OrderRow]
) -> None:
    at = clock.now()
    store.put([order_row(at, "O-1", revenue=98765)])
    page.get_by_text("The same figures as a table").click()
    rows = page.get_by_test_id("minutes-table").locator("tbody tr")
    sync_api.expect(rows).to_have_count(60)
    # Shop time is an hour ahead of UTC on that day.
    sync_api.expect(rows.filter(has_text=f"13:{at:%M}")).to_contain_text("987.65", timeout=MOVES_WITHIN_MS)
    assert page.get_by_test_id("chart").locator("svg path").count() > 0


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(
    page: Any, store: Any, clock: OldClock, order_row: Callable[..., OrderRow], width: int, scheme: str
) -> None:
    long_id = "1b4e28ba-2fa1-11d2-883f-0016d3cca427-" * 2
    store.put([order_row(clock.now(), long_id, revenue=10**14, region="United Kingdom", lines=[("X" * 60, 10**6)])])
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    sync_api.expect(page.get_by_test_id("kpi-revenue")).to_have_text("1,000,000,000,000.00")
    sync_api.expect(page.get_by_test_id("best-sellers")).to_contain_text("XXX", timeout=10_000)
    assert page.locator("html").evaluate("html => html.scrollWidth") == width
    dark = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(14, 19, 27)"
    assert dark == (scheme == "dark")


def test_a_lost_board_is_shown_and_found_again(page: Any, server: Server, opensearch_url: str, clock: OldClock) -> None:
    status = page.get_by_test_id("status")
    sync_api.expect(status).to_have_text("Waiting for the first order")
    port = int(server.url.rsplit(":", 1)[1].strip("/"))
    server.close()
    sync_api.expect(status).to_have_text("Connection lost: figures are old")
    again = Server(opensearch_url, clock, port)
    try:
        sync_api.expect(status).to_have_text("Waiting for the first order", timeout=15_000)
    finally:
        again.close()


def test_an_absent_store_is_named_on_the_page(browser: Any, clock: OldClock) -> None:
    board = Server("http://127.0.0.1:9", clock)
    tab = browser.new_page()
    try:
        tab.goto(board.url)
        sync_api.expect(tab.get_by_test_id("trouble")).to_have_text("OpenSearch cannot be reached")
        sync_api.expect(tab.get_by_test_id("status")).to_have_text("Trouble: figures may be old")
    finally:
        tab.close()
        board.close()
