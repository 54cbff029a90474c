"""The shop behind Debian's nginx, as on EC2: a sale, its requests, and the agent that sends both."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from producers.agent.testing import original_of
from producers.agent.testing_process import ACCESS, Kinesis, finished, running_agent, settings_file, wait_for
from producers.storefront.testing import NGINX, ShopBehindNginx, Visitor

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(NGINX is None, reason="no nginx here: apt-get install nginx-light"),
]

VISITORS, ROTATIONS = 3, 4


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    running = Kinesis(tmp_path / "kinesis")
    yield running
    running.kill()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopBehindNginx]:
    running = ShopBehindNginx(tmp_path)
    yield running
    running.stop()


def buy(shop: ShopBehindNginx) -> tuple[str, str]:
    """Session and order number, as the shopper is told."""
    visitor = Visitor(shop.url)
    visitor.get("/")
    visitor.post("/cart/add", {"sku": "KT-101", "quantity": "2"})
    token = re.search(r'name="token" value="(\w+)"', visitor.get("/checkout"))
    assert token is not None
    page = visitor.post("/checkout", {"token": token[1], "customer_id": "C-77", "region": "GB"})
    number = re.search(r'data-testid="order-id">(O-[A-Z2-7]+)<', page)
    assert number is not None
    return visitor.session, number[1]


class Crowd:
    """Visitors who come all the time, each request under an address of its own."""

    def __init__(self, shop: ShopBehindNginx) -> None:
        self.answered: list[str] = []  # paths
        self._shop = shop
        self._stop = threading.Event()

    @contextmanager
    def coming(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(VISITORS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def await_more(self, count: int) -> None:
        before = len(self.answered)
        wait_for(lambda: len(self.answered) >= before + count)

    def _visit(self, visitor: int) -> None:
        number = 0
        while not self._stop.is_set():
            path, number = f"/search?q={visitor}-{number}", number + 1
            assert self._shop.get(path) == 200
            self.answered.append(path)


def delivered(kinesis: Kinesis, stream: str) -> list[bytes]:
    """Lines as they were written."""
    lines = [original_of(data)[1] for data in kinesis.lines(stream)]
    return [line for line in lines if line is not None]


def test_sales_through_nginx_and_all_requests_are_in_the_streams_whatever_is_rotated(
    tmp_path: Path, kinesis: Kinesis, shop: ShopBehindNginx
) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint, more=f'access_logs = "{shop.logs}/shop.access.log*"\n')
    crowd, sales = Crowd(shop), dict[str, str]()
    with running_agent(settings):
        with crowd.coming():
            for rotation in range(1, ROTATIONS + 1):
                session, number = buy(shop)
                sales[session] = number
                shop.rotate(rotation)
                wait_for((shop.logs / "shop.access.log").exists)
                crowd.await_more(30)
        shop.stop()  # what nginx has in its buffer is in the file then
        code, said, _ = finished(settings, "drain")
    assert (code, said[:7]) == (0, "drained")

    orders = [json.loads(line) for line in delivered(kinesis, "orders")]
    assert {order["session_id"]: order["order_id"] for order in orders} == sales
    written, lines = shop.lines()["shop"], delivered(kinesis, ACCESS)
    assert sorted(lines) == sorted(written)
    requests = [json.loads(line) for line in lines]
    assert sorted(r["path"] for r in requests if r["path"].startswith("/search?q=")) == sorted(crowd.answered)
    bought = {r["session"]: r["status"] for r in requests if (r["method"], r["path"]) == ("POST", "/checkout")}
    assert bought == dict.fromkeys(sales, 303)
    assert len(list(shop.logs.glob("shop.access.log.*"))) == ROTATIONS


def test_a_load_balancer_s_looks_are_nobody_s_visit(shop: ShopBehindNginx) -> None:
    assert shop.get("/health") == 200
    assert shop.get("/") == 200
    shop.stop()
    (line,) = shop.lines()["shop"]
    assert json.loads(line)["path"] == "/"
