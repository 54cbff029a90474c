"""Small sizes: a bench that runs with them shows that it works; its figures mean nothing."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_COLD = {"RECORDS": 4_000, "WRONG_TOTALS": 20, "UNKNOWN_SKUS": 20}

# By bench: module of this package, its constants.
SIZES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "access": {"access": {"RUNS": 1, "_COPIES": 1}},
    "cold": {"cold": {"RUNS": 1, **_COLD}, "cold_streams": _COLD},
    "fleet": {"fleet": {"RUNS": 1, "RECORDS": 4_000}},
    "fleet_simulation": {"fleet_simulation": {"RUNS": 1, "WORKERS": 4, "SHARDS": 16}},
    # Enough that a shard holds a full answer, and that CPU is more than a tick.
    "kinesis": {"kinesis": {"RUNS": 1, "_SMALL_REQUESTS": 100, "_LARGE_REQUESTS": 200, "_READ_ROUNDS": 1}},
    "live": {
        "live": {"RUNS": 1, "RECORDS": 4_000, "REFUSED": 40, "WARM_UP": 4_000, "SETTLE_S": 4.0, "IDLE_S": 2.0},
    },
    "producers": {
        "producers": {"RUNS": 1, "_LINES": 4_000},
        "producers_waits": {"_SECONDS": 2.0, "_WARM_S": 0.5, "_AFTER_S": 1.0},
    },
    # The orders are of the first 3,000 SKUs and 50,000 customers.
    "validate": {
        "validate": {
            "RUNS": 1,
            "_RECORDS": 2_000,
            "_FAULTY": 20,
            "_PRICES": 3_000,
            "_CUSTOMERS": 50_000,
            "_MANY_PRICES": 3_000,
            "_MANY_CUSTOMERS": 50_000,
        }
    },
    "warehouse": {"warehouse": {"RUNS": 1, "_SPANS": 2, "_ORDERS": 100, "_BASELINE_ORDERS": 20}},
}


@contextmanager
def small(name: str) -> Iterator[None]:
    """The bench has its small sizes meanwhile. Raises AttributeError for a constant that is none any more."""
    before: list[tuple[object, str, float]] = []
    try:
        for module_name, constants in SIZES[name].items():
            module = importlib.import_module(f"loadtests.bench.{module_name}")
            for constant, value in constants.items():
                before.append((module, constant, getattr(module, constant)))
                setattr(module, constant, value)
        yield
    finally:
        for module_, constant, value in reversed(before):
            setattr(module_, constant, value)
