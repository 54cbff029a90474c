"""Drills as data, the gateway that makes one service fail, and what a witness makes of logs."""

import asyncio
import random
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import get_type_hints

import msgspec
import psutil
import pytest
from click.testing import CliRunner

from contract.reasons import Reason
from infra.local import pipeline
from infra.local.parts import Part, TcpReady
from infra.local.stack import PARTS
from loadtests.__main__ import main
from loadtests.drills import command, holding, table
from loadtests.drills.command import hold_all
from loadtests.drills.drill import Drill, Load, Outcome
from loadtests.drills.faults import CONTROL, Gateway
from loadtests.drills.ground import Ground, through_gateway
from loadtests.drills.holding import Fault, outcome_of, suffered
from loadtests.drills.recovery import recovered
from loadtests.drills.selling import check_out
from loadtests.drills.signs import Sign, silence
from loadtests.drills.table import DRILLS, SHORT, short
from loadtests.drills.witness import Witness
from loadtests.proof.samples import Lag, Sample
from loadtests.sale.ledger import Ledger
from loadtests.sale.plan import RunFolder
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.testing import ManualClock

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
    counted = {"s3": 1, "dynamodb": len(throttled)}
    assert msgspec.json.decode(ask(gateway, CONTROL)[1]) == counted  # and the rules are still in force
    assert ask(gateway)[0] == 503
    counted["s3"] += 1
    assert msgspec.json.decode(ask(gateway, CONTROL, body=b"[]")[1]) == counted
    assert ask(gateway)[0] == 200


def test_every_process_is_killed_once():
    made = {name for name, made in vars(pipeline).items() if callable(made) and returns_part(name, made)}
    every = {*PARTS, *made} - {pipeline.SHOPPERS}  # who are the load
    assert {pipeline.AGENT, pipeline.STOREFRONT} < every
    killed = {name.removeprefix("kill-") for name in DRILLS if name.startswith("kill-")}
    assert killed == every - {"ministack"}
    assert "ministack-restarting" in DRILLS  # SIGTERM: it holds S3 and DynamoDB, which lose nothing


def returns_part(name, made):
    return not name.startswith("_") and name.islower() and get_type_hints(made).get("return") is Part


def test_the_short_form_is_a_part_of_all():
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


def test_recovery_is_from_when_the_end_was_begun_until_the_last_line_sold_before_all_was_back_was_seen(tmp_path):
    (tmp_path / "one.csv").write_text("a,1000000\nb,2000000\nwhile it starts,8000000\nlater,9500000\n")
    seen = tmp_path / "sightings"
    seen.write_text(
        "lake,a,1000000,1500000\nlake,b,2000000,7500000\nlake,while it starts,8000000,43000000\n"
        "opensearch,a,1000000,1100000\nopensearch,b,2000000,2100000\n"
    )
    found = recovered(tmp_path, seen, ended_us=3_000_000, back_us=9_000_000)
    assert found == {"opensearch": None, "lake": 40.0, "warehouse": None}


class Grounds:
    """A ground that notes what is done on it; waiting takes no time."""

    def __init__(self):
        self.did = []
        self.counted = 0
        self.stack = SimpleNamespace(wait=lambda s=None: self.did.append("wait") and False)


def drill_on(ground, *, provoke=None, undo=None, seen=1, is_of_the_end=False):
    def act(name, error):
        def do(_):
            ground.did.append(name)
            ground.counted += seen
            if error:
                raise error

        return do

    sign = Sign(what="signs", count=lambda ground: ground.counted, is_of_the_end=is_of_the_end, within_s=2.0)
    return Drill(name="x", expected="", sign=sign, provoke=act("provoke", provoke), undo=act("undo", undo), hold_s=1.0)


def test_the_time_to_recover_begins_before_the_end_of_the_fault_is_waited_for(monkeypatch):
    ground, now = Grounds(), [1_000]
    monkeypatch.setattr(holding, "_now_us", lambda: now[0])

    def start_again(_):
        now[0] += 40_000_000  # as OpenSearch does

    fault = suffered(replace(drill_on(ground), undo=start_again), ground, 0)
    assert fault == Fault(ended_us=1_000, back_us=40_001_000, times=1)


@pytest.mark.parametrize(
    "error",
    [psutil.NoSuchProcess(1), Outage("away"), ConfigError("gone"), ConnectionResetError("reset")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_fault_may_cause_is_trouble_of_the_drill_and_its_end_is_tried_all_the_same(error):
    ground = Grounds()
    fault = suffered(drill_on(ground, provoke=error), ground, 0)
    assert fault.trouble.startswith("could not be provoked: ") and ground.did == ["provoke", "undo"]
    fault = suffered(drill_on(ground, undo=error), ground, 0)
    assert fault.trouble.startswith("could not be undone: ")


def test_a_fault_waits_until_every_store_has_shown_something_of_the_drill(tmp_path):
    seen, folder = iter(["opensearch,a,1,2", "lake,a,1,2", "warehouse,a,1,2", "too late"]), RunFolder(tmp_path)

    def wait(_):
        with folder.sightings.open("a") as file:
            file.write(f"{next(seen)}\n")

    holding._await_first(SimpleNamespace(stack=SimpleNamespace(wait=wait)), folder)
    assert holding.stores_in(folder.sightings) == {"opensearch", "lake", "warehouse"}


def test_a_sign_that_could_not_be_counted_before_is_not_believed_afterwards():
    def away(_):
        raise Outage("away")

    each = drill_on(Grounds())
    before = holding._counted(replace(each, sign=replace(each.sign, count=away)), Grounds())
    assert replace(each.sign, count=lambda _: 1_000_000).times(Grounds(), before) == 0


def test_a_fault_lasts_until_its_sign_was_seen():
    ground = Grounds()
    sign = Sign(what="signs", count=lambda ground: ground.did.count("wait") // 4)
    assert suffered(replace(drill_on(ground), sign=sign), ground, 0).times == 1
    assert ground.did == ["provoke", "wait", "wait", "wait", "wait", "undo"]


def test_a_fault_that_was_not_in_force_fails_the_drill_with_words(tmp_path):
    ground = Grounds()
    each = drill_on(ground, seen=0)
    fault = suffered(each, ground, 0)
    folder = RunFolder(tmp_path)
    folder.make_folders()
    outcome = outcome_of(each, folder, [], {}, fault, fault.times, {})
    assert outcome.trouble == "its fault was not in force: no signs" and not outcome.passed


def test_a_share_of_the_lines_has_to_show_it_and_who_cannot_be_asked_has_shown_nothing():
    ground = Grounds()
    answers = iter([Outage("away"), 29, 30])

    def count(_):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    sign = Sign(what="letters", count=count, share=0.25)
    assert sign.times(ground, 5, lines=100) == 25
    assert replace(sign, count=lambda _: 29, within_s=2.0).times(ground, 5, lines=100) == 0


def test_a_part_that_was_stopped_refuses_whoever_knocks():
    part = Part(name="opensearch", command=(), ready=TcpReady(port=9), url="http://127.0.0.1:9")
    ground = SimpleNamespace(stopped={"opensearch": part}.get)
    assert silence("opensearch").count(ground) == 1
    assert silence("redshift").count(ground) == 0  # it runs


def test_a_hot_key_is_more_than_its_shard_takes():
    load, order = DRILLS["hot-key"].load, {}
    assert load.customer_id and load.alter(order, random.Random()) is None
    assert load.rate(1.0) * len(msgspec.json.encode(order)) > 1.4 * (1 << 20)  # Kinesis: 1 MiB a second
    assert Load(times=2.0).rate(50.0) == 100.0


def test_the_warehouse_reads_s3_through_the_gateway():
    part = Part(name="redshift", command=("serve", "--s3-endpoint", "http://direct", "--region", "x"))
    assert through_gateway(part, "http://gateway").command == [
        "serve",
        "--s3-endpoint",
        "http://gateway",
        "--region",
        "x",
    ]


def test_no_part_of_that_name_is_a_thing_to_say_and_not_the_end_of_all_drills(tmp_path):
    def stop_part(name):
        raise KeyError(name)

    stack = SimpleNamespace(stop_part=stop_part, home=SimpleNamespace(root=tmp_path))
    ground = Ground(
        stack=stack,
        endpoints=None,
        shop_url="",
        board_url="",
        settings=SimpleNamespace(aws=SimpleNamespace(endpoint="http://127.0.0.1:9")),
    )
    with pytest.raises(ConfigError, match="live-2 does not run"):
        ground.end_second_live()
    with pytest.raises(ConfigError, match="the gateway does not answer"):
        ground.fail()


class Visits:
    """A shop of one product, which may go away at the checkout."""

    def __init__(self, *, dies=False):
        self._dies = dies

    def get(self, path):
        if path == "/checkout":
            return f'<input name="token" value="{"0a" * 16}">'
        return '<a href="/product/KT-1">' if path == "/" else '<input name="sku" value="KT-1">'

    def post(self, path, form):
        if path == "/checkout" and self._dies:
            raise ConnectionResetError
        return '<b data-testid="order-id">O-ABCDEF</b>'


def test_an_order_of_the_shop_is_held_against_the_stores_once_its_number_was_read(tmp_path):
    with Ledger(tmp_path, tmp_path, "shop") as ledger:
        check_out(Visits(dies=True), ledger, random.Random(1), ManualClock())
        assert (tmp_path / "shop.csv").read_text() == ""
        check_out(Visits(), ledger, random.Random(1), ManualClock())
    assert (tmp_path / "shop.csv").read_text().startswith("O-ABCDEF,order,,1,")


GOOD = Outcome(
    name="x",
    expected="",
    sign="signs",
    in_force=1,
    emitted=9,
    lost={"lake": 0},
    wrong={"lake": 0},
    recovered_s={"lake": 1.0},
    seen={},
)


def test_a_used_folder_is_refused_before_anything_starts(tmp_path):
    folder = RunFolder(tmp_path / "s3-away")
    folder.root.mkdir()
    folder.plan_file.touch()
    with pytest.raises(ConfigError, match="choose another folder"):
        next(hold_all(None, None, [DRILLS["s3-away"]], tmp_path, rate=1, seed=1))


def test_a_drill_that_was_cut_short_has_lost_nothing_that_anybody_knows_of(tmp_path, monkeypatch):
    stop = threading.Event()
    stack = SimpleNamespace(stop=stop, given_up=[], say=lambda line: None)

    def held(each, *_, **__):
        if each.name == "hot-key":
            stop.set()
        return GOOD

    monkeypatch.setattr(command, "prepared", lambda *_: nullcontext())
    monkeypatch.setattr(command, "hold", held)
    drills = [DRILLS["s3-away"], DRILLS["hot-key"], DRILLS["clock-off"]]
    assert list(hold_all(stack, None, drills, tmp_path, rate=1, seed=1)) == [GOOD]


def test_drills_that_were_held_are_shown_whatever_ends_the_rest_and_one_named_twice_is_held_once(tmp_path, monkeypatch):
    named = []

    def held(stack, settings, drills, folder, **_):
        named.extend(each.name for each in drills)
        yield GOOD
        raise ConfigError("the gateway is gone")

    monkeypatch.setattr(command, "hold_all", held)
    monkeypatch.setattr(command, "stop_on_signals", threading.Event)
    options = ["drill", "s3-away", "s3-away", "hot-key", "--json", "--run", str(tmp_path)]
    done = CliRunner().invoke(main, options, env={"STOREPULSE_LOCAL_DOWNLOADS": str(tmp_path)})
    assert named == ["s3-away", "hot-key"]
    assert isinstance(done.exception, ConfigError)
    assert [each["in_force"] for each in msgspec.json.decode(done.stdout)] == [1]


def test_a_witness_tells_the_first_warning_of_each_log_and_what_statuses_and_the_board_said(tmp_path):
    log = tmp_path / "live.log"
    log.write_text("2026-11-27 08:00:00,000 WARNING old news\n")
    lag = Lag(path="live", lag_s=40.0, shards=4, wrong=["1 shard is behind"])
    early = Sample(at_us=time.time_ns() // 1000, processes={}, lag={"storepulse-cold-access": lag}, agent={})
    witness = Witness(tmp_path)
    witness.board_shows(msgspec.json.encode({"trouble": ["an index is being made"]}))
    witness.begin()
    with log.open("a") as file:
        file.write("2026-11-27 08:00:01,000 INFO x fine\n2026-11-27 08:00:01,000 WARNING runtime.outage   waits\n")
    witness.board_shows(msgspec.json.encode({"trouble": []}))
    witness.board_shows(msgspec.json.encode({"trouble": ["OpenSearch cannot be reached"]}))
    sample = Sample(at_us=time.time_ns() // 1000, processes={}, lag={"storepulse-live-transactions": lag}, agent={})
    assert witness.seen([early, sample], {"live": 1, "cold": 0}) == {
        "live log": "runtime.outage waits",
        "board": "OpenSearch cannot be reached",
        "consumers status (live-transactions)": "1 shard is behind",
        "supervisor": "live died, restarted",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"lost": {"lake": 1}},
        {"lost": {}},
        {"emitted": 0},
        {"recovered_s": {"lake": None}},
        {"trouble": "no"},
        {"in_force": 0},
    ],
    ids=str,
)
def test_a_drill_passes_only_if_nothing_is_lost_and_all_came_back(changes):
    assert GOOD.passed
    assert not msgspec.structs.replace(GOOD, **changes).passed
