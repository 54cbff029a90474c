"""The command on real parts: a stream, cold, two buckets, the lake."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from consumers.cold_process import run_cold
from consumers.keeper.process import resend_duty
from consumers.keeper.resend import ResendDuty
from consumers.keeper.settings import Keeper, KeeperSettings
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.letters import command
from consumers.manifests import START, Manifest
from consumers.settings import Cold, ColdFleet, ColdSettings, Identity
from consumers.spans.chain import Chain, shards_of
from consumers.spans.testing import Chained
from consumers.stages.testing import encoded, enveloped, order
from contract.reference import Price
from infra.local.endpoints import Endpoints
from infra.local.prepare import make_stream
from producers.reference.publish import publish
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.effects import no_effect
from runtime.objects.s3 import S3Objects
from runtime.settings import Lake, Reference, Streams

pytestmark = pytest.mark.integration

PERSON = "C-planted-7731"


class Shop:
    """Streams, buckets and a lake of a test's own."""

    def __init__(self, stack: Endpoints, folder: Path) -> None:
        self.name = f"letters-{uuid.uuid4().hex[:8]}"
        self._stack = stack
        self._kinesis, self._s3 = client("kinesis", stack.aws), client("s3", stack.aws)
        self.lake = Lake(bucket=self.name, restricted_bucket=f"{self.name}-r", database=self.name.replace("-", "_"))
        for bucket in (self.lake.bucket, self.lake.restricted_bucket, f"{self.name}-ref"):
            self._s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": stack.aws.region})
        key = folder / "identity.key"
        key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
        self.settings = ColdSettings(
            aws=stack.aws,
            streams=Streams(transactions=self.name, access=f"{self.name}-access"),
            lake=self.lake,
            identity=Identity(key=str(key)),
            reference=Reference(bucket=f"{self.name}-ref"),
            cold_fleet=ColdFleet(poll_s=0.25, scan_s=0.2, failover_s=2.0),
            cold=Cold(application=self.name, access_application=f"{self.name}-access", span_s=0.3),
        )
        for stream in (self.name, f"{self.name}-access"):
            make_stream(self._kinesis, stream)
        self.reference = S3Objects(self._s3, f"{self.name}-ref")
        self.store = LakeStore(LakeCatalogue(stack.aws), self.lake)
        self.store.prepare()
        self.file = folder / "settings.toml"
        sections = {
            "aws": self.settings.aws,
            "streams": self.settings.streams,
            "lake": self.lake,
            "identity": self.settings.identity,
            "reference": self.settings.reference,
            "cold": self.settings.cold,
        }
        lines: list[str] = []
        for section, of in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{name} = {json.dumps(getattr(of, name))}" for name in of.__dataclass_fields__]
        self.file.write_text("\n".join(lines))

    def publish(self, *skus: str) -> None:
        entries = [Price(sku=sku, currency="GBP", price=255) for sku in skus]
        publish("catalogue", entries, self.reference, SystemClock(), at_once=True)

    def put(self, stream: str, contents: Sequence[bytes]) -> None:
        records = [{"Data": data, "PartitionKey": f"{n}"} for n, data in enumerate(contents)]
        assert self._kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0

    def chains(self) -> list[Chained]:
        lake, restricted = S3Objects(self._s3, self.lake.bucket), S3Objects(self._s3, self.lake.restricted_bucket)
        applications = (self.name, f"{self.name}-access")
        return [Chained(lake, restricted, each, shard) for each in applications for shard in shards_of(lake, each)]

    def take_in(self, records: int) -> None:
        """Run cold until so many records are in the lake, and commit them."""
        stop = threading.Event()
        cold = threading.Thread(target=run_cold, args=(self.settings, stop))
        cold.start()
        try:
            end = time.monotonic() + 40
            while time.monotonic() < end and sum(m.records for c in self.chains() for m in c.manifests) < records:
                time.sleep(0.1)
        finally:
            stop.set()
            cold.join()
        assert sum(m.records for c in self.chains() for m in c.manifests) == records
        lake = S3Objects(self._s3, self.lake.bucket)
        taken, fresh = self.store.taken(), list[Manifest]()
        for application in (self.name, f"{self.name}-access"):
            for shard in shards_of(lake, application):
                fresh += Chain(lake, application, shard).after(taken.get((application, shard), START))
        self.store.take(fresh)

    def resend_duty(self) -> ResendDuty:
        """The keeper's, in a hurry."""
        settings = KeeperSettings(
            aws=self.settings.aws,
            lake=self.lake,
            streams=self.settings.streams,
            reference=self.settings.reference,
            keeper=Keeper(applications=f"{self.name},{self.name}-access", resend_wait_s=0.01),
        )
        lake = S3Objects(self._s3, self.lake.bucket)
        return resend_duty(settings, lake, threading.Event(), SystemClock(), no_effect)

    def rows(self, text: str) -> list[dict[str, Any]]:
        return [dict(row) for row in LakeReader(self.store).query(text)]


@pytest.fixture
def shop(stack: Endpoints, tmp_path: Path) -> Shop:
    return Shop(stack, tmp_path)


@pytest.fixture
def run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    monkeypatch.setattr(command, "stop_on_signals", threading.Event)

    def invoke(*options: str) -> Result:
        return CliRunner().invoke(command.letters, [*options, "--settings", str(shop.file)])

    yield invoke


def test_letters_are_listed_mended_and_sent_again_and_each_is_sold_once(shop: Shop, run: Callable[..., Result]) -> None:
    now = datetime.now(UTC).isoformat()
    shop.publish("85123A", "71053")

    def bad(number: int, **changes: Any) -> bytes:
        line = {"sku": "85123a", "quantity": 6, "unit_price": 255}
        names = {"event_id": f"e-{number}", "order_id": f"O-{number}", "event_time": now, "customer_id": PERSON}
        return encoded(order(**{**names, "lines": [line], **changes}), offset=number)

    shop.put(
        shop.name,
        [
            *(bad(n) for n in range(3)),
            bad(3, event_id=...),
            bad(4, order_id="O-sold"),
            bad(5, total=1),
            bad(6, lines=[{"sku": "85123A", "quantity": 6, "unit_price": 255}], order_id="O-sold", event_id="sold"),
            bad(7, lines=[{"sku": "NEW", "quantity": 6, "unit_price": 255}]),
        ],
    )
    shop.put(f"{shop.name}-access", [enveloped(b"[error] File does not exist", kind="access", offset=50)])
    shop.take_in(9)

    listed = run("list", "--json")
    assert listed.exit_code == 0, listed.output
    letters = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {letter["state"] for letter in letters} == {"open"}
    assert sorted(letter["reasons"][0] for letter in letters) == ["not_access", *["unknown_sku"] * 7]
    table = run("list", "--reason", "unknown_sku", "--source", "shop")
    assert "unknown_sku" in table.stdout and "e-1" in table.stdout and "not_access" not in table.stdout

    select = ("--reason", "unknown_sku", "--select", "lines[?sku=='85123a']", "--patch", '{"sku":"85123A"}')
    looked = run("mend", *select)
    assert looked.exit_code == 0, looked.output
    assert "nothing was sent" in looked.stdout and '"85123a" -> "85123A"' in looked.stdout
    assert "+81.00" in looked.stdout and "wrong_total 1" in looked.stdout
    applied = json.loads(run("mend", *select, "--apply", "--json").stdout)
    assert (applied["sent"], applied["refused"], applied["revenue"]) == (4, 1, {"GBP": 4 * 2025})
    assert any("order id is stored" in why for why in applied["left_out"])
    assert json.loads(run("mend", *select, "--apply", "--json").stdout)["sent"] == 0
    shop.take_in(13)
    assert json.loads(run("mend", *select, "--apply", "--json").stdout)["sent"] == 0

    shop.publish("85123a", "NEW")  # the catalogue is corrected, to what the shop writes
    total = ("mend", "e-5", "--patch", '{"total":2025}', "--apply", "--json")
    assert json.loads(run(*total).stdout)["sent"] == 1
    hit = json.dumps({"time": now, "path": "/cart", "status": 200})
    assert json.loads(run("mend", "--reason", "not_access", "--patch", hit, "--apply", "--json").stdout)["sent"] == 1
    duty = shop.resend_duty()
    duty.prepare()
    for _ in range(2):
        duty.turn(lambda: None, threading.Event())
    assert duty.report() == "letters: 1 sent again, 2 waiting"  # the other one is sold already
    shop.take_in(16)
    assert json.loads(run("replay", "--json").stdout)["sent"] == 0

    states = {}
    for line in run("list", "--json").stdout.splitlines():
        letter = json.loads(line)
        states[letter["offset"]] = letter["state"]
    assert states == {**dict.fromkeys((0, 1, 2, 3, 5, 7, 50), "mended"), 4: "open"}
    rows = shop.rows("SELECT event_id, order_id, revenue, origin_offset FROM orders")
    assert sorted(row["origin_offset"] for row in rows) == [0, 1, 2, 3, 5, 6, 7]
    assert len({row["order_id"] for row in rows}) == 7
    letter_ids = {row["origin_offset"]: row["letter_id"] for row in shop.rows("SELECT * FROM letters")}
    assert {row["origin_offset"]: row["event_id"] for row in rows if row["origin_offset"] == 3} == {3: letter_ids[3]}
    assert len(shop.rows("SELECT * FROM hits WHERE page = 'cart'")) == 1

    shown = run("show", "e-1")
    assert shown.exit_code == 0 and "mended with" in shown.stdout and "85123A" in shown.stdout
    for output in (listed, table, looked, shown, run("show", "e-1", "--json")):
        assert PERSON not in output.output
    assert PERSON in run("show", "e-1", "--original").stdout
    assert run("show", "e-none").exit_code == 1
