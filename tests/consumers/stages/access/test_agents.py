"""What user agents say of themselves, against ua-parser's own corpora of real ones and a real log."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from consumers.stages.access.agents import Client, client_of
from consumers.stages.access.site import load_site

pytestmark = pytest.mark.unit

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
with_corpora = pytest.mark.skipif(
    not (DATA / "user_agents").is_dir(), reason="the corpora of user agents are not there: ../shared/data/user_agents"
)
with_logs = pytest.mark.skipif(
    not (DATA / "weblogs").is_dir(), reason="the real web logs are not there: ../shared/data/weblogs"
)
SITE = load_site()

# Families of devices whose kind is not in doubt, as ua-parser's corpora expect them.
SURE = {
    "bot": r"Spider",
    "phone": r"iPhone|iPod|Generic Smartphone|Generic Feature Phone|Nokia .*|Lumia .*|HTC (?:One|Desire|Wildfire).*",
    "tablet": r"iPad|Kindle.*",
    "tv": r"HbbTV|NetCast.*|Inettv|AppleTV|Chromecast",
    "console": r"PlayStation.*|Xbox.*|Nintendo.*",
    "wearable": r"Apple Watch",
    "desktop": r"Mac|MacBook.*",
}


@cache
def cases(corpus: str) -> list[dict[str, Any]]:
    packed = (DATA / "user_agents" / f"test_{corpus}.yaml.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompress(packed, 1 << 28)
    found: list[dict[str, Any]] = yaml.load(text, yaml.CSafeLoader)["test_cases"]
    return found


def of(agent: str) -> Client:
    return client_of(agent, SITE)


@with_corpora
@pytest.mark.parametrize(("corpus", "field"), [("ua", "browser"), ("os", "os")])
def test_browsers_and_systems_are_those_that_ua_parser_expects(corpus: str, field: str) -> None:
    wrong = [
        (case["user_agent_string"], case["family"])
        for case in cases(corpus)
        if (getattr(of(case["user_agent_string"]), field) or "Other") != case["family"]
    ]
    assert not wrong


@with_corpora
def test_every_agent_of_the_corpus_of_devices_has_a_kind_and_the_sure_ones_the_right_one() -> None:
    kinds: Counter[str | None] = Counter()
    wrong = []
    for case in cases("device"):
        client = of(case["user_agent_string"])
        kind = "bot" if client.is_bot else client.device
        kinds[kind] += 1
        sure = next((each for each, families in SURE.items() if re.fullmatch(families, case["family"])), kind)
        if kind != sure:
            wrong.append((case["user_agent_string"], case["family"], kind))
    # Puffin on an iPhone says X11: its server in a data centre is what asks.
    assert [(family, kind) for _, family, kind in wrong] == [("iPhone", "desktop")]
    # What ua-parser itself knows nothing of is the rest.
    assert kinds.total() == 16_129 and kinds[None] <= 2


@with_corpora
def test_no_device_of_a_person_is_a_bot_for_a_word_in_its_name() -> None:
    taken = [case for case in cases("device") if case["family"] != "Spider" and of(case["user_agent_string"]).is_bot]
    assert not taken


@with_corpora
def test_every_crawler_of_the_corpora_is_a_bot() -> None:
    crawlers = [case["user_agent_string"] for case in cases("device") if case["family"] == "Spider"]
    assert len(crawlers) > 70 and all(of(agent).is_bot for agent in crawlers)


def logged_agents() -> Iterator[str]:
    packed = (DATA / "weblogs" / "elastic_apache_access.log.zst").read_bytes()
    for line in zstandard.ZstdDecompressor().decompress(packed, 1 << 26).decode(errors="replace").splitlines():
        if line.count('"') >= 6:
            yield line.split('"')[5]


@with_logs
def test_the_crawlers_of_a_real_log_are_bots_and_so_are_its_feed_readers() -> None:
    agents = list(logged_agents())
    crawlers = [agent for agent in agents if re.search("bot|crawl|spider|slurp", agent, re.I)]
    assert len(crawlers) == 1_397
    assert all(of(agent).is_bot for agent in crawlers)
    bots = [agent for agent in agents if of(agent).is_bot]
    assert 2_400 <= len(bots) <= 2_600
    assert not [agent for agent in bots if re.fullmatch(r"Mozilla/5\.0 \([^)+]*\) Gecko/\d+ Firefox/[\d.]+", agent)]


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
            Client("Firefox", "Windows", "desktop", False, False),
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
            Client("Chrome Mobile", "Android", "phone", False, False),
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
            Client("Chrome", "Android", "tablet", False, False),
        ),
        ("curl/8.9.1", Client("curl", None, None, True, False)),
        ("sqlmap/1.8.2#stable (https://sqlmap.org)", Client(None, None, None, True, True)),
        ("", Client(None, None, None, False, False)),
    ],
)
def test_agents_of_today(agent: str, client: Client) -> None:
    assert of(agent) == client


@given(st.text(max_size=300))
def test_any_text_is_some_client(agent: str) -> None:
    assert of(agent) == of(agent)
