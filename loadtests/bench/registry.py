"""The benchmarks by name. Each is a module of this package with `run() -> Sequence[Figure]`."""

import importlib
from collections.abc import Sequence

from loadtests.bench.report import Figure

BENCHES = {
    "cold": "CPU of cold per million orders, from the stream to validated Parquet in S3",
    "fleet": "records/s and CPU of the Kinesis source beside other readers; starts and hand-overs",
    "fleet_simulation": "64 workers and 512 shards on a simulated clock: time to balance, DynamoDB calls a minute",
    "kinesis": "server CPU of the local Kinesis per record put and read",
    "live": "stream to OpenSearch: CPU per million, drain rate beside the node's own ceiling, CPU at rest",
    "producers": "CPU of the agent per million lines, plain and aggregated, beside other ways to send them",
    "validate": "orders/s a core read and judged by every rule, beside json and pydantic; the load of reference data",
    "warehouse": "rows/s from the lake's spans into the warehouse, beside the driver's own inserts",
    # Last: its log may be absent.
    "access": "access lines parsed and enriched a second on one core, of a real Apache log",
}


def run(name: str) -> Sequence[Figure]:
    """Measure. Only the module asked for is imported: each bench has its own needs."""
    figures: Sequence[Figure] = importlib.import_module(f"loadtests.bench.{name}").run()
    return figures
