"""The emit SDK: what a shop may rely on."""

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.order import Order
from producers.emit import Spool
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

ORDER: dict[str, Any] = {
    "type": "order",
    "schema_version": 1,
    "event_time": "2026-11-27T08:00:00.123Z",
    "order_id": "O-1",
    "kind": "sale",
    "channel": "web",
    "currency": "GBP",
    "lines": [{"sku": "85123A", "quantity": 6, "unit_price": 255}],
    "total": 1530,
}


def lines_in(folder: Path) -> list[bytes]:
    return [line for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines()]


def test_three_lines_write_one_json_object_a_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new" / "spool")
    spool.append(ORDER)
    spool.append({**ORDER, "order_id": "O-2", "note": "caf\u00e9\n\u2028"})
    spool.close()
    (file,) = (tmp_path / "new" / "spool").glob("*.ndjson")
    content = file.read_bytes()
    assert content.endswith(b"\n")
    assert [json.loads(line)["order_id"] for line in content.split(b"\n")[:-1]] == ["O-1", "O-2"]


def test_an_order_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(ORDER)
    assert lines_in(tmp_path) == [json.dumps(ORDER, separators=(",", ":")).encode()]


def test_a_full_file_is_followed_by_a_new_one(tmp_path: Path) -> None:
    with Spool(tmp_path, max_file_bytes=500) as spool:
        for _ in range(5):
            spool.append(ORDER)
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) == 3
    assert max(sizes) <= 500
    assert len(lines_in(tmp_path)) == 5


def test_a_file_that_is_old_enough_is_followed_by_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    monkeypatch.setattr("time.monotonic", clock.monotonic)
    with Spool(tmp_path, max_file_s=60.0) as spool:
        for pause_s in (0.0, 59.0, 1.0, 40.0, 800.0):
            clock.advance(pause_s)
            spool.append(ORDER)
    assert sorted(len(file.read_bytes().splitlines()) for file in tmp_path.iterdir()) == [1, 2, 2]


def test_after_its_file_was_deleted_the_next_order_begins_a_new_one(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(ORDER)
        next(tmp_path.iterdir()).unlink()
        spool.append({**ORDER, "order_id": "O-2"})
    (line,) = lines_in(tmp_path)
    assert json.loads(line)["order_id"] == "O-2"


def test_a_line_longer_than_a_file_may_be_has_a_file_of_its_own(tmp_path: Path) -> None:
    with Spool(tmp_path, max_file_bytes=10) as spool:
        spool.append(ORDER)
        spool.append(ORDER)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order_id": None}, "order_id: must be"),
        ({"order_id": ""}, "order_id: must be"),
        ({"order_id": 7}, "order_id: must be"),
        ({"_sp": {}}, "_sp: this name is reserved"),
        ({"total": float("nan")}, "total: Out of range"),
        ({"type": "access"}, "type: must be 'order'"),
        ({"schema_version": "1"}, "schema_version: must be 1"),
        ({"event_time": "2026-11-27T08:00:00"}, "event_time: must be a text like .* with its zone"),
        ({"kind": "refund"}, "kind: must be 'sale' or 'return'"),
        ({"channel": "w" * 257}, "channel: must be a text of 1 to 256 characters"),
        ({"region": "G\0"}, "region: must not hold a NUL"),
        ({"currency": "gbp"}, "currency: must be three capitals"),
        ({"tax": 0.5}, "tax: must be a whole number of minor units"),
        ({"shipping": None}, "shipping: must be a whole number of minor units"),
        ({"total": True}, "total: must be a whole number of minor units"),
        ({"total": 1531}, "total: is 1531, but lines less discounts plus tax and shipping are 1530"),
        ({"lines": []}, "lines: must be a list of at least one line"),
        ({"lines": [[]]}, r"lines\[0\]: must be a dict"),
        ({"lines": [{"sku": "A", "quantity": 0, "unit_price": 1}]}, r"lines\[0\].quantity: must be a whole number"),
        ({"lines": [{"sku": "A", "quantity": 1, "unit_price": -1}]}, r"lines\[0\].unit_price: must be a whole"),
        ({"lines": [{"sku": "A", "quantity": 1, "unit_price": 0}]}, "lines: are all free"),
        ({"lines": [{"sku": "A", "quantity": 9 * 10**12, "unit_price": 0}] * 1_001}, "lines: are more than"),
        ({"note": "x" * (1 << 20)}, "order: .* bytes as JSON, more than the 1048576"),
        ({"note": json.loads("[" * 101 + "]" * 101)}, "order: is nested deeper than 100"),
        ({"lines": [{"sku": "A"}, {"unit_price": float("inf")}]}, r"lines\[1\].unit_price: Out of range"),
        ({"tags": {"a": {1, 2}}}, "tags.a: Object of type set"),
        ({"name": "\ud800"}, "name: holds half of a surrogate pair"),
        ({"when": object()}, "when: Object of type object"),
    ],
)
def test_what_can_never_be_valid_is_refused_by_field(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(ValueError, match=message):
        spool.append({**ORDER, **change})
    assert list(tmp_path.iterdir()) == []


def test_an_order_that_is_no_dict_or_has_no_id_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(ValueError, match="order: must be a dict"):
        spool.append([1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="schema_version"):
        spool.append({"type": "order"})
    with pytest.raises(ValueError, match="order_id"):
        spool.append({"type": "order", "schema_version": 1})


def test_an_order_that_holds_itself_or_has_no_bottom_is_refused_by_field(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    endless: dict[str, Any] = {**ORDER}
    endless["self"] = endless
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="self: Circular"):
        spool.append(endless)
    with pytest.raises(ValueError, match="deep: is nested too deeply"):
        spool.append({**ORDER, "deep": deep})


def test_a_full_disk_reaches_the_caller_and_the_order_can_be_appended_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.append(ORDER)

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="order not recorded in the spool: No space left") as caught:
            spool.append({**ORDER, "order_id": "O-2"})
    assert caught.value.errno == errno.ENOSPC
    spool.append({**ORDER, "order_id": "O-2"})
    assert [json.loads(line)["order_id"] for line in lines_in(tmp_path)] == ["O-1", "O-2"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_torn_line_stays_at_its_own_files_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    real_write = os.write
    room = iter([10])

    def tears(fd: int, data: bytes) -> int:
        for size in room:
            return real_write(fd, data[:size])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", tears)
        with pytest.raises(OSError, match="not recorded"):
            spool.append(ORDER)
    spool.append(ORDER)
    spool.append(ORDER)
    torn, whole = sorted((file.read_bytes() for file in tmp_path.iterdir()), key=len)
    assert len(torn) == 10 and b"\n" not in torn
    assert [json.loads(line) for line in whole.splitlines()] == [ORDER] * 2


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[:7]))
    Spool(tmp_path).append(ORDER)
    assert [json.loads(line) for line in lines_in(tmp_path)] == [ORDER]


def test_threads_share_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_file_bytes=20_000)

    def sell(till: int) -> None:
        for number in range(200):
            spool.append({**ORDER, "order_id": f"{till}-{number}"})

    threads = [threading.Thread(target=sell, args=(till,)) for till in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [json.loads(line)["order_id"] for line in lines_in(tmp_path)]
    assert sorted(ids) == sorted(f"{n}-{i}" for n in range(8) for i in range(200))


def test_a_closed_spool_says_that_the_order_was_not_recorded(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.close()
    spool.close()
    with pytest.raises(RuntimeError, match="not recorded"):
        spool.append(ORDER)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


KNOWN = {"_sp", *(field.encode_name for field in msgspec.structs.fields(Order)), *ORDER}


@given(st.dictionaries(st.text().filter(lambda key: key not in KNOWN), JSON_VALUES, max_size=5))
def test_whatever_is_taken_comes_back_equal_from_one_line(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with Spool(folder) as spool:
        spool.append({**ORDER, **fields})
    (line,) = [line for file in folder.iterdir() for line in file.read_bytes().split(b"\n")[:-1]]
    assert json.loads(line) == {**ORDER, **fields}
