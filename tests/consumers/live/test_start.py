import random
from typing import Any

import pytest
from opensearchpy.exceptions import ConnectionError, NotFoundError, RequestError, TransportError

from consumers.live_process import await_store
from consumers.settings import Live, LiveSettings
from consumers.sinks.opensearch.connection import connect
from runtime.errors import ConfigError
from runtime.settings import OpenSearch, load
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

AWAY = ConnectionError("N/A", "refused", OSError())
SETTINGS = LiveSettings(opensearch=OpenSearch(url="http://admin:secret@search:9200"), live=Live(start_patience_s=60.0))


class _Store:
    """An OpenSearch client that knows no template; the first requests meet `troubles`."""

    def __init__(self, *troubles: Exception) -> None:
        self.indices = self
        self.put: list[str] = []
        self._troubles = list(troubles)

    def get_index_template(self, name: str) -> Any:
        raise self._troubles.pop(0) if self._troubles else NotFoundError(404, "not_found", {})

    def put_mapping(self, **_: Any) -> None:
        pass

    def put_index_template(self, name: str, body: Any) -> None:
        self.put.append(name)


def wait_for(store: _Store, *, waits: int = 10_000) -> tuple[bool, float]:
    """What came of it, and after how many seconds."""
    clock = ManualClock()
    ready = await_store(store, SETTINGS, StopAfter(waits, clock), clock, random.Random(7))  # type: ignore[arg-type]
    return ready, clock.monotonic()


def test_a_store_that_restarts_is_waited_for() -> None:
    store = _Store(AWAY, TransportError(503, "no_master", {}), AWAY)
    ready, _ = wait_for(store)
    assert ready
    assert store.put == ["storepulse-orders", "storepulse-hits", "storepulse-letters", "storepulse-duplicates"]


def test_a_store_that_stays_away_ends_the_start_with_what_to_change() -> None:
    with pytest.raises(ConfigError) as raised:
        wait_for(_Store(*[AWAY] * 10_000))
    message = str(raised.value)
    assert "[opensearch] url http://***@search:9200" in message
    assert "[live] start_patience_s" in message
    assert "waited 60 s" in message
    assert "\n" not in message
    assert "secret" not in message


def test_a_stop_ends_the_waiting() -> None:
    ready, waited_s = wait_for(_Store(*[AWAY] * 10), waits=2)
    assert not ready
    assert waited_s < 60.0


def test_a_store_that_refuses_is_not_waited_for() -> None:
    with pytest.raises(ConfigError, match="refuses index template storepulse-orders"):
        wait_for(_Store(RequestError(400, "illegal_argument_exception", {})))


@pytest.mark.parametrize("answer", [{}, [], "", None, {"index_templates": []}, {"index_templates": [{"x": 1}]}])
def test_an_answer_that_is_not_opensearchs_own_is_waited_out(answer: Any) -> None:
    class Other(_Store):
        def get_index_template(self, name: str) -> Any:
            return answer

    with pytest.raises(ConfigError, match="not its own; waited 60 s"):
        wait_for(Other())


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "host:9200", "ftp://host", "http://", "http://[::1", "http://host:99999", "http://u:secret@"],
)
def test_a_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[opensearch\] url") as raised:
        connect(OpenSearch(url=url))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "setting", ["LIVE_REPORT_S", "LIVE_REFRESH_MS", "LIVE_START_PATIENCE_S", "OPENSEARCH_TIMEOUT_S"]
)
@pytest.mark.parametrize("value", ["0", "-1", "nan"])
def test_a_time_that_is_none_is_one_line(setting: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"STOREPULSE_{setting}: Expected"):
        load(LiveSettings, environ={f"STOREPULSE_{setting}": value})
