import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from producers.emit import Spool
from producers.storefront.app import storefront
from producers.storefront.shelf import SHIPPED, Shelf, shelf_from
from runtime.testing import ManualClock

OpenShop = Callable[[Any], TestClient]


@pytest.fixture(scope="session")
def shelf() -> Shelf:
    return shelf_from(SHIPPED)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def access_log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def open_shop(shelf: Shelf, clock: ManualClock, access_log: Path) -> Iterator[OpenShop]:
    """A browser in a shop over the given spool; several browsers of one test are in the same shop."""
    ids = (f"{number:032x}" for number in itertools.count(1))
    opened: list[TestClient] = []

    def open_one(spool: Any) -> TestClient:
        app = storefront(shelf=shelf, spool=spool, access_log=access_log, clock=clock, new_id=lambda: next(ids))
        opened.append(TestClient(app, raise_server_exceptions=False).__enter__())
        return opened[-1]

    yield open_one
    for client in opened:
        client.__exit__(None)


@pytest.fixture
def spool_folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def browser(open_shop: OpenShop, spool_folder: Path) -> Iterator[TestClient]:
    with Spool(spool_folder) as spool:
        yield open_shop(spool)


@pytest.fixture
def spooled(spool_folder: Path) -> Callable[[], list[bytes]]:
    """The lines that are in the spool now."""
    return lambda: [line for file in sorted(spool_folder.glob("*")) for line in file.read_bytes().splitlines()]


class Reading:
    """What a test reads off a page."""

    @staticmethod
    def text(page: str, testid: str) -> str | None:
        found = re.search(rf'data-testid="{testid}"[^>]*>\s*([^<]*?)\s*<', page)
        return found[1] if found else None

    @staticmethod
    def token(page: str) -> str:
        found = re.search(r'name="token" value="([^"]*)"', page)
        assert found, "no order token on the page"
        return found[1]


@pytest.fixture
def read() -> type[Reading]:
    return Reading


@pytest.fixture
def hostile() -> list[str]:
    file = Path(__file__).parents[4] / "shared/data/hostile_strings/blns.json"
    if not file.exists():
        pytest.skip("the list of hostile strings (blns.json) is not beside the project")
    return list(json.loads(file.read_bytes()))
