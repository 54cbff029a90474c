"""The preview in a browser: each sheet drawn, nothing broken, nothing asked of a network."""

import datetime as dt
from pathlib import Path

import pytest

from dashboards.preview.page import page as render
from dashboards.quicksight.datasets import SETS
from dashboards.quicksight.definition import definition
from dashboards.quicksight.sheets import shop_sheets

pytestmark = pytest.mark.browser

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def file(ask, settings, tmp_path_factory):
    def answers(text):
        """The warehouse's own, with a hostile product on top."""
        rows = ask(text)
        return [(HOSTILE, *rows[0][1:]), *rows[1:]] if rows and str(rows[0][0]).startswith("KT-") else rows

    told = definition(shop_sheets("GBP"), {each.name: each.name for each in SETS}, "GBP")
    path = tmp_path_factory.mktemp("preview") / "preview.html"
    path.write_text(render("storepulse", told, answers, settings, now=dt.datetime.now(dt.UTC)))
    return path


def test_every_sheet_is_drawn_and_fits(file):
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1500, "height": 950})
        complaints, asked = [], []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(file.as_uri())
        for sheet in shop_sheets("GBP"):
            tab.get_by_test_id(f"tab-{sheet.name}").click()
            shown = tab.get_by_test_id(f"sheet-{sheet.name}")
            sync_api.expect(shown).to_be_visible()
            boxes = []
            for visual in sheet.visuals:
                one = tab.get_by_test_id(visual.id)
                sync_api.expect(one).to_be_visible()
                sync_api.expect(one.locator("h2")).not_to_be_empty()
                drawn = one.locator(".number, .chart svg, table tr, .empty").first
                sync_api.expect(drawn).to_be_visible()
                boxes.append((visual.id, one.bounding_box()))
            assert not [(a, b) for a, one in boxes for b, other in boxes if a < b and overlap(one, other)]
        sync_api.expect(tab.get_by_test_id("today-kpi-revenue").locator("h2")).to_have_text("Revenue, GBP")
        assert tab.title() == "storepulse · preview"
        assert complaints == []
        assert [url for url in asked if not url.startswith("file:")] == []
        chromium.close()


def overlap(one, other):
    return (
        one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    )
