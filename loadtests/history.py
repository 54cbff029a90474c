"""When probes are in the lake and in the warehouse: asked of each the way its readers ask."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.warehouse.connection import Session, connect
from infra.local.endpoints import Endpoints
from loadtests.probes import Probes
from runtime.errors import ConfigError
from runtime.outage import Outage

LAKE, WAREHOUSE = "lake", "warehouse"

Find = Callable[[Sequence[str]], Collection[str]]  # which of these event ids are there; raises Outage

_LOOK_S = 1.0  # waits are tens of seconds
_AT_ONCE = 1_000
_THERE = "SELECT event_id FROM orders WHERE event_id IN ({})"


@contextmanager
def in_history(endpoints: Endpoints, probes: Probes) -> Iterator[None]:
    """Look for the probes in both stores, in a thread for each, until the context is left."""
    with (
        _looking(LAKE, _in_lake(endpoints), probes),
        _warehouse(endpoints) as find,
        _looking(WAREHOUSE, find, probes),
    ):
        yield


@contextmanager
def _looking(place: str, find: Find, probes: Probes) -> Iterator[None]:
    done = threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_S):
            missing = probes.missing_in(place)[:_AT_ONCE]
            try:
                probes.arrived(place, find(missing) if missing else [])
            except (Outage, ConfigError):  # the keeper has yet to make the tables
                continue

    looker = threading.Thread(target=look, name=place, daemon=True)
    looker.start()
    try:
        yield
    finally:
        done.set()
        looker.join()


def _in_lake(endpoints: Endpoints) -> Find:
    reader = LakeReader(LakeStore(LakeCatalogue(endpoints.aws), endpoints.lake))

    def find(event_ids: Sequence[str]) -> Collection[str]:
        rows = reader.query(_THERE.format(", ".join("?" * len(event_ids))), event_ids)
        return [row["event_id"] for row in rows]

    return find


@contextmanager
def _warehouse(endpoints: Endpoints) -> Iterator[Find]:
    session: Session | None = None

    def find(event_ids: Sequence[str]) -> Collection[str]:
        nonlocal session
        session = session or connect(endpoints.warehouse)
        try:
            rows = session.query("probes", _THERE.format(", ".join("?" * len(event_ids))), event_ids)
            session.rollback()
        except Exception:
            session.close()
            session = None
            raise
        return [row["event_id"] for row in rows]

    try:
        yield find
    finally:
        if session:
            session.close()
