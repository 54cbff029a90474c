"""Straight into the stream: what it refuses is put again until it is taken."""

import random

import pytest
from botocore.exceptions import ConnectTimeoutError

from loadtests.sale.outlets import StreamOutlet

pytestmark = pytest.mark.unit


class Kinesis:
    """Refuses the first entry of every request but the last, and the first request altogether."""

    def __init__(self):
        self.taken, self.requests = [], 0

    def put_records(self, *, StreamName, Records):
        self.requests += 1
        if self.requests == 1:
            raise ConnectTimeoutError(endpoint_url="http://127.0.0.1")
        first, *others = Records
        if not others:
            others, first = [first], None
        self.taken += [entry["Data"] for entry in others]
        refused = [{"ErrorCode": "ProvisionedThroughputExceededException"}] if first else []
        return {"Records": [*refused, *({"SequenceNumber": "1"} for _ in others)]}


def test_refused_entries_are_put_again_and_counted_and_nobodys_id_is_a_key():
    kinesis, waits = Kinesis(), []
    outlet = StreamOutlet(kinesis, "orders", random.Random(1), wait=waits.append)
    for number in range(700):
        outlet.sell({"event_id": f"e-{number}", "customer_id": "C-1", "session_id": "s"})
    assert "C-1" not in {entry["PartitionKey"] for entry in outlet._waiting}
    outlet.flush()
    assert len(kinesis.taken) == len(set(kinesis.taken)) == 700
    assert outlet.refused["ConnectTimeoutError"] == 500
    assert outlet.refused["ProvisionedThroughputExceededException"] == kinesis.requests - 2
    assert len(waits) == kinesis.requests - 1
