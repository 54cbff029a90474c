"""Drills as data, the gateway that makes one service fail, and what a witness makes of logs."""

import asyncio
import random

import msgspec
import pytest
from click.testing import CliRunner

from contract.reasons import Reason
from loadtests.__main__ import main
from loadtests.drills import table
from loadtests.drills.drill import Outcome
from loadtests.drills.faults import CONTROL, Gateway
from loadtests.drills.holding import recovered
from loadtests.drills.table import DRILLS, SHORT, short
from loadtests.drills.witness import Witness
from loadtests.proof.samples import Lag, Sample

pytestmark = pytest.mark.unit

SIGNED = "AWS4-HMAC-SHA256 Credential=123/20261127/eu-west-2/{}/aws4_request, SignedHeaders=host"


class Forwarded(Gateway):
    """Answers by itself what it would pass on."""

    def _forward(self, scope, body):
        return 200, [(b"x-amz-request-id", b"1")], b"passed on"


def ask(gateway, path="/", service="s3", body=b""):
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"authorization", SIGNED.format(service).encode())]}
    asyncio.run(gateway(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_the_gateway_makes_one_service_fail_and_leaves_the_others_alone():
    gateway = Forwarded("http://127.0.0.1:9")
    assert ask(gateway) == (200, b"passed on")
    ask(
        gateway,
        CONTROL,
        body=b'[{"service":"s3","fault":"away"},{"service":"dynamodb","fault":"throttle","share":0.5}]',
    )
    assert ask(gateway)[0] == 503
    assert ask(gateway, service="glue")[0] == 200
    answers = [ask(gateway, service="dynamodb") for _ in range(200)]
    throttled = [said for status, said in answers if status == 400]
    assert 60 < len(throttled) < 140 and b"ProvisionedThroughputExceededException" in throttled[0]
    ask(gateway, CONTROL, body=b"[]")
    assert ask(gateway)[0] == 200


def test_every_process_is_killed_once_and_the_short_form_is_a_part_of_all():
    names = {name.removeprefix("kill-") for name in DRILLS if name.startswith("kill-")}
    assert names >= {"kinesis", "agent", "live", "cold", "keeper", "board", "opensearch", "redshift"}
    assert set(SHORT) <= DRILLS.keys()
    assert all(short(drill).hold_s <= drill.hold_s for drill in DRILLS.values())
    shown = CliRunner().invoke(main, ["drill", "--help"])
    assert shown.exit_code == 0 and "worker-paused" in shown.output
    assert CliRunner().invoke(main, ["drill", "no-such"]).exit_code == 2


def test_a_clock_that_is_off_makes_letters_of_what_is_ahead_alone():
    rng, found = random.Random(1), []
    for _ in range(90):
        order = {"event_time": "2026-11-27T08:00:00.000000Z"}
        found.append((table._clock_off(order, rng), order["event_time"][11:13]))
    assert set(found) == {(Reason.FUTURE_TIME, "10"), (None, "08"), (None, "06")}


def test_an_order_for_a_late_sku_still_adds_up():
    order = {"lines": [{"sku": "a", "quantity": 1, "unit_price": 5}], "total": 5}
    while len(order["lines"]) == 1:
        assert table._late_sku(order, random.Random()) is None
    assert order["total"] == sum(line["quantity"] * line["unit_price"] for line in order["lines"])


def test_recovery_is_until_the_last_line_sold_before_the_end_of_the_fault_was_seen(tmp_path):
    (tmp_path / "one.csv").write_text("a,1000000\nb,2000000\nlater,9000000\n")
    seen = tmp_path / "sightings"
    seen.write_text("lake,a,1000000,1500000\nlake,b,2000000,7500000\nopensearch,a,1000000,1100000\n")
    assert recovered(tmp_path, seen, 3_000_000) == {"opensearch": None, "lake": 4.5, "warehouse": None}


def test_a_witness_tells_the_first_warning_of_each_log_and_what_statuses_and_the_board_said(tmp_path):
    log = tmp_path / "live.log"
    log.write_text("2026-11-27 08:00:00,000 WARNING old news\n")
    witness = Witness(tmp_path)
    with log.open("a") as file:
        file.write("2026-11-27 08:00:01,000 INFO x fine\n2026-11-27 08:00:01,000 WARNING runtime.outage   waits\n")
    witness.board_shows(msgspec.json.encode({"trouble": []}))
    witness.board_shows(msgspec.json.encode({"trouble": ["OpenSearch cannot be reached"]}))
    lag = Lag(path="live", lag_s=40.0, shards=4, wrong=["1 shard is behind"])
    sample = Sample(at_us=0, processes={}, lag={"storepulse-live-transactions": lag}, agent={})
    assert witness.seen([sample], {"live": 1, "cold": 0}) == {
        "live log": "runtime.outage waits",
        "board": "OpenSearch cannot be reached",
        "consumers status (live-transactions)": "1 shard is behind",
        "supervisor": "live died, restarted",
    }


@pytest.mark.parametrize(
    "changes",
    [{"lost": {"lake": 1}}, {"lost": {}}, {"emitted": 0}, {"recovered_s": {"lake": None}}, {"trouble": "no"}],
    ids=str,
)
def test_a_drill_passes_only_if_nothing_is_lost_and_all_came_back(changes):
    good = Outcome(
        name="x", expected="", emitted=9, lost={"lake": 0}, wrong={"lake": 0}, recovered_s={"lake": 1.0}, seen={}
    )
    assert good.passed
    assert not msgspec.structs.replace(good, **changes).passed
