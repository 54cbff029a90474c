from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dashboards.board.app import create_app
from dashboards.board.feed import Feed
from dashboards.board.known import Known
from dashboards.board.snapshot import Storefront, snapshot
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


@pytest.fixture
def feed() -> Feed:
    return Feed("run")


@pytest.fixture
def client(feed: Feed, shop: Storefront, tmp_path: Path) -> TestClient:
    echarts = tmp_path / "echarts.js"
    echarts.write_text("var echarts = {};")
    return TestClient(create_app(feed, shop, echarts=echarts, viewers=2, trouble=lambda: ["a sentence"]))


def test_the_page_names_currency_and_time_zone(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "GBP · Europe/London time" in page.text


@pytest.mark.parametrize("path", ["/", "/health", "/echarts.js", "/static/board.js", "/no-such-page"])
def test_every_answer_forbids_foreign_and_inline_script(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_page_has_no_inline_script_or_style(client: TestClient) -> None:
    text = client.get("/").text
    assert "style=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=") == 2
    assert "onclick" not in text


def test_every_file_that_the_page_names_is_served(client: TestClient) -> None:
    for path in ("/static/board.css", "/static/board.js", "/static/chart.js", "/static/icon.svg", "/echarts.js"):
        assert client.get(path).status_code == 200, path


def test_the_stream_starts_with_the_newest_snapshot(client: TestClient, feed: Feed, shop: Storefront) -> None:
    feed.publish(snapshot(Known(), ManualClock().now(), shop, []))
    feed.close()
    answer = client.get("/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("retry: 1000\n\nid: run-1\ndata: {")
    assert client.get("/events", headers={"Last-Event-ID": "run-1"}).text == "retry: 1000\n\n"


def test_one_viewer_too_many_is_asked_to_come_back(client: TestClient, feed: Feed) -> None:
    feed.viewers = 2
    answer = client.get("/events")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"


def test_health_says_that_the_board_runs_and_what_is_wrong_behind_it(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "viewers": 0, "trouble": ["a sentence"]}
