import socket
from pathlib import Path
from threading import Event

import pytest

from dashboards.board import serve as serving
from dashboards.board.serve import serve, storefront
from dashboards.board.settings import Board, BoardSettings
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.settings import Reference, Shop

pytestmark = pytest.mark.unit


def start(settings: BoardSettings) -> None:
    serve(settings, Event(), clock=SystemClock(), started=lambda url: None)


def test_an_unknown_time_zone_says_so() -> None:
    with pytest.raises(ConfigError, match=r"\[shop\] time_zone: 'Europe/Atlantis' is no IANA time zone"):
        storefront(BoardSettings(shop=Shop(time_zone="Europe/Atlantis")))


def test_an_unknown_currency_says_so() -> None:
    with pytest.raises(ConfigError, match=r"\[shop\] currency: 'pounds' is no ISO 4217 code"):
        storefront(BoardSettings(shop=Shop(currency="pounds")))


def test_names_come_from_the_catalogue(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.ndjson"
    catalogue.write_text('{"sku":"85123A","name":"HANGING HEART","price":255,"currency":"GBP"}\n')
    shop = storefront(BoardSettings(reference=Reference(catalogue=str(catalogue))))
    assert shop.names == {"85123A": "HANGING HEART"}


def test_without_a_catalogue_the_board_shows_skus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shop = storefront(BoardSettings(reference=Reference(catalogue=str(tmp_path / "absent.ndjson"))))
    assert shop.names == {}
    assert "no catalogue yet" in caplog.text


def test_a_broken_catalogue_says_so(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.ndjson"
    catalogue.write_text('{"sku":')
    with pytest.raises(ConfigError, match=r"\[reference\] catalogue: .* is not readable"):
        storefront(BoardSettings(reference=Reference(catalogue=str(catalogue))))


def test_a_missing_chart_library_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_ECHARTS", tmp_path / "echarts.js")
    with pytest.raises(ConfigError, match="run `make`"):
        start(BoardSettings())


def test_a_port_in_use_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "echarts.js"
    library.touch()
    monkeypatch.setattr(serving, "_ECHARTS", library)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            start(BoardSettings(board=Board(port=port)))


def test_a_refresh_of_zero_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "echarts.js"
    library.touch()
    monkeypatch.setattr(serving, "_ECHARTS", library)
    with pytest.raises(ConfigError, match="refresh_s"):
        start(BoardSettings(board=Board(refresh_s=0)))
