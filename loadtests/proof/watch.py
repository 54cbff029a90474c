"""Watches a run while it goes on: probes in every store, and samples of everything else, into the run's folder."""

import csv
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import duckdb
from opensearchpy import OpenSearchException
from pyarrow import ArrowException

from consumers.lake.read import ObjectsMissing
from consumers.sinks.opensearch.connection import connect
from consumers.warehouse.trouble import Refused
from infra.local.viewer import viewing
from loadtests.proof.looking import InLake, InOpenSearch, InWarehouse, sales_on_board
from loadtests.proof.samples import Sampler
from loadtests.proof.sightings import GAPS, LAKE, OPENSEARCH, WAREHOUSE, Sightings
from loadtests.sale.ledger import Tail
from loadtests.sale.plan import RunFolder
from loadtests.sale.settings import SaleSettings
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.outage import Outage

_TAIL_S, _SAMPLE_S = 0.1, 5.0
_TRANSIENT = (OpenSearchException, Outage, ConfigError, Refused, ObjectsMissing, ArrowException, duckdb.Error, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Between two looks: a multiple of the look's own length, so that what watches costs little beside what it
    watches, but no more than is to be in the figures."""

    least_s: float
    times: float = 0.0
    most_s: float = math.inf

    def after(self, look_s: float) -> float:
        """Seconds until the next one."""
        return min(self.most_s, max(self.least_s, self.times * look_s))


SEARCH = Rest(least_s=0.1, times=3.0, most_s=0.5)
HISTORY = Rest(least_s=2.0, times=9.0, most_s=30.0)


class Watch:
    """What a run's watcher knows."""

    def __init__(self, folder: RunFolder, *, board: bool) -> None:
        self.sightings = Sightings(board=board)
        self._folder = folder
        self._tail = Tail(folder.probes)
        self._out = folder.sightings.open("a", newline="", encoding="ascii")
        self._gaps_out = folder.sightings.with_name(GAPS).open("a", newline="", encoding="ascii")
        self._write, self._write_gap = csv.writer(self._out).writerow, csv.writer(self._gaps_out).writerow

    def read_along(self) -> None:
        """Take in new probes, and write what was seen. One thread only."""
        for key, due_us in self._tail.new():
            self.sightings.expect(key, int(due_us))
        for seen in self.sightings.take():
            self._write(seen[:4])
            self._write_gap((seen.store, seen.gap_us))
        self._out.flush()
        self._gaps_out.flush()

    def close(self) -> None:
        self.read_along()
        self._out.close()
        self._gaps_out.close()


@contextmanager
def watching(
    folder: RunFolder, settings: SaleSettings, sampler: Sampler, *, board_url: str, until_seen: bool = True
) -> Iterator[Watch]:
    """Watch until the context is left. Raises ConfigError where the board does not answer."""
    watch = Watch(folder, board=bool(board_url))
    sightings, clock, shop = watch.sightings, SystemClock(), settings.shop
    search, warehouse = connect(settings.opensearch), InWarehouse(settings.warehouse)
    in_opensearch, in_lake = InOpenSearch(search, shop), InLake(settings)

    def look_in_opensearch() -> None:
        if missing := sightings.missing(OPENSEARCH):
            asked_us = _now_us()
            found, sales = in_opensearch.find(missing, sightings.oldest(OPENSEARCH))
            sightings.found(OPENSEARCH, found, _now_us(), sales, asked=missing, asked_us=asked_us)

    def look_in(store: str, find: Callable[[Sequence[str]], Collection[str]]) -> None:
        if missing := sightings.missing(store):
            asked_us = _now_us()
            found = find(missing)
            sightings.found(store, found, _now_us(), asked=missing, asked_us=asked_us)

    def shown(snapshot: bytes) -> None:
        sightings.board_shows(sales_on_board(snapshot, clock.now(), shop), _now_us())

    with ExitStack() as running:
        running.callback(watch.close)
        running.callback(warehouse.close)
        running.callback(search.close)
        looks: list[tuple[str, Rest, Callable[[], None]]] = [
            ("samples", Rest(least_s=_SAMPLE_S), sampler.sample),
            (WAREHOUSE, HISTORY, partial(look_in, WAREHOUSE, warehouse.find)),
            (LAKE, HISTORY, partial(look_in, LAKE, in_lake.find)),
            (OPENSEARCH, SEARCH, look_in_opensearch),
            ("probes", Rest(least_s=_TAIL_S), watch.read_along),
        ]
        for name, rest, look in looks:
            running.enter_context(_looking(name, rest, look))
        if board_url:
            running.enter_context(_viewing_again(board_url, shown))
        yield watch


@contextmanager
def _looking(name: str, rest: Rest, look: Callable[[], None]) -> Iterator[None]:
    done = threading.Event()

    def run() -> None:
        rest_s = rest.least_s
        while not done.wait(rest_s):
            began = time.monotonic()
            with suppress(*_TRANSIENT):  # away, or still to be made: that is seen in the figures
                look()
            rest_s = rest.after(time.monotonic() - began)

    looker = threading.Thread(target=run, name=name, daemon=True)
    looker.start()
    try:
        yield
    finally:
        done.set()
        looker.join()


@contextmanager
def _viewing_again(board_url: str, shown: Callable[[bytes], None]) -> Iterator[None]:
    """`viewing`, and again where the board was restarted, as the page does it."""
    last = time.monotonic()

    def heard(snapshot: bytes) -> None:
        nonlocal last
        last = time.monotonic()
        shown(snapshot)

    done = threading.Event()

    def keep() -> None:
        nonlocal last
        while not done.is_set():
            try:
                with viewing(board_url, heard):
                    last = time.monotonic()
                    while not done.wait(0.2) and time.monotonic() - last < 10:
                        continue
            except ConfigError:
                done.wait(1.0)

    with viewing(board_url, lambda _: None):
        pass  # to begin with it has to be there
    keeper = threading.Thread(target=keep, name="board", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def _now_us() -> int:
    return time.time_ns() // 1000
