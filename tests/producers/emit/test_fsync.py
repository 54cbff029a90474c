"""When an order is on the disk, and what happens if the disk does not take it."""

import errno
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from producers.emit import Spool

pytestmark = pytest.mark.unit

ORDER = {
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
WAIT_S = 30.0


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order."""
    log: list[str] = []
    real_write, real_fsync = os.write, os.fsync

    def write(fd: int, data: bytes) -> int:
        log.append("write")
        return real_write(fd, data)

    def fsync(fd: int) -> None:
        log.append("folder")
        real_fsync(fd)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr("producers.emit.file._sync_data", lambda fd: log.append("sync"))
    return log


def test_always_is_on_the_disk_before_append_returns_name_and_all(tmp_path: Path, log: list[str]) -> None:
    with Spool(tmp_path, fsync="always") as spool:
        spool.append(ORDER)
        assert log == ["folder", "write", "sync"]
        spool.append(ORDER)
        assert log == ["folder", "write", "sync", "write", "sync"]
    assert log[5:] == []


def test_os_never_waits_for_the_disk(tmp_path: Path, log: list[str]) -> None:
    with Spool(tmp_path) as spool:
        spool.append(ORDER)
    assert log == ["write"]


def test_interval_syncs_what_a_finished_file_still_owes(tmp_path: Path, log: list[str]) -> None:
    with Spool(tmp_path, fsync="interval", fsync_every_s=1e6, max_file_bytes=1) as spool:
        spool.append(ORDER)
        spool.append(ORDER)
        assert log == ["folder", "write", "sync", "folder", "write"]
    assert log[5:] == ["sync"]


def test_interval_syncs_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr("producers.emit.file._sync_data", lambda fd: synced.set())
    with Spool(tmp_path, fsync="interval", fsync_every_s=0.001) as spool:
        spool.append(ORDER)
        assert synced.wait(WAIT_S)
    assert not [thread for thread in threading.enumerate() if "_sync_now_and_then" in thread.name]


def test_threads_that_wait_together_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, fsync="always")
    spool.append(ORDER)
    (file,) = tmp_path.iterdir()
    syncs = 0

    def sync(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == 1:  # the first one is slow: it ends when all the others have written
            for _ in range(3_000):
                if file.read_bytes().count(b"\n") == 9:
                    return
                threading.Event().wait(0.01)

    monkeypatch.setattr("producers.emit.file._sync_data", sync)
    threads = [threading.Thread(target=spool.append, args=(ORDER,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert syncs == 2


def test_an_order_that_is_not_on_the_disk_is_not_recorded_and_nothing_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, fsync="always")
    with monkeypatch.context() as patch:
        patch.setattr("producers.emit.file._sync_data", raising(errno.EIO, "Input/output error"))
        with pytest.raises(OSError, match="order not recorded in the spool: Input/output error"):
            spool.append(ORDER)
    spool.append(ORDER)
    spool.close()
    assert [len(file.read_bytes().splitlines()) for file in tmp_path.iterdir()] == [1, 1]


def test_interval_says_that_the_disk_did_not_take_it_and_goes_on_in_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr("producers.emit.file._sync_data", raising(errno.EIO, "Input/output error"))
    spool = Spool(tmp_path, fsync="interval", fsync_every_s=1e6, max_file_bytes=1)
    spool.append(ORDER)
    spool.append(ORDER)
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "not on the disk: Input/output error; a power cut may take its last orders"
    ]
    spool.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_synced_takes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, fsync="always")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(errno.EIO, "Input/output error"))
        with pytest.raises(OSError, match="order not recorded"):
            spool.append(ORDER)
    spool.append(ORDER)
    assert sorted(len(file.read_bytes().splitlines()) for file in tmp_path.iterdir()) == [0, 1]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"fsync": "never"}, "fsync"),
        ({"fsync_every_s": 0}, "fsync_every_s"),
        ({"fsync_every_s": float("nan")}, "fsync_every_s"),
        ({"max_file_bytes": 0}, "max_file_bytes"),
        ({"max_file_s": -1}, "max_file_s"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(tmp_path: Path, settings: Any, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        Spool(tmp_path / "spool", **settings)
    assert not (tmp_path / "spool").exists()


def raising(number: int, text: str) -> Any:
    def raises(fd: int) -> None:
        raise OSError(number, text)

    return raises
