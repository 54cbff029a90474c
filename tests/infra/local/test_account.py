"""What the account says of each thing that can become of a line."""

import io
import threading
import zlib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from opensearchpy import ConnectionError as Away
from rich.console import Console

from contract.reasons import Reason
from infra.local.account import Account, settled_account, take_account
from infra.local.demo_commands import show_account
from producers.agent.files import FileRecord
from producers.agent.state import Ledger

pytestmark = pytest.mark.unit

LINES = [b'{"order":%d}' % number for number in range(5)]


class FakeStore:
    """OpenSearch with the documents of lines, as far as the account asks."""

    def __init__(self) -> None:
        self.documents: list[tuple[str, dict[str, Any]]] = []
        self.indices = SimpleNamespace(refresh=lambda **_: None)
        self.params: list[dict[str, str]] = []

    def holds(self, index: str, file_id: str | None, line: bytes = b"", reason: str = "") -> None:
        origin = {"origin.file": file_id, "origin.crc": zlib.crc32(line)} if file_id else {}
        self.documents.append((index, {**origin, "reason": reason}))

    def search(self, *, index: str, body: dict[str, Any], params: dict[str, str]) -> dict[str, Any]:
        self.params.append(params)
        needed, by = body["query"]["exists"]["field"], body["aggs"]["groups"]["terms"]["field"]
        rows = [row for name, row in self.documents if fnmatch(name, index) and needed in row]
        if not any(fnmatch(name, index) for name, _ in self.documents):
            return {"hits": {"hits": []}}  # no such index: OpenSearch answers without aggregations
        crc = Counter[str]()
        for row in rows:
            crc[row[by]] += row["origin.crc"]
        counts = Counter(row[by] for row in rows)
        buckets = [{"key": key, "doc_count": count, "crc": {"value": float(crc[key])}} for key, count in counts.items()]
        return {"aggregations": {"groups": {"buckets": buckets}}}


class Machine:
    """A spool, an agent's state and a store, each as the test says."""

    def __init__(self, folder: Path) -> None:
        self.spool, self.agent, self.store = folder / "spool", folder / "agent", FakeStore()
        self.spool.mkdir()
        self.agent.mkdir()
        self.ledger = Ledger()

    def emits(self, name: str, *lines: bytes, torn: bytes = b"") -> None:
        (self.spool / name).write_bytes(b"".join(line + b"\n" for line in lines) + torn)

    def acknowledges(self, name: str, file_id: str, lines: int) -> None:
        path = self.spool / name
        stat = path.stat()
        record = FileRecord(
            file_id=file_id,
            path=str(path),
            device=stat.st_dev,
            inode=stat.st_ino,
            acknowledged_lines=lines,
            head_bytes=0,
            head="",
        )
        self.ledger.files.append(record)

    def indexes(self, file_id: str, *lines: bytes) -> None:
        for line in lines:
            self.store.holds("orders-2026.11.27", file_id, line)

    def account(self) -> Account:
        (self.agent / "state.json").write_bytes(msgspec.json.encode(self.ledger))
        return take_account(self.spool, self.agent, self.store)  # type: ignore[arg-type]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_lines_that_are_all_acknowledged_and_found_balance(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES[:3])
    machine.store.holds("letters-2026.11.27", "host-1", LINES[3], "unknown_sku")
    machine.store.holds("duplicates", "host-1", LINES[4])

    account = machine.account()

    assert account.balances
    assert account == Account(
        emitted=5, acknowledged=5, indexed=3, refused={"unknown_sku": 1}, duplicates=1, in_flight=0
    )


def test_a_machine_that_never_sold_balances(tmp_path: Path) -> None:
    assert take_account(tmp_path / "spool", tmp_path / "agent", FakeStore()).balances  # type: ignore[arg-type]


def test_lines_that_were_not_sent_yet_are_in_flight(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 2)
    machine.indexes("host-1", *LINES[:2])

    account = machine.account()

    assert (account.emitted, account.acknowledged, account.in_flight) == (5, 2, 3)
    assert account.unmatched == ["a.ndjson: 5 lines emitted, 2 found"]
    assert not account.balances


def test_a_line_that_was_acknowledged_and_is_not_found_is_missed(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES[:4])

    account = machine.account()

    assert (account.acknowledged, account.in_flight, account.balances) == (5, 1, False)
    assert account.unmatched == ["a.ndjson: 5 lines emitted, 4 found"]


def test_a_line_that_is_found_twice_is_noticed(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES, LINES[0])

    account = machine.account()

    assert (account.in_flight, account.balances) == (-1, False)
    assert account.unmatched == ["a.ndjson: 5 lines emitted, 6 found"]


def test_as_many_lines_that_are_other_ones_do_not_balance(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES[:4], LINES[0])

    account = machine.account()

    assert (account.in_flight, account.balances) == (0, False)
    assert account.unmatched == ["a.ndjson: 5 lines emitted, 5 found (not the same ones)"]


def test_what_one_file_lacks_another_one_cannot_make_up_for(machine: Machine) -> None:
    for name, file_id in (("a.ndjson", "host-1"), ("b.ndjson", "host-2")):
        machine.emits(name, *LINES[:2])
        machine.acknowledges(name, file_id, 2)
    machine.indexes("host-1", LINES[0])
    machine.indexes("host-2", *LINES[:3])

    account = machine.account()

    assert (account.in_flight, account.balances) == (0, False)
    assert [line.split(":")[0] for line in account.unmatched] == ["a.ndjson", "b.ndjson"]


def test_a_torn_last_line_was_never_emitted(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES, torn=b'{"order":')
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES)

    assert machine.account().emitted == 5
    assert machine.account().balances


def test_a_file_that_the_agent_does_not_know_is_named(machine: Machine) -> None:
    machine.emits("unknown.ndjson", *LINES)

    account = machine.account()

    assert (account.in_flight, account.balances) == (5, False)
    assert account.unmatched == ["unknown.ndjson: 5 lines emitted, 0 found"]


def test_only_what_an_agent_would_follow_is_emitted(machine: Machine) -> None:
    machine.emits("empty.ndjson")
    machine.emits("a.ndjson.gz", *LINES)
    machine.emits(".hidden", *LINES)
    (machine.spool / "folder.ndjson").mkdir()

    account = machine.account()

    assert (account.emitted, account.balances) == (0, True)
    assert account.unread == ["a.ndjson.gz"]


def test_a_file_is_known_by_any_name(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES)
    (machine.spool / "a.ndjson").rename(machine.spool / "a.ndjson.1")

    assert machine.account().balances


def test_stored_lines_without_their_spool_file_are_named(machine: Machine) -> None:
    machine.indexes("host-9", *LINES[:2])

    account = machine.account()

    assert (account.in_flight, account.balances) == (-2, False)
    assert account.unmatched == ["file id host-9: 2 lines found, no such spool file"]


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_file_that_was_sent_whole_may_be_deleted(machine: Machine, is_forgotten: bool) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES)
    (machine.spool / "a.ndjson").unlink()
    if is_forgotten:
        machine.ledger = Ledger(forgotten_files=1, forgotten_lines=5)

    account = machine.account()

    assert (account.emitted, account.deleted, account.in_flight, account.balances) == (5, 5, 0, True)


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_line_of_a_deleted_file_that_is_not_found_is_missed(machine: Machine, is_forgotten: bool) -> None:
    machine.emits("a.ndjson", *LINES)
    machine.acknowledges("a.ndjson", "host-1", 5)
    machine.indexes("host-1", *LINES[:4])
    (machine.spool / "a.ndjson").unlink()
    if is_forgotten:
        machine.ledger = Ledger(forgotten_files=1, forgotten_lines=5)

    account = machine.account()

    assert not account.balances
    assert account.unmatched == ["file id host-1: 4 lines found, no such spool file"]


@pytest.mark.parametrize(
    ("account", "verdict"),
    [
        (Account(emitted=0, acknowledged=0, indexed=0, duplicates=0, in_flight=0), "nothing was emitted yet"),
        (Account(emitted=5, acknowledged=5, indexed=5, duplicates=0, in_flight=0), "the account balances to the line"),
        (
            Account(emitted=5, acknowledged=2, indexed=2, duplicates=0, in_flight=3),
            "3 lines are not sent yet; is the",
        ),
        (
            Account(emitted=5, acknowledged=5, indexed=2, duplicates=0, in_flight=3),
            "3 lines are sent and not found;",
        ),
        (Account(emitted=5, acknowledged=5, indexed=6, duplicates=0, in_flight=-1), "THE ACCOUNT DOES NOT BALANCE"),
    ],
)
def test_the_verdict_says_what_to_look_at(account: Account, verdict: str) -> None:
    console = Console(file=io.StringIO(), width=200)
    show_account(account, console)
    assert verdict in console.file.getvalue()  # type: ignore[attr-defined]


def test_every_reason_is_shown_with_what_it_means() -> None:
    console = Console(file=io.StringIO(), width=200)
    refused = {"unknown_sku": 2, "of_a_later_version": 1}
    show_account(Account(emitted=3, acknowledged=3, indexed=0, refused=refused, duplicates=0, in_flight=0), console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert Reason.UNKNOWN_SKU.about in said
    assert "of_a_later_version" in said


def test_letters_are_told_apart_by_reason(machine: Machine) -> None:
    machine.emits("a.ndjson", *LINES[:3])
    machine.acknowledges("a.ndjson", "host-1", 3)
    for line, reason in zip(LINES, ("unknown_sku", "not_json", "unknown_sku"), strict=False):
        machine.store.holds("letters-2026.11.27", "host-1", line, reason)

    account = machine.account()

    assert account.refused == {"unknown_sku": 2, "not_json": 1}
    assert account.balances


def test_a_record_that_no_agent_sent_counts_nowhere(machine: Machine) -> None:
    machine.store.holds("orders-2026.11.27", None)
    machine.store.holds("letters-2026.11.27", None, reason="not_json")

    assert machine.account() == Account(emitted=0, acknowledged=0, indexed=0, duplicates=0, in_flight=0)


def test_an_answer_that_lacks_a_shard_is_refused_rather_than_counted(machine: Machine) -> None:
    machine.account()

    assert {params["allow_partial_search_results"] for params in machine.store.params} == {"false"}


EVEN = Account(emitted=1, acknowledged=1, indexed=1, duplicates=0, in_flight=0)
SHORT = Account(emitted=1, acknowledged=1, indexed=0, duplicates=0, in_flight=1)


class Looks:
    """Accounts that are taken one after the other; an exception is raised."""

    def __init__(self, *accounts: Account | Exception) -> None:
        self.left = list(accounts)

    def __call__(self) -> Account:
        account = self.left.pop(0)
        if isinstance(account, Exception):
            raise account
        return account


class Waits(threading.Event):
    """Passes the time at once."""

    def __init__(self, *, sets_after: int = 1000) -> None:
        super().__init__()
        self.count, self.sets_after = 0, sets_after

    def wait(self, timeout: float | None = None) -> bool:
        self.count += 1
        return self.count > self.sets_after


def test_the_account_is_taken_until_it_balances() -> None:
    looks = Looks(SHORT, Away("N/A", "away", Exception()), EVEN, SHORT)

    assert settled_account(looks, within_s=60, stop=Waits()) == EVEN
    assert looks.left == [SHORT]


def test_when_the_time_is_over_the_account_is_told_as_it_is() -> None:
    stop = Waits()

    assert settled_account(lambda: SHORT, within_s=10, stop=stop) == SHORT
    assert stop.count == 19


def test_a_stop_ends_the_wait_at_once() -> None:
    assert settled_account(Looks(SHORT, SHORT), within_s=60, stop=Waits(sets_after=1)) == SHORT


def test_nobody_waits_for_what_cannot_come() -> None:
    assert settled_account(Looks(SHORT), within_s=60, stop=Waits(), hopeless=lambda: True) == SHORT


def test_a_store_that_never_answers_is_an_error() -> None:
    with pytest.raises(Away):
        settled_account(Looks(*[Away("N/A", "away", Exception())] * 4), within_s=2, stop=Waits())
