"""Locust's users, one by one, in a shop and before a board that are made up: what is counted of them."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter

from loadtests.sale.counted import NO_ROOM, STREAM, VISIT, WRITTEN, write_counted
from loadtests.sale.plan import Plan, RunFolder
from loadtests.shapes import Knot, Shape
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

FLAT = Shape(knots=(Knot(0.0, 2.0), Knot(5.0, 2.0)))
THROTTLED = "ProvisionedThroughputExceededException"
PAGES = {
    "GET /": '<a href="/product/one"></a><a href="/search?department=pots"></a>',
    "GET /search": "".join(f'<a href="/product/{n}"></a>' for n in range(9)),
    "GET /product": '<input name="sku" value="KT-1">',
    "POST /cart": "",
    "GET /checkout": f'<input name="token" value="{"0" * 32}">',
    "POST /checkout": '<b data-testid="order-id">O-ABC2</b>',
}


class Shop(BaseAdapter):
    """Answers with PAGES; `page` says otherwise where it is given."""

    def __init__(self, page=lambda asked: None):
        super().__init__()
        self.page, self.asked = page, []

    def send(self, request, **_):
        asked = f"{request.method} {request.path_url}"
        self.asked.append((asked, request.body))
        answer = requests.Response()
        status, text = self.page(asked) or (200, self._text(asked))
        answer.status_code, answer._content, answer.encoding = status, text.encode(), "utf-8"
        answer.request, answer.url = request, "http://shop/thank-you/O-ABC2"
        return answer

    def close(self):
        pass

    @staticmethod
    def _text(asked):
        method, path = asked.split()
        return PAGES[f"{method} /{path[1:].partition('/')[0].partition('?')[0]}"]


@pytest.fixture
def world(users, monkeypatch, tmp_path):
    """What Locust gives its users, without Locust."""
    from locust.event import Events
    from locust.stats import RequestStats

    from loadtests.users import taking_part

    monkeypatch.setattr("gevent.sleep", lambda seconds=0: None)
    monkeypatch.setattr(users.Shopper, "host", "http://shop")
    (tmp_path / "settings.toml").write_text("")
    folder = RunFolder(tmp_path / "run")
    plan = Plan(
        run_id="r",
        seed=7,
        shape_name="flat",
        orders=FLAT,
        visits=FLAT,
        into="stream",
        settings_file=str(tmp_path / "settings.toml"),
    )
    folder.make(plan)
    stats, events = RequestStats(), Events()

    def on_request(request_type, name, response_time, response_length, exception=None, **_):
        stats.log_request(request_type, name, response_time, response_length)
        if exception:
            stats.log_error(request_type, name, exception)

    events.request.add_listener(on_request)

    def environment(worker=0):
        part = taking_part.TakingPart(folder.plan_file, worker)
        part.began_s -= 10.0
        options = SimpleNamespace(seed=None, buys=1.0, think_min=0.0, think_max=0.0)
        return SimpleNamespace(
            runner=SimpleNamespace(stats=stats), events=events, parsed_options=options, storepulse=part
        )

    def shopper(shop, env):
        person = users.Shopper(env)
        person.client.mount("http://", shop)
        person.wait = lambda: None
        person.on_start()
        return person

    def counted():
        achieved = write_counted(folder, plan, stats)
        return achieved, json.loads(folder.visits.read_bytes()), json.loads(folder.stream_refusals.read_bytes())

    return SimpleNamespace(
        stats=stats, environment=environment, shopper=shopper, counted=counted, folder=folder, classes=users
    )


def row(world, kind):
    entry = world.stats.entries[(kind[1], kind[0])]
    return entry.num_requests, entry.num_failures


def test_visits_that_end_well_are_begun_and_none_of_them_failed(world):
    person = world.shopper(Shop(), world.environment())
    for _ in range(12):
        person.visit()
    assert row(world, VISIT) == (10, 0)
    assert world.counted()[1] == {"due": 10, "begun": 10, "failed": 0}
    bought = [line for file in world.folder.intended.iterdir() for line in file.read_text().splitlines()]
    assert len(bought) == 10


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(lambda asked: (500, "sorry"), id="500 for all"),
        pytest.param(lambda asked: (200, "we are working on it"), id="a page that says sorry"),
        pytest.param(lambda asked: (500, "") if asked == "POST /cart/add" else None, id="no cart"),
        pytest.param(lambda asked: (200, "") if asked == "POST /checkout" else None, id="no order"),
        pytest.param(lambda asked: (200, "") if asked.startswith("GET /product") else None, id="no product"),
    ],
)
def test_a_visit_to_a_shop_that_does_not_serve_has_failed(world, page):
    person = world.shopper(Shop(page), world.environment())
    for _ in range(3):
        person.visit()
    assert world.counted()[1] == {"due": 10, "begun": 3, "failed": 3}


def test_a_shop_that_nobody_answers_for_is_counted_page_by_page(world):
    def gone(asked):
        raise requests.ConnectionError("refused")

    person = world.shopper(Shop(gone), world.environment())
    person.visit()
    assert row(world, ("GET", "/")) == (1, 1)
    assert world.counted()[1] == {"due": 10, "begun": 1, "failed": 1}


def test_a_visit_that_the_end_cuts_off_has_failed(world):
    from gevent import GreenletExit

    def end():
        raise GreenletExit

    person = world.shopper(Shop(), world.environment())
    person.wait = end
    with pytest.raises(GreenletExit):
        person.visit()
    assert world.counted()[1] == {"due": 10, "begun": 1, "failed": 1}


def test_the_same_seed_makes_the_same_visits_whoever_makes_them(world):
    def visits(people, worker=0):
        shop, env = Shop(), world.environment(worker)
        everybody = [world.shopper(shop, env) for _ in range(people)]
        for number in range(10):
            everybody[number % people].visit()
        return shop.asked

    assert visits(1) == visits(3) != visits(1, worker=1)


def test_an_order_that_found_no_room_is_not_counted_as_sent(world):
    sender = world.classes.EventUser(world.environment())
    sender._pump = SimpleNamespace(refused=0, late_s=[], outlet=SimpleNamespace(refused=Counter()))

    def refused():
        sender._pump.refused += 1
        return 0

    sender._pump.step = refused
    sender.send()
    assert (WRITTEN.name, WRITTEN.method) not in world.stats.entries
    assert row(world, NO_ROOM) == (1, 1)
    assert world.counted()[0] == 0.0


def test_what_the_stream_refuses_is_told_once_each_even_by_a_sender_that_is_ended(world):
    sender = world.classes.EventUser(world.environment())
    outlet = SimpleNamespace(refused=Counter({THROTTLED: 3}))
    sender._pump = SimpleNamespace(refused=0, late_s=[0.1], outlet=outlet, step=lambda: 1)
    sender.send()
    sender.send()
    outlet.refused.update({THROTTLED: 1, "ConnectTimeoutError": 500})
    sender.on_stop()
    achieved, _, refusals = world.counted()
    assert refusals == {THROTTLED: 4, "ConnectTimeoutError": 500}
    assert achieved == 2 / 10
    assert row(world, (STREAM, THROTTLED)) == (4, 4)
    assert world.stats.get(THROTTLED, STREAM).get_response_time_percentile(0.99) == 0


class Board:
    """Opens in a fifth of a second, and breaks off after forty; or does not open."""

    def __init__(self, clock, status):
        self.clock, self.status = clock, status

    def request(self, *_, **__):
        self.clock.advance(0.2)
        return self

    def read1(self, size):
        self.clock.advance(40.0)
        raise urllib3.exceptions.ProtocolError("broken")

    def close(self):
        pass


@pytest.mark.parametrize(("status", "failed"), [(200, 0), (503, 1)])
def test_opening_the_board_is_timed_without_the_viewing_that_follows(world, monkeypatch, status, failed):
    clock = ManualClock()
    monkeypatch.setattr("loadtests.users.board_viewer.time", clock)
    viewer = world.classes.BoardViewer(world.environment())
    viewer._url, viewer._pool = "http://board/events", Board(clock, status)
    viewer.watch()
    assert row(world, ("BOARD", "open")) == (1, failed)
    assert world.stats.get("open", "BOARD").max_response_time == pytest.approx(200)
    names = {name for name, _ in world.stats.entries}
    assert ("viewing that broke off (its length)" in names) == (status == 200)
